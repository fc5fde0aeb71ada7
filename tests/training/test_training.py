"""Training: what a seed determines, what a kill cannot change, what is kept as best, and what is refused."""

import itertools
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.models.base import Batch, Model
from ffc.training import TrainSettings, loop, train
from ffc.training.batches import batch_order
from ffc.training.store import STATE

SETTINGS = {"steps": 60, "batch": 16, "learning_rate": 0.02, "validate_every": 20, "save_every": 7}


@dataclass(frozen=True)
class Linear(Model):
    """Softmax regression with a mask on the weights and dropout on the pixels."""

    classes: int = 3
    keep: float = 0.9
    explode: bool = False

    kind: ClassVar[str] = "linear"
    unit: ClassVar[str] = "nats"

    def init(self, key):
        weight = 0.1 * jax.random.normal(key, (16, self.classes))
        return {"weight": weight, "bias": jnp.zeros(self.classes), "mask": jnp.float32(jnp.arange(16) % 4 != 3)}

    def loss(self, params, batch):
        x = batch.images.reshape(len(batch.images), -1) / 255
        if batch.key is not None:
            x = x * jax.random.bernoulli(batch.key, self.keep, x.shape) / self.keep
        weight = params["weight"] * jax.lax.stop_gradient(params["mask"])[:, None]
        logits = (x.astype(batch.dtype) @ weight.astype(batch.dtype)).astype(jnp.float32) + params["bias"]
        loss = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), batch.labels[:, None], axis=1))
        return loss / jnp.where(jnp.abs(params["bias"]).max() > 0.05, 0.0, 1.0) if self.explode else loss


@pytest.fixture(scope="module")
def dataset():
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, 150).astype(np.int32)
    images = draws.integers(0, 120, (150, 4, 4, 1)).astype(np.uint8)
    images[np.arange(150), labels, labels] += 120
    return Dataset("toy", "Toy", images[:100], images[100:], labels[:100], labels[100:], 3)


def run(dataset, folder, model=None, seed=0, log=lambda line: None, compiled=False, **changes):
    return train(model or Linear(), dataset, TrainSettings.of(SETTINGS | changes), seed, folder, log, compiled)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(dataset, finished):
    """A run that nothing interrupts, in the folder `finished`."""
    return run(dataset, finished)


def assert_same(result, other):
    jax.tree.map(np.testing.assert_array_equal, result.params, other.params)
    assert (result.curves, result.metrics) == (other.curves, other.metrics)


def test_a_run_learns_and_reports_its_curves(dataset, whole):
    curves, metrics = whole.curves, whole.metrics
    assert curves["step"] == [20, 40, 60]
    assert (metrics["unit"], metrics["steps"]) == ("nats", 60)
    assert metrics["valid_loss"] == min(curves["valid_loss"]) < 0.9 * np.log(3)
    assert metrics["train_loss"] == curves["train_loss"][-1] < curves["train_loss"][0]
    np.testing.assert_array_equal(whole.params["mask"], Linear().init(jax.random.key(0))["mask"])


def test_a_seed_determines_the_run_which_is_run_once(dataset, whole, tmp_path, monkeypatch):
    assert_same(run(dataset, tmp_path / "again"), whole)
    other = run(dataset, tmp_path / "other", seed=1)
    assert not np.array_equal(other.params["weight"], whole.params["weight"])
    monkeypatch.setattr(loop._Run, "advance", None)
    assert_same(run(dataset, tmp_path / "again"), whole)


def test_an_interval_of_steps_is_one_program_that_trains_as_single_ones_do(dataset, whole, tmp_path, monkeypatch):
    begun = []
    for name, program in {name: getattr(loop.steps, name) for name in ("interval", "single_step")}.items():
        monkeypatch.setattr(loop.steps, name, lambda *at, n=name, run=program: begun.append(n) or run(*at))
    assert_same(run(dataset, tmp_path, compiled=True), whole)
    two, seven, four = ["interval"] * 2, ["single_step"] * 7, ["single_step"] * 4
    assert begun == two + seven + two + seven + two + four, "what is left before steps 20, 21, 40, 42 and 60"


KILLS = [(loop._Run, "advance", calls) for calls in (1, 2, 3, 4, 9, 11)]  # after steps 7, 14, 20, 21, 49 and 60


@pytest.mark.parametrize(("place", "name", "calls"), [*KILLS, (os, "fsync", 3)])  # and before a state has its name
@pytest.mark.parametrize("compiled", [False, True], ids=["single steps", "intervals"])
def test_a_run_killed_at_any_step_ends_with_the_same_bits(dataset, whole, tmp_path, place, name, calls, compiled):
    original, count, lines = getattr(place, name), itertools.count(1), []

    def mortal(*arguments):
        result = original(*arguments)
        if next(count) == calls:
            raise KeyboardInterrupt
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, mortal)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, tmp_path, compiled=compiled)
    assert [path.name for path in tmp_path.iterdir()] == [STATE] * (calls > 1), "the first state is saved at step 7"
    assert_same(run(dataset, tmp_path, log=lines.append, compiled=compiled), whole)
    assert ("going on from step" in lines[0]) == (calls > 1)


def test_each_step_drops_other_pixels(dataset, tmp_path):
    """Images are alike here, and weights stay as they are."""
    alike = replace(dataset, train=np.full_like(dataset.train, 99), train_labels=np.zeros_like(dataset.train_labels))
    settings = {"steps": 4, "learning_rate": 1e-9}
    runs = (run(alike, tmp_path / str(every), **settings, validate_every=every) for every in (1, 2))
    losses, pairs = (result.curves["train_loss"] for result in runs)
    assert len({round(loss, 5) for loss in losses}) == 4
    assert pairs == pytest.approx(np.reshape(losses, (2, 2)).mean(axis=1)), "means since the validation before"


def test_a_time_budget_ends_a_run_that_can_go_on_to_the_same_bits(dataset, whole, tmp_path, capsys, monkeypatch):
    """The bar is for terminals alone."""
    short = run(dataset, tmp_path, max_minutes=1e-9)
    assert short.metrics["steps"] < 20, "it ended before the first validation, and yet has a result"
    assert (short.curves["valid_loss"], capsys.readouterr().err) == ([short.metrics["valid_loss"]], "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert_same(run(dataset, tmp_path), whole)
    assert re.search(r"60/60 \[.+, .+step/s, loss=\d\.\d{4}, rate=0\.0e\+00\]", capsys.readouterr().err)


def test_a_state_belongs_to_all_that_decides_its_bits(dataset):
    def fingerprint(data=dataset, model=None, seed=0, start=None, **changes):
        return loop._Run(model or Linear(), data, TrainSettings.of(SETTINGS | changes), seed, False, start).fingerprint

    own, other = Linear().init(jax.random.key(0)), replace(dataset, train=dataset.train ^ 1)
    changes = [{"seed": 1}, {"model": Linear(keep=0.5)}, {"data": other}, {"start": own}]
    changes += [{"start": own | {"bias": jnp.ones(3)}}, {"learning_rate": 0.01}, {"steps": 80}, {"batch": 8}]
    changes += [{"precision": "bfloat16"}, {"validate_every": 10}]  # which weights are kept
    prints = [fingerprint(**change) for change in [{}, *changes]]
    assert len(set(prints)) == len(prints)
    assert {fingerprint(save_every=9), fingerprint(max_minutes=1.0)} == {prints[0]}


def test_a_state_that_is_broken_or_of_another_run_is_left_aside(dataset, whole, finished, tmp_path):
    path, whole_state, lines = tmp_path / STATE, (finished / STATE).read_bytes(), []
    run(dataset, tmp_path, seed=1)
    assert_same(run(dataset, tmp_path, log=lines.append), whole)
    path.write_bytes(whole_state[:-200] + b"x" + whole_state[-199:])
    assert_same(run(dataset, tmp_path, log=lines.append), whole)
    left = [line for line in lines if line.startswith(f"{path}: cannot go on from this state")]
    assert [word in line for word, line in zip(("another model, data set, seed", "checksum"), left, strict=True)] == [
        True
    ] * 2


def test_the_result_is_the_best_so_far_not_the_last(dataset, tmp_path):
    """A rate that is far too high makes the later weights worse on held-out images."""
    result = run(dataset, tmp_path, learning_rate=3.0, decay=1.0, clip=None, ema=0.0, validate_every=4)
    losses = result.curves["valid_loss"]
    assert result.metrics["valid_loss"] == min(losses) < losses[-1]
    assert result.metrics["best_step"] == result.curves["step"][int(np.argmin(losses))]


def test_few_images_choose_the_weights_all_measure_them_and_the_model_finishes_them(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_VALIDATION_IMAGES", 20)
    monkeypatch.setattr(Linear, "finish", lambda self, params, images: params | {"images": jnp.float32(len(images))})
    result = run(dataset, tmp_path)
    assert result.params["images"] == len(dataset.train)
    images, labels = jnp.asarray(dataset.test), jnp.asarray(dataset.test_labels)
    for name, count in (("valid_loss", 20), ("test_loss", 50)):
        expected = Linear().loss(result.params, Batch(images[:count], labels[:count]))
        assert result.metrics[name] == pytest.approx(float(expected), rel=1e-5)


def test_training_in_bfloat16_learns_float32_weights(dataset, whole, tmp_path):
    result = run(dataset, tmp_path, precision="bfloat16")
    losses = result.curves["valid_loss"]
    assert losses[0] > losses[-1] == pytest.approx(whole.curves["valid_loss"][-1], rel=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(result.params)} == {jnp.dtype(jnp.float32)}
    assert not np.array_equal(result.params["weight"], whole.params["weight"])


def test_a_step_is_adam_on_a_clipped_gradient_at_a_decaying_rate_and_weights_are_averaged(dataset, tmp_path):
    """Four steps beside the formulas in NumPy; without dropout, for it draws random numbers."""
    steps, clip, ema, model = 4, 0.1, 0.2, Linear(keep=1.0)
    result = run(dataset, tmp_path, model, steps=steps, clip=clip, ema=ema)
    weights, tree = ravel_pytree(model.init(jax.random.split(jax.random.key(0))[0]))
    gradient = jax.jit(jax.grad(lambda weights, batch: model.loss(tree(weights), batch)))
    average, first, second = weights, np.zeros_like(weights), np.zeros_like(weights)
    for step, batch in enumerate(batch_order(0, 100, SETTINGS["batch"], 0, steps)):
        slope = np.asarray(gradient(weights, Batch(dataset.train[batch], dataset.train_labels[batch])))
        assert np.linalg.norm(slope) > clip
        slope = slope * clip / np.linalg.norm(slope)
        rate = SETTINGS["learning_rate"] * (1 + np.cos(np.pi * step / steps)) / 2
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        corrected = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        weights = weights - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
        kept = min(ema, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * weights
    np.testing.assert_allclose(ravel_pytree(result.params)[0], average, rtol=1e-3, atol=1e-5)
    settings = TrainSettings(steps=100, learning_rate=2.0, decay=0.99)
    assert [float(settings.rate(step)) for step in (0, 50)] == pytest.approx([2, 2 * 0.99**50])


def test_batches_run_through_every_image_once_an_epoch():
    """Each epoch, and each seed, in an order of its own; a batch may hold several."""
    whole = batch_order(seed=3, images=10, batch=4, first=0, count=10)
    np.testing.assert_array_equal(np.sort(whole.reshape(4, 10), axis=1), np.tile(np.arange(10), (4, 1)))
    orders = [*whole.reshape(4, 10), batch_order(seed=4, images=10, batch=10, first=0, count=1)[0]]
    assert len({tuple(order) for order in orders}) == 5
    np.testing.assert_array_equal(batch_order(seed=3, images=10, batch=4, first=6, count=3), whole[6:9])
    assert batch_order(seed=3, images=2, batch=5, first=1, count=1).shape == (1, 5)


NONSENSE = [("steps", 1.5), ("batch", True), ("validate_every", 0), ("learning_rate", "1e-3"), ("ema", 1), ("ema", -1)]
NONSENSE += [("learning_rate", float("nan")), ("decay", 1.1), ("precision", "float16"), ("clip", 0)]
REFUSED = [({"steps": 3, name: value}, f"{name} is {value!r}; expected ") for name, value in NONSENSE]
REFUSED += [({"steps": 3, "step": 3}, "unknown key step; expected steps, batch"), ({}, "steps is missing")]


def test_settings_that_make_no_sense_are_named():
    for section, message in REFUSED:
        with pytest.raises(FFCError, match=re.escape(f"train: {message}")):
            TrainSettings.of(section)


def test_data_that_cannot_be_trained_on_and_a_loss_that_is_not_finite_are_named(dataset, tmp_path):
    none, unequal = np.zeros((0, 4, 4, 1), np.uint8), (np.zeros((4, 5, 1), np.uint8),)
    for part, images, words in (("train", none, "no train"), ("test", none, "no test"), ("test", unequal, "differ in")):
        with pytest.raises(FFCError, match=f"'toy'.*{words}"):
            run(replace(dataset, **{part: images}), tmp_path)
    with pytest.raises(FFCError, match=r"training loss is inf at step \d+; try a lower learning_rate \(it is 0.02\)"):
        run(dataset, tmp_path, model=Linear(explode=True))
