"""What several test files share."""

import re
from pathlib import Path

import pytest
from tiny import copy_to, snakemake


def pytest_addoption(parser):
    parser.addoption("--inputs", type=int, default=100, help="malformed files for each reader (tests/fuzz)")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy of the project in which the tiny preset has run."""
    folder = copy_to(tmp_path_factory.mktemp("finished"))
    run = snakemake(folder, "tiny")
    assert run.returncode == 0, run.stdout
    assert re.search(r"Finished in \d+ min \d+ s\.\nOpen results/tiny/report\.html", run.stdout)
    return folder
