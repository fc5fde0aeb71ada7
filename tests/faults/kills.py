"""`kill -9` of a whole run at seeded moments over its length, and what of its results must be the same."""

import json
import os
import random
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tiny import snakemake, start

from ffc.store.records import Record

#: Arrays that are times, or follow from which of several solvers won a race.
TIMED = re.compile(r"seconds|estimate_|chosen")
_STARTED, _FINISHED = r"^\[(.*)\]\nJob (\d+): (.*)$", r"^Finished jobid: (\d+) "


@dataclass(frozen=True)
class Moment:
    """So many seconds after a job began, or when it is done if that is earlier: progress, however slow the machine."""

    job: str
    seconds: float


def moments(folder: Path, count: int, seed: int) -> list[Moment]:
    """A moment in each of `count` equal parts of the run that `folder` holds, up to the start of its last job."""
    log = max(_logs(folder).values(), key=len)
    starts = [(time.mktime(time.strptime(date)), job) for date, _, job in re.findall(_STARTED, log, re.M)]
    (first, _), (last, _) = starts[0], starts[-1]
    draw = random.Random(seed).random
    chosen = []
    for part in range(count):
        at = first + (last - first) * (part + draw()) / count
        begun, job = max((start for start in starts if start[0] <= at), key=lambda start: start[0])
        chosen.append(Moment(job, at - begun))
    return chosen


def _logs(folder: Path) -> dict[Path, str]:
    """What each Snakemake in `folder` has logged."""
    return {file: file.read_text() for file in (folder / ".snakemake" / "log").glob("*.log")}


def _jobs(log: str) -> tuple[list[str], set[str]]:
    """The jobs that a Snakemake has started, and those that it has finished."""
    names = {number: job for _, number, job in re.findall(_STARTED, log, re.M)}
    return list(names.values()), {names[number] for number in re.findall(_FINISHED, log, re.M) if number in names}


def run_and_kill(folder: Path, target: str, planned: list[Moment]) -> int:
    """Run `target`, again after each kill as config/README.md says, to its end; returns how many kills it took."""
    for kills, moment in enumerate(planned):
        if not killed(folder, target, moment):
            return kills
        again = snakemake(folder, "--unlock")
        assert again.returncode == 0, again.stdout
    run = snakemake(folder, target)
    assert run.returncode == 0, run.stdout
    return len(planned)


def killed(folder: Path, target: str, moment: Moment) -> bool:
    """Run until `moment`, then kill all the run's processes; False where the run came to its end before.

    A job that an earlier run has finished is stood for by the first of this one.
    """
    done = set().union(*(_jobs(log)[1] for log in _logs(folder).values()))
    printed, before, begun = folder / "printed.txt", _logs(folder), None
    with open(printed, "w") as output:
        run = start(folder, target, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    while run.poll() is None:
        started, finished = _jobs("".join(log for file, log in _logs(folder).items() if file not in before))
        awaited = moment.job if moment.job not in done else next(iter(started), None)
        if awaited in started:
            begun = begun or time.monotonic()
            if awaited in finished or time.monotonic() - begun >= moment.seconds:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                return True
        time.sleep(0.02)
    assert run.returncode == 0, printed.read_text()
    return False


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
