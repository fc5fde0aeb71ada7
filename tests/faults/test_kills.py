"""`kill -9` of a whole run, anywhere: the same command again ends with the same bits, but for times."""

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
import pytest
from tiny import MADE, TINY, add_presets, copy_to, snakemake, start

from ffc.store.records import Record

pytestmark = pytest.mark.stress

#: Arrays that are times, or follow from which of several solvers won a race.
TIMED = re.compile(r"seconds|estimate_|chosen")
#: A MADE that has its whole process group killed, once at each of two places, unless a file says that it was.
MORTAL = """
import os
import signal
from pathlib import Path

from ffc.models.made import MADE

validations = []


class Mortal(MADE):
    kind = "mortal:Mortal"

    def finish(self, params, images):
        validations.append(len(images))
        die_once("training", len(validations) == 2)
        return super().finish(params, images)

    def pictures(self, samples):
        die_once("experiment")
        return super().pictures(samples)


def die_once(place, now=True):
    file = Path(f"{place}.killed")
    if now and not file.exists():
        file.touch()
        os.killpg(os.getpgrp(), signal.SIGKILL)
"""
PRESET = TINY | {"tasks": {"made_mnist": MADE | {"model": {"kind": "mortal:Mortal", "hidden": [16, 16]}}}}
CHECKPOINT = "results/tiny/checkpoints/trained/made_mnist.flax"
RECORD = "results/tiny/records/made_mnist/sequential.npz"


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
    """Differences between a preset's results in two folders, where there should be none."""
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
    """Differences in one file: arrays of a record but for times, losses of a training, or bytes of weights."""
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


def dies_and_goes_on(folder: Path, target: str) -> Path:
    """Run until the model kills the run, which leaves nothing half-written; then again, as config/README.md says."""
    snakemake(folder, target, code=-signal.SIGKILL)
    assert not (folder / target).exists()
    forks.snakemake(folder, "--unlock")
    snakemake(folder, target)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The tiny preset, killed in training, and run again until there are weights."""
    folder = copy_to(tmp_path_factory.mktemp("mortal"))
    (folder / "mortal.py").write_text(MORTAL)
    add_presets(folder, tiny=PRESET)
    return dies_and_goes_on(folder, CHECKPOINT)


@pytest.fixture(scope="module")
def sampled(trained):
    """The same folder, killed in its first experiment, and run again until there is a record."""
    return dies_and_goes_on(trained, RECORD)


def test_a_kill_in_training_changes_no_bit_of_the_weights(finished, trained):
    log = (trained / "logs" / "tiny" / "train" / "made_mnist.log").read_text()
    assert "going on from step 35" in log, "the last state before the validation at step 40"
    assert (trained / CHECKPOINT).read_bytes() == (finished / CHECKPOINT).read_bytes()


def test_a_kill_in_an_experiment_changes_no_bit_of_the_record(finished, sampled):
    assert differ(RECORD, finished, sampled) == []
    assert not (sampled / "results" / "tiny" / "checkpoints" / ".training" / "made_mnist").exists()


def test_kills_at_moments_over_a_whole_run_change_no_bit_of_its_results(request, tmp_path):
    """Spread over the jobs: each comes when a share of those that are left is done, and within ten seconds.

    By default what is left of the run above; `--preset quick --kills 20` is a whole run, and takes its time.
    """
    preset, kills, seed = map(request.config.getoption, ("preset", "kills", "seed"))
    if preset == "tiny":
        undisturbed, disturbed = map(request.getfixturevalue, ("finished", "sampled"))
    else:
        undisturbed, disturbed = copy_to(tmp_path / "undisturbed"), copy_to(tmp_path / "disturbed")
        snakemake(undisturbed, preset)
    draw = random.Random(seed)
    for left in range(kills, 0, -1):
        kill(disturbed, preset, draw.random() / left, draw.uniform(0, 10))
        forks.snakemake(disturbed, "--unlock")
    snakemake(disturbed, preset)
    assert differences(undisturbed, disturbed, preset) == []
