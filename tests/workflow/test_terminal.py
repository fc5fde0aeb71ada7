"""What a command line asks for that no rule makes, and what is said of it; and what a run says at its end."""

import re
import time

import hooks
import pytest
import targets
from places import ROOT
from presets import load_preset

PRESETS = {name: load_preset(ROOT / "config" / "presets" / f"{name}.yaml") for name in ("quick", "laptop")}
FAULTS = {"bad": "config/presets/bad.yaml: titel: unknown key"}


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            "quik",
            "quik: no target has this name (did you mean quick?); targets are quick, laptop, all, bench, reference",
        ),
        ("results/quik/summary.md", "results/quik/summary.md: no target has this name (did you mean quick?)"),
        ("bad", FAULTS["bad"]),
        ("results/bad/summary.md", FAULTS["bad"]),
        (f"{ROOT}/summary.md", "name a file from the folder where the run takes place: "),
        ("results/quick/report.html", "again: snakemake quick --report results/quick/report.html"),
        (
            "results/quick/records/made_mnist/jacoby.npz",
            "quick.yaml: tasks.made_mnist.solvers has no jacoby (did you mean",
        ),
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
