"""What several test files share: the compiler, the order of files, and the run of the tiny preset."""

import fcntl
import gc
import os
import re
from pathlib import Path

import jax
import pytest
import quickly
import skips
from places import ROOT
from tiny import copy_to, snakemake

pytest_plugins = ["pytester"]

#: What pytest runs by itself (pyproject.toml); all else is compiled as users have it.
PLAIN = "not stress"
#: Files that take longest come first, so that no process of pytest is left with one when the others are done.
FIRST = [f"workflow/test_{name}.py" for name in ("finished", "own_task", "weights", "slurm", "kubernetes")]
FIRST += ["project/test_docs.py", "models/test_pixels.py", "core/test_check.py", "core/test_modes.py"]
FIRST += ["workflow/test_environments.py"]

# Most of the time goes into compiling: programs are kept between runs, and shared with the processes that tests start.
for name, value in {
    "jax_compilation_cache_dir": str(ROOT / ".cache" / "jax"),
    "jax_persistent_cache_min_compile_time_secs": 0.1,
}.items():
    if os.environ.setdefault(name.upper(), str(value)) == str(value):
        jax.config.update(name, value)


def pytest_addoption(parser):
    parser.addoption("--inputs", type=int, help="malformed files for each reader (tests/fuzz); few unless given")
    parser.addoption("--kills", type=int, default=2, help="kills of one run (tests/faults)")
    parser.addoption("--preset", default="tiny", help="the preset whose run is killed (tests/faults)")
    parser.addoption("--strict-skips", action="store_true", help="fail where a test is skipped that may not be")
    parser.addoption("--seed", type=int, default=0, help="decides when a run is killed (tests/faults)")


def pytest_configure(config):
    if config.getoption("--strict-skips"):
        config.pluginmanager.register(skips.Strict())
    config.option.loadscopereorder = False  # files in the order below, not by their number of tests
    if not config.option.collectonly:
        quickly.set_up()
    if config.option.markexpr == PLAIN:
        os.environ.update(quickly.settings())
        jax.config.update("jax_disable_most_optimizations", True)


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config):
    """Long tests wait for clusters, disks and other programs: one process more than there are cores."""
    return (yield) + (config.option.markexpr == "stress")


def pytest_collection_modifyitems(items, config):
    places = {ROOT / "tests" / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Share compiled programs between files, as long as there are not too many."""
    if crowded():
        jax.clear_caches()
        gc.collect()


def crowded() -> bool:
    """Return whether this process maps more than a third of what a system lets it (a program is a few maps)."""
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text())
        return Path("/proc/self/maps").read_bytes().count(b"\n") > most // 3
    except OSError:  # not told: every file begins anew
        return True


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Path:
    """A copy of the project in which the tiny preset has run; all processes of pytest share it, and change nothing."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder, done = shared / "finished", shared / "finished.done"
    with open(shared / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()  # fails again in each process where the run has failed in one
            run_tiny(copy_to(folder), shared / "foreign")
            done.touch()
    return folder


def run_tiny(folder: Path, foreign: Path) -> None:
    """Run the tiny preset, deaf to what a user has set up for other work, and in a locale that knows ASCII alone."""
    leave = "import os\nos._exit(1)"  # would end any notebook that minds it, as the kernel and the backend would
    for name, text in {
        "jupyter/kernels/python3/kernel.json": '{"argv": ["/bin/false"], "display_name": "x", "language": "python"}',
        "ipython/profile_default/startup/00.py": leave,
        "startup.py": leave,
    }.items():
        (foreign / name).parent.mkdir(parents=True, exist_ok=True)
        (foreign / name).write_text(text)
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "MPLBACKEND": "module://no_such_backend"}
    paths = {"JUPYTER_PATH": "jupyter", "IPYTHONDIR": "ipython", "PYTHONSTARTUP": "startup.py"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | {name: str(foreign / path) for name, path in paths.items()}).items():
            patch.setenv(name, value)
        printed = snakemake(folder, "tiny")
    assert printed.count("\n") <= 50
    assert r"\xd7" in printed, "the verdict, whose × is no letter of ASCII"
    assert re.search(r"Open results/tiny/report\.html in a browser\.\nFinished in [\d.]+ min\.", printed)
