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

    def count(name, program):
        return lambda *arguments: begun.append(name) or program(*arguments)

    for name in ("interval", "single_step"):
        monkeypatch.setattr(loop.steps, name, count(name, getattr(loop.steps, name)))
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
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert re.search(r"60/60 \[.+, .+step/s, loss=\d\.\d{4}, rate=0\.0e\+00\]", last)


def test_a_state_belongs_to_all_that_decides_its_bits(dataset):
    def fingerprint(data=dataset, model=None, seed=0, start=None, **changes):
        return loop._Run(model or Linear(), data, TrainSettings.of(SETTINGS | changes), seed, False, start).fingerprint

    images, own = dataset.train.copy(), Linear().init(jax.random.key(0))
    images[0, 0, 0, 0] ^= 1
    others = [{"seed": 1}, {"model": Linear(keep=0.5)}, {"data": replace(dataset, train=images)}, {"start": own}]
    others += [{"start": own | {"bias": jnp.ones(3)}}, {"learning_rate": 0.01}, {"steps": 80}, {"batch": 8}]
    others += [{"precision": "bfloat16"}, {"validate_every": 10}]  # which weights are kept
    prints = [fingerprint(**changes) for changes in [{}, *others]]
    assert len(set(prints)) == len(prints)
    assert {fingerprint(), fingerprint(save_every=9), fingerprint(max_minutes=1.0)} == {prints[0]}


@pytest.mark.parametrize("harm", ["flipped", "another seed's"])
def test_a_state_that_is_broken_or_of_another_run_is_left_aside(dataset, whole, finished, tmp_path, harm):
    data, path, lines = (finished / STATE).read_bytes(), tmp_path / STATE, []
    if harm == "flipped":
        path.write_bytes(data[:-200] + b"x" + data[-199:])
    else:
        run(dataset, tmp_path, seed=1)
    assert_same(run(dataset, tmp_path, log=lines.append), whole)
    told = "cannot go on from this" if harm == "flipped" else "another model, data set, seed or other settings"
    assert told in lines[0]
    assert str(path) in lines[0]


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
    params = jax.device_get(model.init(jax.random.split(jax.random.key(0))[0]))
    gradient, names = jax.jit(jax.grad(model.loss)), ("weight", "bias")
    first, second = ({name: np.zeros_like(params[name]) for name in names} for _ in range(2))
    average = {name: params[name] for name in names}
    for step, batch in enumerate(batch_order(0, 100, SETTINGS["batch"], 0, steps)):
        slope = jax.device_get(gradient(params, Batch(dataset.train[batch], dataset.train_labels[batch])))
        norm = np.sqrt(sum(np.sum(slope[name] ** 2) for name in names))
        assert norm > clip
        rate = SETTINGS["learning_rate"] * (1 + np.cos(np.pi * step / steps)) / 2
        kept = min(ema, (1 + step) / (10 + step))
        for name in names:
            slope[name] = slope[name] * clip / norm
            first[name] = 0.9 * first[name] + 0.1 * slope[name]
            second[name] = 0.999 * second[name] + 0.001 * slope[name] ** 2
            corrected = first[name] / (1 - 0.9 ** (step + 1)), second[name] / (1 - 0.999 ** (step + 1))
            params[name] = params[name] - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
            average[name] = kept * average[name] + (1 - kept) * params[name]
    for name in names:
        np.testing.assert_allclose(result.params[name], average[name], rtol=1e-3, atol=1e-5)
    settings = TrainSettings(steps=100, learning_rate=2.0, decay=0.99)
    assert [float(settings.rate(step)) for step in (0, 50)] == pytest.approx([2, 2 * 0.99**50])


def test_batches_run_through_every_image_once_an_epoch():
    whole = batch_order(seed=3, images=10, batch=4, first=0, count=10)
    epochs = whole.reshape(4, 10)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(10), (4, 1)))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], batch_order(seed=4, images=10, batch=10, first=0, count=1)[0])
    np.testing.assert_array_equal(batch_order(seed=3, images=10, batch=4, first=6, count=3), whole[6:9])
    assert batch_order(seed=3, images=2, batch=5, first=1, count=1).shape == (1, 5), "a batch may hold epochs"


NONSENSE = [("steps", 1.5), ("batch", True), ("validate_every", 0), ("save_every", 0), ("learning_rate", "1e-3")]
NONSENSE += [("learning_rate", float("nan")), ("learning_rate", 0), ("decay", 1.1), ("decay", 0), ("ema", 1)]
NONSENSE += [("ema", -1), ("precision", "float16"), ("clip", 0), ("max_minutes", 0)]
REFUSED = [({"steps": 3, name: value}, f"{name} is {value!r}; expected ") for name, value in NONSENSE]
REFUSED += [({"steps": 3, "step": 3}, "unknown key step; expected steps, batch"), ({}, "steps is missing")]


@pytest.mark.parametrize(("section", "message"), REFUSED)
def test_settings_that_make_no_sense_are_named(section, message):
    with pytest.raises(FFCError, match=re.escape(f"train: {message}")):
        TrainSettings.of(section)


def test_data_that_cannot_be_trained_on_and_a_loss_that_is_not_finite_are_named(dataset, tmp_path):
    none, unequal = np.zeros((0, 4, 4, 1), np.uint8), (np.zeros((4, 5, 1), np.uint8),)
    for part, images, words in (("train", none, "no train"), ("test", none, "no test"), ("test", unequal, "differ in")):
        with pytest.raises(FFCError, match=f"'toy'.*{words}"):
            run(replace(dataset, **{part: images}), tmp_path)
    with pytest.raises(FFCError, match=r"training loss is inf at step \d+; try a lower learning_rate \(it is 0.02\)"):
        run(dataset, tmp_path, model=Linear(explode=True))
