"""`kill -9` of a whole run at seeded moments over its length, and what of its results must be the same."""

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import forks
import numpy as np
from tiny import snakemake, start

from ffc.store.records import Record

#: Arrays that are times, or follow from which of several solvers won a race.
TIMED = re.compile(r"seconds|estimate_|chosen")


def run_and_kill(folder: Path, target: str, kills: int, seed: int) -> None:
    """Run `target` to its end, killed so often on the way, and again after each kill as config/README.md says.

    Kills are spread over the jobs: each comes when a share of those that are left is done, and within ten seconds.
    """
    draw = random.Random(seed)
    for left in range(kills, 0, -1):
        kill(folder, target, draw.random() / left, draw.uniform(0, 10))
        forks.snakemake(folder, "--unlock")
    snakemake(folder, target)


def kill(folder: Path, target: str, share: float, seconds: float) -> None:
    """Run until that `share` of the jobs is done, and so many seconds more, or one job; then kill all processes."""
    logs = folder / ".snakemake" / "log"
    before, reached = {*logs.glob("*.log")}, None
    run = start(folder, target, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
    while run.poll() is None:
        log = "".join(file.read_text() for file in {*logs.glob("*.log")} - before)
        jobs, done = re.search(r"^total +(\d+)$", log, re.M), len(re.findall(r"^Finished jobid", log, re.M))
        if jobs and done >= (enough := int(share * (int(jobs[1]) - 1))):
            reached = reached or time.monotonic()
            if done > enough or time.monotonic() >= reached + seconds:
                os.killpg(run.pid, signal.SIGKILL)
                break
        time.sleep(0.02)
    assert run.wait() == -signal.SIGKILL


def differences(expected: Path, found: Path, preset: str) -> list[str]:
    """What differs between a preset's results in two folders, and should not."""
    patterns = ("data/*.npz", "records/[!.]*/*.npz", "checkpoints/*.*", "checkpoints/[!.]*/*.*")
    files = {
        str(file.relative_to(folder))
        for folder in (expected, found)
        for pattern in patterns
        for file in (folder / "results" / preset).glob(pattern)
        if not file.name.startswith(".")
    }
    assert files, f"{expected}: no results of {preset}"
    return [problem for file in sorted(files) for problem in differ(file, expected, found)]


def differ(file: str, expected: Path, found: Path) -> list[str]:
    """What differs in one file: arrays of a record but for times, losses of a training, or bytes of weights."""
    paths = [folder / file for folder in (expected, found)]
    if not all(path.exists() for path in paths):
        return [f"{file}: is missing"]
    if file.endswith(".npz"):
        one, other = (Record.load(path).arrays for path in paths)
        names = [name for name in one.keys() | other.keys() if not TIMED.search(name)]
    elif file.endswith(".json"):
        one, other = (json.loads(path.read_text()) for path in paths)
        names = ["metrics", "curves"]
    else:
        return [f"{file}: bytes"] if paths[0].read_bytes() != paths[1].read_bytes() else []
    return [f"{file}: {name}" for name in sorted(names) if _bits(one.get(name)) != _bits(other.get(name))]


def _bits(value):
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
