"""`kill -9` of a whole run, anywhere: the same command again ends with the same bits."""

import signal

import forks
import pytest
from tiny import MADE, TINY, add_presets, copy_to, snakemake

from .kills import differ, differences, run_and_kill

pytestmark = pytest.mark.stress

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


def dies_and_goes_on(folder, target):
    """Run until the model kills the run, which leaves nothing half-written; then again, as config/README.md says."""
    snakemake(folder, target, code=-signal.SIGKILL)
    assert not (folder / target).exists()
    forks.snakemake(folder, "--unlock")
    snakemake(folder, target)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The tiny preset, killed in training, and run again until there are weights."""
    folder = copy_to(tmp_path_factory.mktemp("mortal"))
    (folder / "mortal.py").write_text(MORTAL)
    add_presets(folder, tiny=PRESET)
    dies_and_goes_on(folder, CHECKPOINT)
    return folder


@pytest.fixture(scope="module")
def sampled(trained):
    """The same folder, killed in its first experiment, and run again until there is a record."""
    dies_and_goes_on(trained, RECORD)
    return trained


def test_a_kill_in_training_changes_no_bit_of_the_weights(finished, trained):
    log = (trained / "logs" / "tiny" / "train" / "made_mnist.log").read_text()
    assert "going on from step 35" in log, "the last state before the validation at step 40"
    assert (trained / CHECKPOINT).read_bytes() == (finished / CHECKPOINT).read_bytes()


def test_a_kill_in_an_experiment_changes_no_bit_of_the_record(finished, sampled):
    assert differ(RECORD, finished, sampled) == []
    assert not (sampled / "results" / "tiny" / "checkpoints" / ".training" / "made_mnist").exists()


def test_kills_at_moments_over_a_whole_run_change_no_bit_of_its_results(request, tmp_path):
    """By default what is left of the run above; `--preset quick --kills 20` is a whole run, and takes its time."""
    preset, count, seed = map(request.config.getoption, ("preset", "kills", "seed"))
    if preset == "tiny":
        undisturbed, disturbed = map(request.getfixturevalue, ("finished", "sampled"))
    else:
        undisturbed, disturbed = copy_to(tmp_path / "undisturbed"), copy_to(tmp_path / "disturbed")
        snakemake(undisturbed, preset)
    run_and_kill(disturbed, preset, count, seed)
    assert differences(undisturbed, disturbed, preset) == []
