"""`ffc train`: a checkpoint that says where it came from, resumed to the same bytes, and written over nothing."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest
from commands import run
from PIL import Image

from ffc.box.make import history
from ffc.cli import DONE, INTERRUPTED, train
from ffc.cli.main import parser
from ffc.store import checkpoints
from ffc.training import loop

SMALL = ("train", "made", "digits", "--set", "hidden=8,8", "--steps", 30, "--batch", 8, "--validate-every", 10)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Weights of a run that nothing interrupts."""
    path = tmp_path_factory.mktemp("whole") / "whole.flax"
    assert run(*SMALL, "--out", path) == DONE
    return path


def test_what_was_interrupted_goes_on_to_the_same_bytes(whole, ffc, tmp_path, monkeypatch):
    broken, advance, calls = tmp_path / "broken.flax", loop._Run.advance, itertools.count()

    def mortal(self, progress):
        if next(calls) == 2:  # after the second validation
            raise KeyboardInterrupt
        return advance(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "advance", mortal)
        told = ffc(*SMALL, "--out", broken, code=INTERRUPTED).err
    assert "broken.training: holds what is trained so far; the same command goes on" in told
    assert [path.name for path in tmp_path.iterdir()] == ["broken.training"]
    assert "going on from step 20" in ffc(*SMALL, "--out", broken).err
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.flax", "broken.json"]
    meta = checkpoints.load(broken).meta
    told = {"train": {"steps": 30, "batch": 8, "validate_every": 10}, "origin": "trained", "seed": 0}
    told["data"] = {"name": "digits", "title": "scikit-learn digits 8×8"}
    assert told.items() <= meta.items()
    assert meta.keys() >= {"metrics", "curves", "device", "versions"}


def test_weights_that_are_there_are_not_written_over(whole, complaint):
    before = [path.read_bytes() for path in whole.parent.iterdir()]
    line = complaint(*SMALL, "--seed", 1, "--out", whole)
    assert "whole.flax: is there already, and training would replace it; remove it, or name another file" in line
    assert [path.read_bytes() for path in whole.parent.iterdir()] == before


def test_training_begins_with_the_weights_of_another_run_and_counts_its_steps(whole, ffc, tmp_path):
    second = tmp_path / "second.flax"
    ffc(*SMALL, "--start", whole, "--steps", 1, "--learning-rate", 1e-9, "--out", second)
    one, two = (checkpoints.load(path) for path in (whole, second))
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), two.params, one.params)
    assert {name: two.meta["start"][name] for name in ("sha256", "metrics")}.items() <= one.meta.items()
    told, best = history(two.meta), one.meta["metrics"]["best_step"]  # as the box tells it
    assert (told["metrics"]["steps"], told["metrics"]["best_step"]) == (best + 1, best + 1)
    assert told["curves"]["step"] == [*(step for step in one.meta["curves"]["step"] if step <= best), best + 1]
    assert {len(curve) for curve in told["curves"].values()} == {len(told["curves"]["step"])}
    assert history(one.meta)["curves"] == one.meta["curves"]


def test_a_folder_of_pictures_is_a_data_set(tmp_path):
    (tmp_path / "photos").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (10, 9, 12, 3), np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    words = ["train", "made", str(tmp_path / "photos"), "--size", "4", "--out", "photos.flax"]
    dataset = train.images(parser().parse_args(words))
    assert (dataset.title, dataset.shape, len(dataset.train), len(dataset.test)) == ("photos 4×4", (4, 4, 3), 8, 2)


@pytest.mark.stress
def test_a_text_is_trained(ffc, tmp_path):
    out = tmp_path / "text.flax"
    sizes = ("--size", 16, "--set", "levels=128", "--set", "width=16", "--set", "depth=1", "--set", "positions=learned")
    ffc("train", "transformer", "text", *sizes, "--steps", 20, "--batch", 8, "--out", out)
    assert "certified" in ffc("sample", out, "--batch", 1, "--solver", "auto", "--out", tmp_path / "samples.npz").out
