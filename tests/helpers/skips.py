"""No test that nobody runs: `pytest --strict-skips` fails where one is skipped that is not named here."""

import os
import platform
import re

import pytest
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
    """Fails a test that was skipped without leave."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item):
        report = yield
        named = any(when and re.match(pattern, item.nodeid) for pattern, when in ALLOWED)
        if report.skipped and not hasattr(report, "wasxfail") and not named:
            report.outcome = "failed"
            report.longrepr = f"skipped, and not named in tests/helpers/skips.py: {report.longrepr[2]}"
        return report
