"""The check that no test is skipped unseen: it fails a run, and names the test."""

import os
import subprocess
import sys

from places import ROOT

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
import skips

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "test_mine.py"], plugins=[skips.Strict()]))
"""


def run(folder, test):
    (folder / "test_mine.py").write_text(test)
    command = [sys.executable, "-c", PROGRAM, ROOT / "tests" / "helpers"]
    told = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True)


def test_a_skipped_test_fails_the_run_and_is_named(tmp_path):
    ended = run(tmp_path, "import pytest\n\ndef test_late():\n    pytest.skip('no such program')\n")
    assert ended.returncode == 1
    assert "not named in tests/helpers/skips.py: test_mine.py::test_late: Skipped: no such program" in ended.stdout


def test_a_run_without_skips_is_left_alone(tmp_path):
    assert run(tmp_path, "def test_fine():\n    pass\n").returncode == 0
