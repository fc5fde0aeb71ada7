"""What rules ask of functions: who does how many repeats, what a solver's job reads, and where weights come from."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import ROOT
from presets import load_preset, reference_of
from tasks import experiment_of

QUICK = load_preset(ROOT / "config" / "presets" / "quick.yaml")


def functions(file: str, **names) -> dict:
    """Return the functions of a rule file that has `names`; the file's head, which looks at Snakemake, is left out."""
    text = (ROOT / "rules" / file).read_text()
    scope = dict(names)
    exec(compile(text[text.index("\ndef ") :], file, "exec"), scope)
    return scope


@pytest.mark.parametrize("parts", range(1, 6))
@pytest.mark.parametrize("repeats", [1, 3, 7])
def test_parts_share_all_repeats(repeats, parts):
    share = functions("common_scatter.smk", preset_of=lambda wildcards, key: repeats)["share_of_repeats"]
    shares = [share(SimpleNamespace(part=part, parts=parts)) for part in range(1, parts + 1)]
    assert sum(shares) == repeats
    assert max(shares) - min(shares) <= 1


def test_a_solvers_job_reads_the_sidecar_of_its_weights_and_no_setting_of_training():
    names = {"reference_of": reference_of, "experiment_of": experiment_of, "data_of": lambda wildcards: "data.npz"}
    head = re.search(r"^_ELSEWHERE = (.*)$", (ROOT / "rules" / "common_solve.smk").read_text(), re.M)
    names |= {"task_of": lambda wildcards: QUICK["tasks"][wildcards.task], "_ELSEWHERE": ast.literal_eval(head[1])}
    scope = functions("common_solve.smk", **names)
    job = SimpleNamespace(preset="quick", task="densenet", solver="jacobi")
    inputs = scope["solver_inputs"](job)
    assert inputs["about"] == inputs["checkpoint"].replace(".flax", ".json")
    assert not {"train", "data"} & scope["solver_settings"](job).keys()


def test_a_log_holds_what_its_last_run_said_alone(tmp_path):
    program = f"""
import sys
from types import SimpleNamespace
sys.path.insert(0, {str(ROOT / "workflow" / "scripts")!r})
from _entry import job
with job(SimpleNamespace(log=[{str(tmp_path / "job.log")!r}], config={{"debug": False}}, rule="rule")):
    print("said once")
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert Path(tmp_path, "job.log").read_text() == "said once\n"


@pytest.mark.parametrize(
    ("files", "box", "mode", "origin"),
    [([], [], "auto", "trained"), ([], ["mnist"], "auto", "released"), (["mnist"], [], "trained", "trained")],
)
def test_weights_of_the_box_are_not_trained_where_they_could_be_had(tmp_path, files, box, mode, origin):
    note = tmp_path / "released.json"
    note.write_text(json.dumps({"files": files, "box": box}))
    checkpoint = SimpleNamespace(get=lambda preset: SimpleNamespace(output=[note]))
    names = {"json": json, "Path": Path, "PRESETS": {"quick": QUICK}, "config": {"checkpoints": {"mode": mode}}}
    scope = functions("common.smk", **names, checkpoints=SimpleNamespace(find_released=checkpoint))
    assert scope["origin_of"](SimpleNamespace(preset="quick", task="pixelcnnpp_mnist")) == origin
