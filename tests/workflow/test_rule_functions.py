"""What rules ask of functions: what a job is told, where weights come from, and what is said of unknown targets."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import hooks
import jobs
import pytest
import targets
from places import ROOT
from presets import load_preset

from ffc.paper.captions import CAPTIONS
from ffc.paper.views import OWN, PAPER, SCALING, TRAINING

PRESETS = {name: load_preset(ROOT / "config" / "presets" / f"{name}.yaml") for name in ("quick", "laptop")}
QUICK = PRESETS["quick"]
FAULTS = {"bad": "config/presets/bad.yaml: titel: unknown key"}


def functions(file: str, **names) -> dict:
    """Return the functions of a rule file that has `names`; the file's head, which looks at Snakemake, is left out."""
    text = (ROOT / "rules" / file).read_text()
    scope = dict(names)
    exec(compile(text[text.index("\ndef ") :], file, "exec"), scope)
    return scope


def test_a_solvers_job_is_told_no_setting_of_training_and_no_other_solver():
    told = jobs.request(QUICK, "densenet", "jacobi")
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


def test_a_log_holds_what_its_last_run_said_alone_and_no_progress_bar(tmp_path):
    program = f"""
import sys
from types import SimpleNamespace
sys.path.insert(0, {str(ROOT / "workflow" / "scripts")!r})
from _entry import job
import tqdm
with job(SimpleNamespace(log=[{str(tmp_path / "job.log")!r}], config={{"debug": False}}, rule="rule")):
    print("said once", sum(tqdm.tqdm(range(3))))
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert Path(tmp_path, "job.log").read_text() == "said once 3\n"


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


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("quik", "quik: no target has this name (did you mean quick?); targets are quick, laptop, all, bench, refere"),
        ("results/quik/summary.md", "results/quik/summary.md: no target has this name (did you mean quick?)"),
        ("bad", FAULTS["bad"]),
        ("results/bad/summary.md", FAULTS["bad"]),
        (f"{ROOT}/summary.md", "name a file from the folder where the run takes place: "),
        ("results/quick/report.html", "again: snakemake quick --report results/quick/report.html"),
        ("results/quick/records/made_mnist/jacoby.npz", "quick.yaml: tasks.made_mnist.solvers has no jacoby (did you"),
    ],
)
def test_what_no_rule_makes_is_said_with_its_neighbour(target, problem):
    assert re.fullmatch(targets.pattern(PRESETS), target)
    assert problem in targets.problem_of(target, PRESETS, FAULTS)


def test_what_rules_make_is_left_to_them():
    """Else two rules would make one file. A misspelt solver of a job of its own is the job's to name."""
    made = ["results/quick/summary.md", "results/reference/x/y/summary", "results/quick/records/made_mnist/jacobi.npz"]
    made += ["results/laptop/records/made_mnist/jacoby.npz", "results/quick/records/rnn_scaling/scaling.npz"]
    assert not [target for target in made if re.fullmatch(targets.pattern(PRESETS), target)]
    assert "has no jacoby" in targets.problem_of_record(made[3], PRESETS)
    assert targets.problem_of_record(made[2], PRESETS) is None


def test_a_run_reports_presets_whose_pages_are_whole_where_it_wrote_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hooks, "_report", lambda preset, *_: preset)
    folder = tmp_path / "results" / "quick"
    folder.mkdir(parents=True)
    (folder / "summary.md").write_text("## Verdict\n\n- fast\n")
    whole, partial = ["results/quick/summary.md"], ["results/quick/summary.md", "results/quick/none.svg"]
    began = time.time() - 60
    said = hooks.after_success({"quick": whole, "other": partial}, began, ROOT / "Snakefile", {})
    assert said == ["fast", "Open quick in a browser."]
    assert hooks.after_success({"quick": whole}, time.time() + 60, ROOT / "Snakefile", {}) == []


def test_a_job_that_was_killed_is_told_apart(tmp_path):
    log = tmp_path / "log"
    for text, lines in (("Error in rule solve", 1), ("died with <Signals.SIGKILL: 9>", 2)):
        log.write_text(text)
        assert len(hooks.after_failure([str(log)])) == lines


def test_a_gpu_is_asked_for_where_records_are_to_be_made(monkeypatch):
    monkeypatch.setattr(hooks, "_has_gpu", lambda: False)
    assert hooks.problem_of_gpu(set(), PRESETS) is None
    problem = hooks.problem_of_gpu({"small"}, {"small": {"without_gpu": "hours"}})
    assert "Without one, preset small: hours." in problem
    assert "--config without_gpu=True" in problem
