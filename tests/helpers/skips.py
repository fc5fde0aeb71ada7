"""No test that nobody runs: `pytest --strict-skips` fails where one is skipped that is not named here."""

import os
import platform
import re

from places import ROOT

LINUX = platform.system() == "Linux"
#: Tests that may be skipped, by a pattern of their names, and when.
ALLOWED = [
    (r"tests/(workflow/test_(slurm|kubernetes)|gpu/test_gpu)\.py", not LINUX),
    (r"tests/faults/test_faults\.py", not LINUX or os.geteuid() != 0),  # only root mounts full or read-only disks
    # It looks at the report that `snakemake quick` makes, in the job that makes it.
    (r"tests/workflow/test_report_page\.py", not (ROOT / "results" / "quick" / "report.html").exists()),
]


class Strict:
    """Fails the run where a test was skipped without leave."""

    def __init__(self):
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report):
        named = any(when and re.match(pattern, report.nodeid) for pattern, when in ALLOWED)
        if report.skipped and not hasattr(report, "wasxfail") and not named:
            self.unexpected.append(f"{report.nodeid}: {report.longrepr[2]}")

    def pytest_sessionfinish(self, session):
        if self.unexpected and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.unexpected:
            terminalreporter.write_line(f"skipped, and not named in tests/helpers/skips.py: {line}")
