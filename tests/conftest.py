"""What several test files share."""

import fcntl
import gc
import os
import re
from pathlib import Path

import jax
import pytest
import skips
from places import ROOT
from tiny import copy_to, snakemake

#: What pytest runs if it is not told (pyproject.toml); all else is compiled as users have it.
PLAIN = "not stress"
#: Rooms whose tests hold one solver's bits against another's.
COMPARED = {"core", "recurrence"}

# Most of the time goes into compiling: programs are kept between runs, and shared with the processes that tests start.
for name, value in {
    "jax_compilation_cache_dir": str(ROOT / ".cache" / "jax"),
    "jax_persistent_cache_min_compile_time_secs": 0.1,
}.items():
    if os.environ.setdefault(name.upper(), str(value)) == str(value):
        jax.config.update(name, value)


def pytest_addoption(parser):
    parser.addoption("--inputs", type=int, default=100, help="malformed files for each reader (tests/fuzz)")
    parser.addoption("--kills", type=int, default=2, help="kills of one run (tests/faults)")
    parser.addoption("--preset", default="tiny", help="the preset whose run is killed (tests/faults)")
    parser.addoption("--strict-skips", action="store_true", help="fail where a test is skipped that may not be")
    parser.addoption("--seed", type=int, default=0, help="decides when a run is killed (tests/faults)")


def pytest_configure(config):
    if config.getoption("--strict-skips"):
        config.pluginmanager.register(skips.Strict())


@pytest.fixture(scope="module", autouse=True)
def compiler(request):
    """What is compiled to run for a moment need not be optimised, unless bits of different programs are compared."""
    short = request.config.option.markexpr == PLAIN and not COMPARED & set(request.path.parts)
    jax.config.update("jax_disable_most_optimizations", short)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(short))  # for processes that tests start


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """Compiled programs go with their test file: the system lets one process map so many of them, and no more."""
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Path:
    """A copy of the project in which the tiny preset has run; all processes of pytest share it."""
    if worker_id == "master":
        return run_tiny(copy_to(tmp_path_factory.mktemp("finished")))
    shared = tmp_path_factory.getbasetemp().parent
    folder, done = shared / "finished", shared / "finished.done"
    with open(shared / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()  # fails again in each process where the run has failed in one
            run_tiny(copy_to(folder))
            done.touch()
    return folder


def run_tiny(folder: Path) -> Path:
    run = snakemake(folder, "tiny")
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("\n") <= 100
    assert run.stdout.count("made_mnist by ") == 3
    assert re.search(r"Finished in \d+ min \d+ s\.\nOpen results/tiny/report\.html", run.stdout)
    return folder
