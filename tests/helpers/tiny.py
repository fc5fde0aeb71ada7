"""The smallest run of the workflow: one model, three solvers, a notebook, a report."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import yaml
from places import ROOT

PARTS = ("Snakefile", "bootstrap.py", "rules", "workflow", "config", "envs", "profiles", "ffc", "notebooks")

TINY = {
    "title": "The smallest run",
    "seed": 0,
    "repeats": 1,
    "tasks": {
        "made_mnist": {
            "paper": "made_mnist",
            "data": {"name": "digits"},
            "model": {"kind": "made", "hidden": [16, 16]},
            "train": {"steps": 60, "batch": 10, "validate_every": 20, "save_every": 7},
            "batch": 2,
            "solvers": {"sequential": {}, "jacobi": {}, "wide": {"solver": "gs_jacobi", "window": 4}},
        }
    },
}


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen:
    """Snakemake at work in `folder`; `options` are those of `subprocess.Popen`."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **options)


def snakemake(folder: Path, *arguments: str, timeout: float = 900, **options) -> subprocess.CompletedProcess:
    """Snakemake to its end, with all that it printed as `stdout`; whatever ends the wait ends its jobs, too."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
    run = start(folder, *arguments, **options)
    try:
        printed, _ = run.communicate(timeout=timeout)
    finally:
        with suppress(ProcessLookupError):  # jobs of a run that has ended
            os.killpg(run.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(run.args, run.returncode, printed)


def plan(folder: Path, *arguments: str) -> dict[str, int]:
    """The number of jobs of each rule in a dry run."""
    run = snakemake(folder, "-n", *arguments)
    assert run.returncode == 0, run.stdout
    table = run.stdout.partition("Job stats:")[2].partition("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def copy_to(folder: Path) -> Path:
    """A copy of the project in `folder`, with the tiny preset among its presets."""
    for name in PARTS:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    (folder / "config" / "presets" / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
    return folder
