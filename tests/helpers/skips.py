"""No test that nobody runs: `pytest --strict-skips` fails where one is skipped that is not named here."""

import os
import platform
import re

from places import ROOT

LINUX, ROOT_USER = platform.system() == "Linux", os.geteuid() == 0
#: Tests that may be skipped, by a pattern of their names: when, and why.
ALLOWED = [
    (r"tests/workflow/test_(slurm|kubernetes)\.py", not LINUX, "Slurm and the stand-in for pods need Linux"),
    (
        r"tests/faults/test_faults\.py",
        not (LINUX and ROOT_USER),
        "only root on Linux mounts full or read-only disks",
    ),
    (
        r"tests/workflow/test_report_page\.py",
        not (ROOT / "results" / "quick" / "report.html").exists(),
        "it looks at the report that `snakemake quick` makes, in the job that makes it",
    ),
]


class Strict:
    """Fails the run where a test was skipped without leave."""

    def __init__(self):
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail") and not may_skip(report.nodeid):
            self.unexpected.append(f"{report.nodeid}: {report.longrepr[2]}")

    def pytest_sessionfinish(self, session):
        if self.unexpected and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.unexpected:
            terminalreporter.write_line(f"skipped, and not named in tests/helpers/skips.py: {line}")


def may_skip(test: str) -> bool:
    """Whether the test of this name may be skipped here."""
    return any(re.match(pattern, test) and when for pattern, when, _ in ALLOWED)
