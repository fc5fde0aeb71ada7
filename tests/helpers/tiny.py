"""The smallest run of the workflow: one model, three solvers, a notebook, a report; and how tests run Snakemake."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import forks
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
MADE = TINY["tasks"]["made_mnist"]
#: Tasks under names of their own, one of them with a model of somebody's own (blind.py).
_TWO = {"solvers": {"sequential": {}, "jacobi": {}}}
_RECURRENT = {"data": {"name": "digits"}, "hidden": 4, "scale": 0.1, "learning_rate": 0.1, "steps": 2, "samples": 2}
FREE = TINY | {
    "one_process": True,
    "tasks": {
        "words": {"data": {"name": "digits"}, "model": {"kind": "blind:Blind"}, "train": {"steps": 20}, "batch": 16}
        | _TWO,
        "Digits": MADE | _TWO,
        "memory": _RECURRENT | {"lengths": [8], "solvers": {"feedforward": {}}},
    },
}


def start(folder: Path, *arguments: str, python: Path | str = sys.executable, **options) -> subprocess.Popen:
    """Snakemake at work in `folder`; `options` are those of `subprocess.Popen`."""
    command = [python, "-m", "snakemake", *arguments]
    return subprocess.Popen(command, cwd=folder, env=forks.environment(), text=True, **options)


def snakemake(folder: Path, *arguments: str, code: int = 0, timeout: float = 1200, **options) -> str:
    """What Snakemake prints to its end, with this `code`; whatever ends the wait ends its jobs, too."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
    run = start(folder, *arguments, **pipes, **options)
    try:
        printed, _ = run.communicate(timeout=timeout)
    finally:
        with suppress(ProcessLookupError):  # jobs of a run that has ended
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == code, printed
    return printed


def planned(folder: Path, *arguments: str) -> dict[str, set[str]]:
    """What a run would make now: the files of each rule, below `results`."""
    rows = [line.split("\t") for line in forks.snakemake(folder, "--summary", *arguments).splitlines()]
    made = {}
    for file, _, rule, *_, state in (row for row in rows if len(row) == 6):
        if state == "update pending":
            made.setdefault(rule, set()).add(file.removeprefix("results/"))
    return made


def of_preset(preset: str, made: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What of a plan belongs to a preset: the files of each rule, below its folder."""
    own = {rule: {file for file in files if file.startswith(f"{preset}/")} for rule, files in made.items()}
    return {rule: {file.removeprefix(f"{preset}/") for file in files} for rule, files in own.items() if files}


def copy_to(folder: Path, **presets: Mapping) -> Path:
    """A copy of the project in `folder`, with the tiny preset and `presets` among its own."""
    for name in PARTS:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    add_presets(folder, tiny=TINY, **presets)
    return folder


def add_presets(folder: Path, **presets: Mapping) -> None:
    for name, preset in presets.items():
        (folder / "config" / "presets" / f"{name}.yaml").write_text(yaml.safe_dump(preset, sort_keys=False))
