"""What a run shows: few lines where it is piped, one on a terminal, all that Snakemake says of a failure; and what a
command line asks for.
"""

import io
import logging

import progress
import pytest
import targets
from snakemake_interface_logger_plugins.common import LogEvent


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(event=None, msg="", level=logging.INFO, **facts):
    """What Snakemake logs of an event."""
    made = logging.LogRecord("snakemake", level, "", 0, msg, (), None)
    made.__dict__.update(facts | ({"event": event} if event else {}))
    return made


def run(stream, jobs):
    """What is shown of a run of so many jobs, one after the other."""
    shown = progress.Progress(stream)
    assert not shown.filter(record(LogEvent.RUN_INFO, stats={"solve": jobs - 1, "all": 1, "total": jobs}))
    for done in range(jobs):
        assert not shown.filter(record(msg="Select jobs to execute..."))
        begun = {"rule_msg": f"Job number {done}", "rule_name": "solve", "jobid": done}
        assert not shown.filter(record(LogEvent.JOB_INFO, **begun))
        assert not shown.filter(record(LogEvent.JOB_FINISHED, job_id=done))
        assert not shown.filter(record(LogEvent.PROGRESS, done=done + 1, total=jobs))
    shown.clear()
    return stream.getvalue()


def test_a_small_run_that_is_piped_has_a_line_for_each_job():
    first, *lines = run(io.StringIO(), 2).splitlines()
    assert first == "Jobs: 1 solve, 1 all; 2 in all"
    assert lines == ["0 of 2 done: Job number 0", "1 of 2 done, about 0 s left: Job number 1"]


@pytest.mark.parametrize("jobs", [51, 1000])
def test_a_large_run_that_is_piped_has_some_fifty_lines(jobs):
    lines = run(io.StringIO(), jobs).splitlines()
    assert progress.LINES // 2 < len(lines) <= progress.LINES + 2
    assert "\x1b" not in "".join(lines)


def test_a_terminal_has_one_line_which_is_gone_at_the_end(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    printed = run(Terminal(), 300)
    assert printed.count("\n") == 1  # what the jobs are
    *drawn, last = printed.partition("\n")[2].split("\r\x1b[K")
    assert max(len(line.rstrip("\r")) for line in drawn) == 49
    assert "[##########..........] 150 of 300 done, about 0 s" in "".join(drawn)
    assert last.strip() == ""


def test_failures_warnings_and_what_else_snakemake_says_stay_and_what_it_repeats_is_said_once():
    for kept in (
        record(LogEvent.JOB_ERROR, rule_name="solve", jobid=3, log=[]),
        record(LogEvent.GROUP_ERROR),
        record(msg="Building DAG of jobs failed", level=logging.WARNING),
    ):
        shown = progress.Progress(stream := Terminal())
        assert [shown.filter(kept) for _ in range(2)] == [True, True]
        assert stream.getvalue() == 2 * "\r\x1b[K\r"
    for said in ("Job 3 has been submitted with SLURM jobid 7", "Will exit after finishing currently running jobs."):
        assert [shown.filter(record(msg=said)) for _ in range(2)] == [True, False]


def test_a_failed_job_is_remembered_by_what_it_said_last(tmp_path):
    said, missing = tmp_path / "said.log", tmp_path / "missing.log"
    said.write_text("step 1\ntoo little memory\n\n")
    shown = progress.Progress(io.StringIO())
    assert not shown.filter(record(LogEvent.JOB_INFO, rule_msg="Training of mine", rule_name="train", jobid=0))
    for job, log in enumerate((said, missing)):
        assert shown.filter(record(LogEvent.JOB_ERROR, rule_name="solve", jobid=job, log=[str(log)]))
    assert shown.failed == ["Training of mine failed: too little memory", f"solve failed: {missing}"]


def test_the_time_left_counts_a_job_that_trains_or_times_as_several(monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown = progress.Progress(stream := io.StringIO())
    shown.filter(record(LogEvent.RUN_INFO, stats={"data": 2, "solve_quick_rnn": 2, "total": 4}))
    for job, rule in enumerate(("data", "data", "solve_quick_rnn", "solve_quick_rnn")):
        shown.filter(record(LogEvent.JOB_INFO, rule_msg=rule, rule_name=rule, jobid=job))
        now += 1.0
        shown.filter(record(LogEvent.JOB_FINISHED, job_id=job))
    left = [line.partition(", about ")[2].partition(" s left")[0] for line in stream.getvalue().splitlines()[1:]]
    assert left == ["", f"{1 + 2 * progress.LONGER}", f"{2 * progress.LONGER}", "2"]


def test_targets_are_told_from_options():
    command = "snakemake --cores 2 --config preset=mine -n results/mine/report.html quick"
    assert targets.of_command(["/env/bin/pytest", "quick"]) == []
    for program in ("/env/bin/snakemake", "/env/lib/snakemake/__main__.py"):
        assert targets.of_command([program, *command.split()[1:]]) == ["results/mine/report.html", "quick"]


def test_a_preset_is_asked_for_by_name_and_by_file_and_a_mistyped_name_is_told_its_neighbour():
    assert targets.asks_for("mine", ["mine"])
    assert targets.asks_for("mine", ["results/mine/report.html"])
    assert not targets.asks_for("mine", ["mine2", "results/mine2/report.html", "mine.txt"])
    known = ["all", "quick", "reference", "solve_quick_rnn"]
    expected = "quik: no target has this name (did you mean quick?); targets are all, quick, reference, and the paths"
    assert targets.problem_of(["all", "quik"], known).startswith(expected)
    assert targets.problem_of(["all", "results/none.json", "Snakefile.html"], known) is None
