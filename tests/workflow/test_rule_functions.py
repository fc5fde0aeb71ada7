"""What rules ask of functions: what a solver's job is told, what a figure shows, and where weights come from."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jobs
import pytest
from places import ROOT
from presets import load_preset

from ffc.paper.captions import CAPTIONS
from ffc.paper.views import OWN, PAPER, SCALING, TRAINING

QUICK = load_preset(ROOT / "config" / "presets" / "quick.yaml")


def functions(file: str, **names) -> dict:
    """Return the functions of a rule file that has `names`; the file's head, which looks at Snakemake, is left out."""
    text = (ROOT / "rules" / file).read_text()
    scope = dict(names)
    exec(compile(text[text.index("\ndef ") :], file, "exec"), scope)
    return scope


def test_a_solvers_job_is_told_no_setting_of_training_and_no_other_solver():
    told = jobs.told(QUICK, "densenet", "jacobi")
    assert not {"train", "data"} & told["settings"]["jacobi"].keys()
    assert told["settings"]["jacobi"]["solvers"] == {"jacobi": {}}
    assert told["references"] == {"jacobi": "feedforward"}


def test_captions_name_the_data_behind_a_figure():
    scaling, made, training = (
        jobs.figure_of(QUICK, name)[2] for name in ("sampling_scaling", "made_mnist", "training")
    )
    assert "(weights for mnist)" in jobs.caption(QUICK, scaling, boxed=True)
    assert "A sample of made_mnist" in jobs.caption(QUICK, made, boxed=True)
    assert "trained on digits" in jobs.caption(QUICK, made, boxed=False)
    assert "held-out images" in jobs.caption(QUICK, training, boxed=True)
    assert jobs.figure_of(QUICK, "made_mnits") is None
    shown = (*PAPER.values(), *OWN.values(), SCALING, TRAINING)
    assert {view.kind for part in shown for view in part.views.values()} == CAPTIONS.keys()


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
