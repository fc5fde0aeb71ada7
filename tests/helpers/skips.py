"""No test that nobody runs: `pytest --strict-skips` fails where one is skipped that is not named here."""

import platform
import re

#: Tests that may be skipped, by a pattern of their names: on which systems, and why.
ALLOWED = {
    r"tests/workflow/test_(slurm|kubernetes)\.py": ("Darwin", "Slurm and the stand-in for pods need Linux"),
    r"tests/faults/test_faults\.py": (
        "Darwin",
        "a full and a read-only disk are mounted: Linux, root",
    ),
}


class Strict:
    """Fails the run where a test was skipped without leave."""

    def __init__(self):
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and not may_skip(report.nodeid, platform.system()):
            self.unexpected.append(f"{report.nodeid}: {report.longrepr[2]}")

    def pytest_sessionfinish(self, session):
        if self.unexpected and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.unexpected:
            terminalreporter.write_line(f"skipped, and not named in tests/helpers/skips.py: {line}")


def may_skip(test: str, system: str) -> bool:
    """Whether the test of this name may be skipped on this system (as `platform.system()` calls it)."""
    return any(re.match(pattern, test) and system == where for pattern, (where, _) in ALLOWED.items())
