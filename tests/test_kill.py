"""`kill -9` of a whole run, in training and in an experiment: the same command again ends with the same bits."""

import signal

import numpy as np
import pytest
import yaml
from tiny import TINY, copy_to, snakemake

from ffc.records import Record

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
        if len(validations) == 2:
            die_once("training")
        return super().finish(params, images)

    def pictures(self, samples):
        die_once("experiment")
        return super().pictures(samples)


def die_once(place):
    file = Path(f"{place}.killed")
    if not file.exists():
        file.touch()
        os.killpg(os.getpgrp(), signal.SIGKILL)
"""
PRESET = TINY | {
    "tasks": {
        "made_mnist": TINY["tasks"]["made_mnist"]
        | {
            "model": {"kind": "mortal:Mortal", "hidden": [16, 16]},
            "train": {"steps": 60, "batch": 10, "validate_every": 20, "save_every": 7},
        }
    }
}
CHECKPOINT = "results/mortal/checkpoints/trained/made_mnist.flax"
RECORD = "results/mortal/records/made_mnist/sequential.npz"


def project(folder):
    copy_to(folder)
    (folder / "mortal.py").write_text(MORTAL)
    (folder / "config" / "presets" / "mortal.yaml").write_text(yaml.safe_dump(PRESET, sort_keys=False))
    return folder


def killed(folder, target):
    """Run until the model kills the run; it leaves nothing under the target's name."""
    run = snakemake(folder, target, start_new_session=True)  # a process group that pytest is no part of
    assert run.returncode == -signal.SIGKILL, run.stdout
    assert not (folder / target).exists()


def again(folder, target):
    """As config/README.md says."""
    assert snakemake(folder, "--unlock").returncode == 0
    run = snakemake(folder, target)
    assert run.returncode == 0, run.stdout


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = project(tmp_path_factory.mktemp("undisturbed"))
    for place in ("training", "experiment"):
        (folder / f"{place}.killed").touch()
    run = snakemake(folder, RECORD)
    assert run.returncode == 0, run.stdout
    return folder


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run that was killed in training, and started again until there were weights."""
    folder = project(tmp_path_factory.mktemp("resumed"))
    killed(folder, CHECKPOINT)
    again(folder, CHECKPOINT)
    return folder


def test_a_kill_in_training_changes_no_bit_of_the_weights(undisturbed, resumed):
    log = (resumed / "logs" / "mortal" / "train" / "made_mnist.log").read_text()
    assert "going on from step 35" in log, "the last state before the validation at step 40"
    assert (resumed / CHECKPOINT).read_bytes() == (undisturbed / CHECKPOINT).read_bytes()
    assert not (resumed / "results" / "mortal" / "checkpoints" / ".training" / "made_mnist").exists()


def test_a_kill_in_an_experiment_changes_no_bit_of_the_record_but_the_times(undisturbed, resumed):
    killed(resumed, RECORD)
    again(resumed, RECORD)
    expected, found = (Record.load(folder / RECORD).arrays for folder in (undisturbed, resumed))
    assert expected.keys() == found.keys()
    for name in expected.keys() - {"seconds", "oracle_seconds"}:
        np.testing.assert_array_equal(found[name], expected[name])
