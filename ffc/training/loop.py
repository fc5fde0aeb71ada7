"""The loop: train up to where something is due, validate, save; one run of it, from its start or its last state.

On an accelerator, the steps between two points where something is due are one compiled program, which waits
for the host only at its end. On a CPU the host dispatches step by step: XLA's convolutions there are five to
ten times slower inside a compiled loop than outside. Both run the same step; sums may differ in the last bits.
"""

import dataclasses
import hashlib
import math
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ffc.core.errors import FFCError
from ffc.core.keys import key_of, reproducible
from ffc.data import Dataset
from ffc.models.base import Batch, Model, Params
from ffc.training import step as steps
from ffc.training.batches import batch_order, whole
from ffc.training.evaluate import mean_loss
from ffc.training.settings import TrainSettings
from ffc.training.store import STATE, Log, Progress, restore, save

_VALIDATION_IMAGES = 512
#: Most steps before the host waits for their losses: compiled into one program, or dispatched one by one.
_COMPILED, _DISPATCHED = 100, 10


@dataclass(frozen=True)
class TrainResult:
    """What a run ends with.

    `params`: the averaged weights that did best on held-out images, finished by the model. `curves`: a row
    for each validation: `step`, `train_loss` (mean since the validation before), `valid_loss` (of the first 512
    test images, enough to choose by). `metrics`: the same for every run with the same seed (unless `max_minutes`
    ended it); its `test_loss` is that of `params` on all test images. `seconds`: over all its sittings.
    """

    params: Params
    curves: dict[str, list[float]]
    metrics: dict[str, Any]
    seconds: float


def to_standard_error(line: str) -> None:
    """Print a line of progress, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)


@reproducible
def train(
    model: Model,
    dataset: Dataset,
    settings: TrainSettings,
    seed: int,
    folder: str | os.PathLike,
    log: Log = to_standard_error,
    compiled: bool | None = None,
    start: Params | None = None,
) -> TrainResult:
    """Train `model` by Adam with gradient clipping; its state lives in `folder`, from which it resumes.

    Losses are in `model.unit`; `start`: weights to begin with (None: fresh ones); `compiled`: whether many steps are
    one program (None: on all devices but a CPU). A state of another run, or a broken one, is left aside with a line to
    `log`. Raises `FFCError` where the loss is not finite, and where the data or `start` do not serve for training.
    """
    compiled = jax.default_backend() != "cpu" if compiled is None else compiled
    run = _Run(model, dataset, settings, seed, compiled, start)
    path = Path(folder) / STATE
    progress = restore(path, run.fingerprint, run.start(), log)
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
                save(path, run.fingerprint, progress)
    if progress.curves["step"][-1:] != [progress.step]:  # time is up between two validations
        save(path, run.fingerprint, progress)  # first, so that what follows leaves no trace in a run that goes on
        log(f"{run.validate(progress)}; max_minutes ({settings.max_minutes}) are over")
    return run.result(progress)


class _Run:
    """What does not change in a run: model, data, settings."""

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        settings: TrainSettings,
        seed: int,
        compiled: bool,
        initial: Params | None = None,
    ):
        _check_images(dataset)
        for images in (dataset.train, dataset.test):
            model.check_images(cast(np.ndarray, images))
        self.initial = initial
        self.model, self.settings, self.seed, self.compiled = model, settings, seed, compiled
        due = settings.validate_every, settings.save_every, settings.steps
        self.interval = min(_COMPILED, *due) if compiled else _DISPATCHED
        self.init_key, step_key = jax.random.split(key_of(seed))
        train = dataclasses.replace(whole(dataset, "train"), key=step_key, dtype=settings.dtype)
        self.train, self.test = jax.tree.map(jnp.asarray, train), whole(dataset, "test")
        chosen = dataclasses.replace(settings, save_every=1, max_minutes=None)  # neither changes the weights
        facts = [type(model).__module__, repr(model), repr(chosen), repr(seed), dataset.sha256()]
        if initial is not None:
            model.check(initial)
            facts += [np.asarray(leaf).tobytes().hex() for leaf in jax.tree.leaves(initial)]
        self.fingerprint = hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def start(self) -> Progress:
        state = steps.start(self.model, self.settings, self.init_key, self.initial)
        return Progress(state, best=steps.copy(state["params"]))

    def advance(self, progress: Progress) -> int:
        """Train an interval, or less to the next point where something is due; returns the number of steps."""
        settings, first = self.settings, progress.step
        due = [first - first % every + every for every in (settings.validate_every, settings.save_every)]
        count = min(first + self.interval, *due, settings.steps) - first
        batches = batch_order(self.seed, len(self.train.images), settings.batch, first, count)
        # A shorter stretch goes step by step: an interval of each length would be one more program to compile.
        run = self._as_one if self.compiled and count == self.interval else self._one_by_one
        losses = run(progress, batches)
        for step, loss in enumerate(losses, first + 1):
            self._check_finite(loss, "training", step)
        progress.losses += losses
        progress.step += count
        return count

    def _as_one(self, progress: Progress, batches: np.ndarray) -> list[float]:
        """Return the losses of the steps that see `batches`; waits for the device once."""
        program = partial(steps.interval, self.model, self.settings)
        first = np.int32(progress.step)
        progress.state, losses = program(progress.state, self.train, first, batches)
        return losses.tolist()

    def _one_by_one(self, progress: Progress, batches: np.ndarray) -> list[float]:
        program = partial(steps.single_step, self.model, self.settings)
        losses = []
        for step, batch in enumerate(batches, progress.step):
            progress.state, loss = program(progress.state, self.train, np.int32(step), batch)
            losses.append(loss)
        return [float(loss) for loss in losses]

    def validate(self, progress: Progress) -> str:
        """Add a row to the curves and keep the averaged weights if they are the best; what to log."""
        valid = self._test_loss(self._finished(progress.state["ema"]), self.test[:_VALIDATION_IMAGES])
        self._check_finite(valid, "validation", progress.step)
        if valid < min(progress.curves["valid_loss"], default=math.inf):
            progress.best, progress.best_step = steps.copy(progress.state["ema"]), progress.step
        row = {"step": progress.step, "train_loss": float(np.mean(progress.losses)), "valid_loss": valid}
        for name, value in row.items():
            progress.curves[name].append(value)
        progress.losses = []
        pace = progress.step / progress.seconds
        return (
            f"step {progress.step}/{self.settings.steps}: {self.model.unit} {row['train_loss']:.4f} in training, "
            f"{valid:.4f} on held-out data; {pace:.1f} steps/s"
        )

    def result(self, progress: Progress) -> TrainResult:
        params = self._finished(progress.best)
        best = progress.curves["step"].index(progress.best_step)
        metrics = {
            "unit": self.model.unit,
            "test_loss": self._test_loss(params, self.test),
            "valid_loss": progress.curves["valid_loss"][best],
            "train_loss": progress.curves["train_loss"][-1],
            "steps": progress.step,
            "best_step": progress.best_step,
        }
        return TrainResult(params, progress.curves, metrics, progress.seconds)

    def _finished(self, params: Params) -> Params:
        return self.model.finish(params, self.train.images)

    def _test_loss(self, params: Params, data: Batch) -> float:
        return mean_loss(self.model, params, data, self.settings.batch)

    def _check_finite(self, loss: float, what: str, step: int) -> None:
        if not math.isfinite(loss):
            raise FFCError(
                f"train: the {what} loss is {loss} at step {step}; try a lower learning_rate (it is "
                f"{self.settings.learning_rate}) or a lower clip (it is {self.settings.clip})"
            )


def _check_images(dataset: Dataset) -> None:
    for part in ("train", "test"):
        images = getattr(dataset, part)
        if not isinstance(images, np.ndarray):
            raise FFCError(f"train: the images of data set {dataset.name!r} differ in size; name a size for them")
        if len(images) == 0:
            raise FFCError(f"train: data set {dataset.name!r} has no {part} images; training needs train and test")
