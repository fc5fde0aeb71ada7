"""Functions that rules ask: the request of a job, the name of a figure, and the reason why a target is unknown."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import hooks
import jobs
import pytest
from places import ROOT
from presets import load_preset

from ffc.paper.captions import CAPTIONS
from ffc.paper.views import OWN, PAPER, SCALING, TRAINING

PRESETS = {name: load_preset(ROOT / "config" / "presets" / f"{name}.yaml") for name in ("quick", "laptop")}
QUICK = PRESETS["quick"]
FAULTS = {"bad": "config/presets/bad.yaml: titel: unknown key"}


def test_a_solvers_job_is_told_no_setting_of_training_and_no_other_solver():
    job = jobs.request(QUICK, "densenet", "jacobi")
    common = {"model": QUICK["tasks"]["densenet"]["model"], "images": 16, "paper": "densenet"}
    assert job["settings"] == {"jacobi": common | {"experiment": "classification", "solvers": {"jacobi": {}}}}
    assert job["references"] == {"jacobi": "feedforward"}


def test_times_by_size_are_of_the_system_that_their_section_names_or_else_their_task():
    for own, system in (({}, {"quantize": "8bit"}), ({"system": {}}, {})):
        scaling, tasks = {"task": "mine", "sizes": [8]} | own, {"mine": {"system": {"quantize": "8bit"}}}
        assert jobs.sizes({"scaling": scaling, "tasks": tasks}) == {"sizes": [8], "system": system}


def test_captions_name_the_data_behind_a_figure():
    for name, boxed, words in (
        ("sampling_scaling", True, "(weights for mnist)"),
        ("made_mnist", True, "A sample of made_mnist"),
        ("made_mnist", False, "trained on digits"),
        ("training", True, "held-out images"),
    ):
        assert words in jobs.caption(QUICK, jobs.figures_of(QUICK)[name][2], boxed)
    shown = (*PAPER.values(), *OWN.values(), SCALING, TRAINING)
    assert {view.kind for part in shown for view in part.views.values()} == CAPTIONS.keys()


def test_a_log_holds_what_its_last_run_said_alone_and_no_progress_bar(tmp_path):
    program = """
from types import SimpleNamespace
from _entry import job
import tqdm
with job(SimpleNamespace(log=["job.log"], config={"debug": False}, rule="rule")):
    print("said once", sum(tqdm.tqdm(range(3))))
"""
    path = os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=path, check=True)
    assert Path(tmp_path, "job.log").read_text() == "said once 3\n"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("quik", "quik: no target has this name (did you mean quick?); targets are quick, laptop, all, reference, and"),
        (f"{ROOT}/summary.md", "name a file from the folder where the run takes place: "),
        ("results/bad/summary.md", FAULTS["bad"]),
        ("results/quick/report.html", "again: snakemake quick --report results/quick/report.html"),
    ],
)
def test_what_no_rule_makes_is_said_with_its_neighbour(target, problem):
    assert re.fullmatch(hooks.unknown_targets(PRESETS), target)
    assert problem in hooks.problem_of_target(target, PRESETS, FAULTS)


def test_a_run_reports_presets_whose_pages_are_whole_where_it_wrote_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hooks, "_report", lambda preset, *_: preset)
    folder = tmp_path / "results" / "quick"
    folder.mkdir(parents=True)
    (folder / "summary.md").write_text("## Verdict\n\n- fast\n")
    (folder / "old.svg").touch()
    os.utime(folder / "old.svg", (0, 0))
    pages = ["results/quick/old.svg", "results/quick/summary.md"]
    for began, said in ((time.time() - 60, ["fast", "Open quick in a browser."]), (time.time() + 60, [])):
        presets = {"quick": pages, "other": [*pages, "results/quick/none.svg"]}
        assert hooks.after_success(presets, began, ROOT / "Snakefile", {}) == said


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


def test_a_picture_that_is_added_changed_or_removed_makes_the_data_anew(tmp_path):
    """The state is a parameter of the job, so that Snakemake runs it again where it changes."""
    folder, settings = tmp_path / "mine", {"name": "image_folder", "path": "mine", "size": 8}
    folder.mkdir()
    states = [jobs.state_of_pictures(settings, tmp_path)]
    for change in (
        lambda: (folder / "a.png").write_bytes(b"1"),
        lambda: os.utime(folder / "a.png", ns=(0, 0)),
        lambda: (folder / "a.png").rename(folder / "c.png"),
    ):
        change()
        states.append(jobs.state_of_pictures(settings, tmp_path))
    assert len({*states}) == 4
    (folder / ".hidden.png").write_bytes(b"1")
    assert jobs.state_of_pictures(settings, tmp_path) == states[-1]
    assert jobs.state_of_pictures({"name": "digits"}, tmp_path) == ""
