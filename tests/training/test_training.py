"""Training: what a seed determines, what a kill cannot change, what is kept as best, and what is refused."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.models.base import Model
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
        mask = (jnp.arange(16) % 4 != 3).astype(jnp.float32)
        return {
            "weight": 0.1 * jax.random.normal(key, (16, self.classes)),
            "bias": jnp.zeros(self.classes),
            "mask": mask,
        }

    def loss(self, params, images, labels, key=None, dtype=jnp.float32):
        x = images.reshape(len(images), -1) / 255
        if key is not None:
            x = x * jax.random.bernoulli(key, self.keep, x.shape) / self.keep
        weight = params["weight"] * jax.lax.stop_gradient(params["mask"])[:, None]
        logits = (x.astype(dtype) @ weight.astype(dtype)).astype(jnp.float32) + params["bias"]
        loss = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))
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
def whole(dataset, tmp_path_factory):
    """A run that nothing interrupts."""
    return run(dataset, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def whole_by_intervals(dataset, tmp_path_factory):
    """The same, its steps compiled into programs of seven: as on an accelerator."""
    return run(dataset, tmp_path_factory.mktemp("intervals"), compiled=True)


def assert_same(result, other):
    jax.tree.map(np.testing.assert_array_equal, result.params, other.params)
    assert result.curves == other.curves
    assert result.metrics == other.metrics


def kill(monkeypatch, step: int):
    """Interrupt the run as soon as `step` steps are done."""

    def advance(self, progress, original=loop._Run.advance):
        count = original(self, progress)
        if progress.step >= step:
            raise KeyboardInterrupt
        return count

    monkeypatch.setattr(loop._Run, "advance", advance)


def test_a_run_learns_and_reports_its_curves(dataset, whole):
    curves, metrics = whole.curves, whole.metrics
    assert curves["step"] == [20, 40, 60]
    assert metrics["unit"] == "nats"
    assert metrics["steps"] == 60
    assert metrics["valid_loss"] == min(curves["valid_loss"]) < 0.9 * np.log(3)
    assert metrics["train_loss"] == curves["train_loss"][-1] < curves["train_loss"][0]
    assert metrics["test_loss"] == metrics["valid_loss"], "the test images are few: all of them validate"
    images, labels = jnp.asarray(dataset.test), jnp.asarray(dataset.test_labels)
    assert float(Linear().loss(whole.params, images, labels)) == pytest.approx(metrics["valid_loss"], rel=1e-5)


def test_a_seed_determines_the_run(dataset, whole, tmp_path):
    assert_same(run(dataset, tmp_path / "again"), whole)
    other = run(dataset, tmp_path / "other", seed=1)
    assert not np.array_equal(other.params["weight"], whole.params["weight"])


def test_steps_compiled_into_one_program_train_as_single_ones_do(whole, whole_by_intervals):
    assert_same(whole_by_intervals, whole)


def test_an_interval_is_one_program_and_what_is_left_are_single_steps(dataset, tmp_path, monkeypatch):
    started = []

    def count(name, program):
        return lambda *arguments: started.append(name) or program(*arguments)

    for name in ("interval", "single_step"):
        monkeypatch.setattr(loop.steps, name, count(name, getattr(loop.steps, name)))
    run(dataset, tmp_path, compiled=True, validate_every=20, save_every=50)
    assert started == ["interval"] * 2 + ["single_step"] * 20


@pytest.mark.parametrize("compiled", [False, True], ids=["single steps", "intervals"])
@pytest.mark.parametrize("step", [1, 8, 13, 20, 41, 59])
def test_a_run_killed_at_any_step_ends_with_the_same_bits(dataset, whole, tmp_path, step, compiled):
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, step)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, tmp_path, compiled=compiled)
    lines = []
    assert_same(run(dataset, tmp_path, log=lines.append, compiled=compiled), whole)
    assert ("going on from step" in lines[0]) == (step > 7), "the first state is saved at step 7"


def test_a_run_killed_while_it_writes_its_state_ends_with_the_same_bits(dataset, whole, tmp_path, monkeypatch):
    def replace(self, target, original=Path.replace, left=[3]):  # noqa: B006
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return original(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]
    assert_same(run(dataset, tmp_path), whole)


def test_the_bar_is_for_terminals_alone(dataset, tmp_path, monkeypatch, capsys):
    run(dataset, tmp_path / "log")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run(dataset, tmp_path / "terminal")
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert re.search(r"60/60 \[.+, .+step/s, loss=\d\.\d{4}, rate=0\.0e\+00\]", last)


def test_a_finished_run_is_not_run_again(dataset, whole, tmp_path):
    run(dataset, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, 0)
        assert_same(run(dataset, tmp_path), whole)


def test_a_time_budget_ends_a_run_that_can_go_on_to_the_same_bits(dataset, whole, tmp_path):
    short = run(dataset, tmp_path, max_minutes=1e-9)
    assert short.metrics["steps"] < 20, "it ended before the first validation, and yet has a result"
    assert short.curves["valid_loss"] == [short.metrics["valid_loss"]]
    assert_same(run(dataset, tmp_path), whole)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"learning_rate": 0.01}, {"steps": 80}, {"model": Linear(keep=0.5)}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_state_of_another_run_is_left_aside(dataset, tmp_path, changes):
    run(dataset, tmp_path / "shared")
    lines = []
    result = run(dataset, tmp_path / "shared", log=lines.append, **changes)
    assert "another model, data set, seed or other settings" in lines[0]
    assert_same(result, run(dataset, tmp_path / "fresh", **changes))


def test_the_state_of_another_data_set_is_left_aside(dataset, tmp_path):
    run(dataset, tmp_path)
    lines, images = [], dataset.train.copy()
    images[0, 0, 0, 0] ^= 1
    changed = Dataset("toy", "Toy", images, dataset.test, dataset.train_labels, dataset.test_labels, 3)
    run(changed, tmp_path, log=lines.append)
    assert "another model, data set" in lines[0]


@pytest.mark.parametrize(
    "break_it",
    [lambda data: data[:-9], lambda data: b"", lambda data: data[:-200] + b"x" + data[-199:]],
    ids=["truncated", "empty", "flipped"],
)
def test_a_broken_state_is_left_aside(dataset, whole, tmp_path, break_it):
    run(dataset, tmp_path)
    path = tmp_path / STATE
    path.write_bytes(break_it(path.read_bytes()))
    lines = []
    assert_same(run(dataset, tmp_path, log=lines.append), whole)
    assert "cannot go on from this state" in lines[0]
    assert STATE in lines[0]


def test_the_result_is_the_best_so_far_not_the_last(dataset, tmp_path):
    """A rate that is far too high makes the later weights worse on held-out images."""
    result = run(dataset, tmp_path, learning_rate=3.0, decay=1.0, clip=None, ema=0.0, validate_every=1)
    losses = result.curves["valid_loss"]
    assert result.metrics["valid_loss"] == min(losses) < losses[-1]
    assert result.metrics["best_step"] == result.curves["step"][int(np.argmin(losses))]


def test_few_images_choose_the_weights_and_all_measure_them(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_VALIDATION_IMAGES", 20)
    result = run(dataset, tmp_path, batch=16)
    images, labels = jnp.asarray(dataset.test), jnp.asarray(dataset.test_labels)
    for name, count in (("valid_loss", 20), ("test_loss", 50)):
        expected = Linear().loss(result.params, images[:count], labels[:count])
        assert result.metrics[name] == pytest.approx(float(expected), rel=1e-5)


def test_training_in_bfloat16_learns_float32_weights(dataset, whole, tmp_path):
    result = run(dataset, tmp_path, precision="bfloat16")
    losses = result.curves["valid_loss"]
    assert losses[-1] < losses[0]
    assert losses[-1] == pytest.approx(whole.curves["valid_loss"][-1], rel=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(result.params)} == {jnp.dtype(jnp.float32)}
    assert not np.array_equal(result.params["weight"], whole.params["weight"])


def test_a_mask_stays_the_same_to_the_last_bit(dataset, whole):
    np.testing.assert_array_equal(whole.params["mask"], Linear().init(jax.random.key(0))["mask"])


def test_without_averaging_or_clipping_a_step_is_adam(dataset, tmp_path):
    """One step of Adam moves every weight with a gradient by the learning rate."""
    result = run(dataset, tmp_path, steps=1, ema=0.0, clip=None, decay=1.0)
    start = Linear().init(loop._Run(Linear(), dataset, TrainSettings.of(SETTINGS), 0, False).init_key)
    moved = np.abs(np.asarray(result.params["bias"] - start["bias"]))
    assert moved == pytest.approx(SETTINGS["learning_rate"], rel=1e-3)


@pytest.mark.parametrize(
    ("decay", "rates"), [("cosine", [1.0, 0.5, 0.0]), (0.99, [1.0, 0.99**50, 0.99**100]), (1.0, [1.0, 1.0, 1.0])]
)
def test_the_learning_rate_decays(decay, rates):
    settings = TrainSettings(steps=100, learning_rate=1.0, decay=decay)
    assert [float(settings.rate(step)) for step in (0, 50, 100)] == pytest.approx(rates, abs=1e-6)


def test_batches_run_through_every_image_once_an_epoch():
    whole = batch_order(seed=3, images=10, batch=4, first=0, count=10)
    epochs = whole.reshape(4, 10)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(10), (4, 1)))
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(batch_order(seed=3, images=10, batch=4, first=6, count=3), whole[6:9])
    assert batch_order(seed=3, images=2, batch=5, first=1, count=1).shape == (1, 5), "a batch may hold epochs"


def test_the_model_finishes_the_chosen_weights(dataset, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(Linear, "finish", lambda self, params, images: params | {"seen": images.shape})
    result = run(dataset, tmp_path)
    assert result.params.pop("seen") == dataset.train.shape
    assert_same(result, whole)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_when(dataset, tmp_path):
    with pytest.raises(FFCError, match=r"training loss is inf at step \d+; try a lower learning_rate \(it is 0.02\)"):
        run(dataset, tmp_path, model=Linear(explode=True))
