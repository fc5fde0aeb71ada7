"""What several test files share."""

import gc
import re
from pathlib import Path

import jax
import pytest
from tiny import copy_to, snakemake


def pytest_addoption(parser):
    parser.addoption("--inputs", type=int, default=100, help="malformed files for each reader (tests/fuzz)")
    parser.addoption("--kills", type=int, default=2, help="kills of one run (tests/faults)")
    parser.addoption("--preset", default="tiny", help="the preset whose run is killed (tests/faults)")
    parser.addoption("--seed", type=int, default=0, help="decides when a run is killed (tests/faults)")


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """Compiled programs go with their test file: the system lets one process map so many of them, and no more."""
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy of the project in which the tiny preset has run."""
    folder = copy_to(tmp_path_factory.mktemp("finished"))
    run = snakemake(folder, "tiny")
    assert run.returncode == 0, run.stdout
    assert re.search(r"Finished in \d+ min \d+ s\.\nOpen results/tiny/report\.html", run.stdout)
    return folder
