"""One resumable training loop for all models.

Batches and random keys depend on the seed and the step alone, so on a CPU a run that was killed, at any
moment, and started again ends with the weights of one that was not, bit for bit.

A step is one compiled program, and the host only dispatches it: XLA's convolutions on a CPU are five to
ten times slower inside a compiled loop than outside.
"""

import dataclasses
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import serialization
from tqdm import tqdm

from ffc.data import Dataset
from ffc.errors import FFCError
from ffc.models.base import Model, Params
from ffc.records import write_whole

STATE = "state.msgpack"  # the file of a run's state, in its folder
_VALIDATION_IMAGES = 512
_SYNC = 10  # steps that are dispatched before the host waits for their losses

Log = Callable[[str], None]


@dataclass(frozen=True)
class TrainSettings:
    """How to train: a preset's `train:` section. Raises `FFCError` on a value that makes no sense."""

    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    decay: float | str = "cosine"  #: of the learning rate: "cosine" to 0 at the last step, or a factor for each step
    ema: float = 0.999  #: how much of the averaged weights each step keeps (less in the first steps)
    clip: float | None = 1.0  #: largest global norm of a gradient; None: no limit
    validate_every: int = 100
    save_every: int = 500  #: steps between two saved states; every validation saves one too
    max_minutes: float | None = None  #: end at the best weights so far after this time

    def __post_init__(self):
        for name in ("steps", "batch", "validate_every", "save_every"):
            value = getattr(self, name)
            self._require(name, isinstance(value, int) and value >= 1, "a whole number above 0")
        self._require("learning_rate", self._number("learning_rate") > 0, "a number above 0 (write 1.0e-3, not 1e-3)")
        decaying = self.decay == "cosine" or 0 < self._number("decay") <= 1
        self._require("decay", decaying, "cosine, or a factor for each step: above 0, at most 1")
        self._require("ema", 0 <= self._number("ema") < 1, "a number from 0 to below 1")
        for name in ("clip", "max_minutes"):
            self._require(name, getattr(self, name) is None or self._number(name) > 0, "a number above 0, or null")

    @classmethod
    def of(cls, section: dict[str, Any]) -> "TrainSettings":
        """From a preset's `train:` section; `FFCError` names an unknown or missing key."""
        known = [entry.name for entry in dataclasses.fields(cls)]
        if unknown := sorted(section.keys() - set(known)):
            raise FFCError(f"train: unknown key {', '.join(unknown)}; expected {', '.join(known)}")
        if "steps" not in section:
            raise FFCError("train: steps is missing; say how many")
        return cls(**section)

    def rate(self, step: int | jax.Array) -> jax.Array:
        """The learning rate at a step, counted from 0."""
        if self.decay == "cosine":
            return self.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * step / self.steps))
        return self.learning_rate * jnp.float32(self.decay) ** step

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        numeric = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return value if numeric else math.nan

    def _require(self, name: str, holds: bool, expected: str) -> None:
        value = getattr(self, name)
        if not holds or isinstance(value, bool):
            raise FFCError(f"train: {name} is {value!r}; expected {expected}")


@dataclass(frozen=True)
class TrainResult:
    """What a run ends with.

    `params`: the averaged weights that did best on held-out images, finished by the model. `curves`: a row
    for each validation: `step`, `train_loss` (mean since the validation before), `valid_loss`. `metrics`:
    the same for every run with the same seed (unless `max_minutes` ended it); `seconds`: over all its sittings.
    """

    params: Params
    curves: dict[str, list[float]]
    metrics: dict[str, Any]
    seconds: float


def to_standard_error(line: str) -> None:
    """A line of progress, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)


def train(
    model: Model,
    dataset: Dataset,
    settings: TrainSettings,
    seed: int,
    folder: str | os.PathLike,
    log: Log = to_standard_error,
) -> TrainResult:
    """Train `model` by Adam with gradient clipping; its state lives in `folder`, from which it resumes.

    Losses are in `model.unit`; the validation loss is that of the averaged weights on (at most 512 of) the
    test images. A state of another run, or a broken one, is left aside with a line to `log`. Raises
    `FFCError` where the loss is not finite, and where the data do not serve for training.
    """
    run = _Run(model, dataset, settings, seed)
    path = Path(folder) / STATE
    progress = _restore(run, path, log)
    began = time.monotonic() - progress.seconds
    with tqdm(total=settings.steps, initial=progress.step, unit="step", disable=None, file=sys.stderr) as bar:
        while progress.step < settings.steps and progress.seconds < 60 * (settings.max_minutes or math.inf):
            done = run.advance(progress)
            progress.seconds = time.monotonic() - began
            bar.set_postfix(
                loss=f"{progress.losses[-1]:.4f}", rate=f"{settings.rate(progress.step):.1e}", refresh=False
            )
            bar.update(done)
            validating = progress.step % settings.validate_every == 0 or progress.step == settings.steps
            if validating:
                log(run.validate(progress))
            if validating or progress.step % settings.save_every == 0:
                _save(run, path, progress)
    if progress.curves["step"][-1:] != [progress.step]:  # time is up between two validations
        _save(run, path, progress)  # first, so that what follows leaves no trace in a run that goes on
        log(f"{run.validate(progress)}; max_minutes ({settings.max_minutes}) are over")
    return run.result(progress)


@dataclass
class _Progress:
    """All that changes in a run: arrays on the device (`state`, `best`) and plain numbers."""

    state: dict[str, Any]  # params, optimizer, ema
    best: Params
    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    losses: list[float] = field(default_factory=list)  # since the last validation
    curves: dict[str, list[float]] = field(default_factory=lambda: {"step": [], "train_loss": [], "valid_loss": []})


class _Run:
    """What does not change in a run: model, data, settings."""

    def __init__(self, model: Model, dataset: Dataset, settings: TrainSettings, seed: int):
        _check_images(dataset)
        self.model, self.settings, self.seed = model, settings, seed
        self.train = _on_device(dataset.train, dataset.train_labels)
        self.held_out = dataset.test[:_VALIDATION_IMAGES], dataset.test_labels
        self.init_key, self.step_key = jax.random.split(jax.random.key(seed))
        chosen = dataclasses.replace(settings, save_every=1, max_minutes=None)  # neither changes the weights
        facts = [type(model).__module__, repr(model), repr(chosen), repr(seed), dataset.sha256()]
        self.fingerprint = hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def start(self) -> _Progress:
        params = jax.jit(self.model.init)(self.init_key)
        state = {"params": params, "optimizer": _optimizer(self.settings).init(params), "ema": _copy(params)}
        return _Progress(state, best=_copy(params))

    def advance(self, progress: _Progress) -> int:
        """Train to the next point where something is due; returns the number of steps."""
        settings, first = self.settings, progress.step
        due = min(first - first % every + every for every in (_SYNC, settings.validate_every, settings.save_every))
        count = min(due, settings.steps) - first
        batches = batch_order(self.seed, len(self.train[0]), settings.batch, first, count)
        step_once = partial(_step, self.model, settings)
        losses = []
        for step, batch in enumerate(batches, first):
            progress.state, loss = step_once(progress.state, self.step_key, np.int32(step), batch, *self.train)
            losses.append(loss)
        losses = [float(loss) for loss in losses]
        for step, loss in enumerate(losses, first + 1):
            self._check_finite(loss, "training", step)
        progress.losses += losses
        progress.step += count
        return count

    def validate(self, progress: _Progress) -> str:
        """Add a row to the curves and keep the averaged weights if they are the best; what to log."""
        images, labels = self.held_out
        batch = min(self.settings.batch, len(images))
        starts = range(0, len(images) - batch + 1, batch)
        parts = [_on_device(images[i : i + batch], None if labels is None else labels[i : i + batch]) for i in starts]
        valid = float(np.mean([float(_loss(self.model, progress.state["ema"], *part)) for part in parts]))
        self._check_finite(valid, "validation", progress.step)
        if valid < min(progress.curves["valid_loss"], default=math.inf):
            progress.best, progress.best_step = _copy(progress.state["ema"]), progress.step
        row = {"step": progress.step, "train_loss": float(np.mean(progress.losses)), "valid_loss": valid}
        for name, value in row.items():
            progress.curves[name].append(value)
        progress.losses = []
        pace = progress.step / progress.seconds
        return (
            f"step {progress.step}/{self.settings.steps}: {self.model.unit} {row['train_loss']:.4f} in training, "
            f"{valid:.4f} on held-out images; {pace:.1f} steps/s"
        )

    def result(self, progress: _Progress) -> TrainResult:
        params = self.model.finish(progress.best, self.train[0])
        best = progress.curves["step"].index(progress.best_step)
        metrics = {
            "unit": self.model.unit,
            "valid_loss": progress.curves["valid_loss"][best],
            "train_loss": progress.curves["train_loss"][-1],
            "steps": progress.step,
            "best_step": progress.best_step,
        }
        return TrainResult(params, progress.curves, metrics, progress.seconds)

    def _check_finite(self, loss: float, what: str, step: int) -> None:
        if not math.isfinite(loss):
            raise FFCError(
                f"train: the {what} loss is {loss} at step {step}; try a lower learning_rate (it is "
                f"{self.settings.learning_rate}) or a lower clip (it is {self.settings.clip})"
            )


@partial(jax.jit, static_argnames=("model", "settings"), donate_argnames="state")
def _step(model: Model, settings: TrainSettings, state, step_key, step, batch, images, labels):
    """The state after a step, and the loss before it."""
    key = jax.random.fold_in(step_key, step)
    labels = None if labels is None else labels[batch]
    loss, gradient = jax.value_and_grad(model.loss)(state["params"], images[batch], labels, key)
    update, optimizer = _optimizer(settings).update(gradient, state["optimizer"])
    params = optax.apply_updates(state["params"], update)
    # The first steps keep less, so that the random start is soon forgotten.
    keep = jnp.minimum(settings.ema, (1 + step) / (10 + step))
    # In this form what does not change (a mask) stays the same to the last bit.
    ema = jax.tree.map(lambda old, new: old + (1 - keep) * (new - old), state["ema"], params)
    return {"params": params, "optimizer": optimizer, "ema": ema}, loss


@partial(jax.jit, static_argnames="model")
def _loss(model: Model, params: Params, images: jax.Array, labels: jax.Array | None) -> jax.Array:
    return model.loss(params, images, labels)


def _optimizer(settings: TrainSettings) -> optax.GradientTransformation:
    clip = optax.identity() if settings.clip is None else optax.clip_by_global_norm(settings.clip)
    return optax.chain(clip, optax.adam(settings.rate))


def batch_order(seed: int, images: int, batch: int, first: int, count: int) -> np.ndarray:
    """[count, batch] int32: which images the steps `first … first + count` see.

    Epochs follow one another, each in an order of its own that depends on the seed and its number alone.
    """
    positions = np.arange(first * batch, (first + count) * batch)
    epochs = range(positions[0] // images, positions[-1] // images + 1)
    order = np.concatenate([_epoch_order(seed, epoch, images) for epoch in epochs])
    return order[positions - epochs[0] * images].reshape(count, batch)


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(images).astype(np.int32)


def _save(run: _Run, path: Path, progress: _Progress) -> None:
    tree = {"state": progress.state, "best": progress.best}
    numbers = {name: value for name, value in vars(progress).items() if name not in tree}
    content = serialization.to_bytes({"fingerprint": run.fingerprint, "numbers": json.dumps(numbers)} | tree)
    write_whole(path, lambda file: file.write(hashlib.sha256(content).digest() + content))


def _restore(run: _Run, path: Path, log: Log) -> _Progress:
    """The progress that this very run left in `path`, or a fresh start."""
    fresh = run.start()
    try:
        digest, content = (data := path.read_bytes())[:32], data[32:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("its checksum is wrong")
        found = serialization.msgpack_restore(content)
        if found["fingerprint"] != run.fingerprint:
            raise ValueError("it is of another model, data set, seed or other settings")
        target = {"state": fresh.state, "best": fresh.best}
        tree = serialization.from_state_dict(target, {name: found[name] for name in target})
        progress = _Progress(**jax.tree.map(jnp.asarray, tree), **json.loads(found["numbers"]))
    except FileNotFoundError:
        return fresh
    except Exception as error:  # msgpack and flax raise types of their own
        log(f"{path}: cannot go on from this state ({error}); training starts afresh")
        return fresh
    log(f"{path}: going on from step {progress.step}")
    return progress


def _check_images(dataset: Dataset) -> None:
    for part in ("train", "test"):
        images = getattr(dataset, part)
        if not isinstance(images, np.ndarray):
            raise FFCError(f"train: the images of data set {dataset.name!r} differ in size; name a size for them")
        if len(images) == 0:
            raise FFCError(f"train: data set {dataset.name!r} has no {part} images; training needs train and test")


def _on_device(images: np.ndarray, labels: np.ndarray | None) -> tuple[jax.Array, jax.Array | None]:
    return jnp.asarray(images), None if labels is None else jnp.asarray(labels)


def _copy(tree: Params) -> Params:
    return jax.tree.map(jnp.copy, tree)
