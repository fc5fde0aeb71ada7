"""What a run shows while it works: on a terminal what is done and the time left, elsewhere some fifty lines at most.

Snakemake's own handler prints. This filter of it puts a short line of ours in place of the lines of each job; warnings,
errors and failed jobs stay as they are. Snakemake's log file (.snakemake/log) keeps all, and so does the terminal with
--verbose or a plugin (--logger).
"""

import logging
import os
import shutil
import time
from collections import Counter
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

#: Lines on the jobs of a run, where they are not drawn over each other.
LINES = 50
#: Roughly, how much longer than others the jobs of these rules take: they train, or they time.
LONG, LONGER = ("train", "solve", "scaling", "rnn_scaling", "bench"), 8
#: What Snakemake says of every run and round of jobs, and at the end of a run, where the Snakefile says it.
USUAL = ("Assuming unrestricted", "Building DAG", "Using shell", "Conda environments: ignored", "Select jobs")
USUAL += ("Complete log", "Elapsed time", "Singularity containers: ignored")


def watch(workflow) -> "Progress | None":
    """Have `workflow` show our lines; None in a dry run, a job on a cluster, or where something else was asked for."""
    asked = workflow.output_settings
    if asked.dryrun or asked.verbose or not workflow.is_main_process:
        return None
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(progress := Progress(handler.stream))
            return progress
    return None


def failure(job: str, logs: list[Path]) -> str:
    """A line on a job that failed: what it said last."""
    for log in logs:
        said = log.read_text(errors="replace").split("\n") if log.suffix == ".log" and log.is_file() else []
        if lines := [line for line in said if line.strip()]:
            return f"{job} failed: {lines[-1]}"
    return f"{job} failed: {', '.join(map(str, logs)) or 'it has no log'}"


class Progress(logging.Filter):
    """Takes what it replaces from the records that `stream` gets, and what is said twice in a row."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.began = 0.0
        self.done = self.total = self.begun = self.shown = 0
        self.job = self.said = ""
        self.begun_jobs: dict[int, tuple[str, str]] = {}  # the rule of each, and what it says that it does
        self.left: Counter[str] = Counter()  # jobs of each rule
        self.spent = 0  # on what is done, in units of a short job
        self.failed: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                self._plan(record.stats)
            case LogEvent.JOB_INFO:
                self.began = self.began if self.begun else time.monotonic()
                self.begun += 1
                self.job = record.rule_msg or record.rule_name
                self.begun_jobs[record.jobid] = record.rule_name, self.job
                self._show()
            case LogEvent.JOB_FINISHED:
                rule, _ = self.begun_jobs.get(record.job_id, ("", ""))
                self.spent += _units(rule)
                self.left[rule] = max(0, self.left[rule] - 1)
            case LogEvent.PROGRESS:
                self.done, self.total = record.done, record.total
                if self.terminal:
                    self._show()
            case LogEvent.JOB_ERROR:
                _, job = self.begun_jobs.get(record.jobid, ("", record.rule_name))
                self.failed.append(failure(job, [Path(log) for log in record.log]))
                self.clear()
                return True
            case LogEvent.JOB_STARTED | LogEvent.RESOURCES_INFO:
                pass
            case None if record.levelno <= logging.INFO and (said == self.said or said.startswith(USUAL)):
                pass
            case _:
                self.clear()
                self.said = said
                return True
        return False

    def clear(self) -> None:
        """Make room where a terminal shows the progress."""
        self._write("")

    def _plan(self, jobs: dict[str, int]) -> None:
        self.total = jobs["total"]
        self.left = Counter({rule: count for rule, count in jobs.items() if rule != "total"})
        rules = ", ".join(f"{count} {name}" for name, count in jobs.items() if name != "total")
        self.clear()
        print(f"Jobs: {rules}; {self.total} in all", file=self.stream, flush=True)

    def _show(self) -> None:
        line = f"{self.done} of {self.total} done{self._left()}: {self.job}"
        if self.terminal:
            bar = ("#" * (20 * self.done // max(1, self.total))).ljust(20, ".")
            self._write(f"[{bar}] {line}"[: shutil.get_terminal_size().columns - 1])
        elif self.begun * LINES >= self.shown * self.total:
            self.shown += 1
            print(line, file=self.stream, flush=True)

    def _left(self) -> str:
        """The time so far, in proportion to what is left."""
        left = sum(count * _units(rule) for rule, count in self.left.items())
        if not self.spent or not left:
            return ""
        seconds = (time.monotonic() - self.began) / self.spent * left
        return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"

    def _write(self, line: str) -> None:
        """Over what is there, on a terminal; the cursor stays in front, so that a job's own words go over it, too."""
        if self.terminal:
            print(f"\r\x1b[K{line}\r", end="", file=self.stream, flush=True)


def _units(rule: str) -> int:
    return LONGER if rule.startswith(LONG) else 1
