"""One resumable training loop for all models.

Batches and dropout keys depend on the seed and the step alone, so a run that was killed and resumed ends
with the weights of one that was not (bit for bit on a CPU, unless a time budget ends it).
"""

import dataclasses
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.serialization import from_bytes, to_bytes
from tqdm import tqdm

from ffc.data import Dataset
from ffc.errors import FFCError
from ffc.models.base import Model, Params
from ffc.records import write_whole

_STATE = "state.msgpack"


@dataclass(frozen=True)
class TrainSettings:
    """`decay` multiplies the rate at every step, `ema` averages the weights; validation every `validate_every`."""

    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    decay: float = 0.9995
    ema: float = 0.99
    clip: float = 1.0
    validate_every: int = 100
    max_minutes: float | None = None

    def __post_init__(self):
        positive = ("steps", "batch", "learning_rate", "clip", "validate_every")
        for name in positive:
            if not getattr(self, name) > 0:
                raise FFCError(f"train: {name} is {getattr(self, name)}; it must be above 0")
        for name in ("decay", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                raise FFCError(f"train: {name} is {getattr(self, name)}; it must lie in 0 … 1")

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "TrainSettings":
        """From a preset's `train:` section; `FFCError` names an unknown key."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := set(settings) - known:
            raise FFCError(f"train: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
        return cls(**settings)


@dataclass(frozen=True)
class TrainResult:
    """The best averaged weights, curves (`step`, `train_loss`, `valid_loss`) and metrics in the model's unit."""

    params: Params
    curves: dict[str, list[float]]
    metrics: dict[str, Any]


def train(model: Model, dataset: Dataset, settings: TrainSettings, seed: int, folder: str | Path) -> TrainResult:
    """Train `model`, keeping its state in `folder`, where a run that was interrupted is taken up again.

    Adam, gradient clipping, exponentially decaying rate; the result is the moving average of the weights
    that did best on the held-out images. Raises `FFCError` if the loss is no longer finite.
    """
    loop = _Loop(model, dataset, settings, seed)
    path = Path(folder) / _STATE
    state, curves = loop.load(path)
    began = time.monotonic()
    bar = tqdm(total=settings.steps, initial=int(state["step"]), unit="step", disable=not sys.stderr.isatty())
    while (step := int(state["step"])) < settings.steps:
        count = min(settings.validate_every - step % settings.validate_every, settings.steps - step)
        state, loss = loop.advance(state, count)
        valid = loop.validate(state["ema"])
        if not np.isfinite(loss) or not np.isfinite(valid):
            raise FFCError(f"train: the loss is not finite by step {step + count}; lower learning_rate or clip")
        for name, value in (("step", step + count), ("train_loss", loss), ("valid_loss", valid)):
            curves[name].append(float(value))
        if valid < state["best_loss"]:
            state |= {"best": state["ema"], "best_loss": jnp.float32(valid)}
        loop.save(path, state, curves)
        bar.update(count)
        bar.set_postfix(loss=f"{loss:.4f}", valid=f"{valid:.4f}", rate=f"{loop.rate(step):.1e}")
        if settings.max_minutes and time.monotonic() - began > 60 * settings.max_minutes:
            break
    bar.close()
    best = loop.finish(state["best"])
    metrics = {"unit": model.unit, "valid_loss": float(state["best_loss"]), "steps": int(state["step"])}
    return TrainResult(best, curves, metrics)


class _Loop:
    """The compiled pieces of a run and its state: a dictionary of arrays."""

    def __init__(self, model: Model, dataset: Dataset, settings: TrainSettings, seed: int):
        self.model, self.settings, self.key = model, settings, jax.random.key(seed)
        self.images = jnp.asarray(dataset.train)
        labels = dataset.train_labels if dataset.train_labels is not None else np.zeros(len(dataset.train), np.int32)
        self.labels = jnp.asarray(labels)
        held = slice(0, min(len(dataset.test), 512))
        self.held = dataset.test[held], dataset.test_labels[held] if dataset.test_labels is not None else None
        self.rate = optax.exponential_decay(settings.learning_rate, 1, settings.decay)
        self.optimizer = optax.chain(optax.clip_by_global_norm(settings.clip), optax.adam(self.rate))
        described = [model.kind, dataclasses.asdict(model), dataclasses.asdict(settings), seed, dataset.sha256]
        self.fingerprint = hashlib.sha256(json.dumps(described).encode()).hexdigest()
        self._chunk = jax.jit(self._run_chunk, static_argnums=1)
        self._loss = jax.jit(model.loss)

    def start(self) -> dict[str, Any]:
        params = self.model.init(jax.random.fold_in(self.key, 0))
        return {
            "params": params,
            "optimizer": self.optimizer.init(params),
            "ema": params,
            "best": params,
            "best_loss": jnp.float32(np.inf),
            "step": jnp.int32(0),
        }

    def advance(self, state, count: int):
        """`count` steps as one device program: the new state and the mean loss."""
        moving = {name: state[name] for name in ("params", "optimizer", "ema", "step")}
        moving, losses = self._chunk(moving, count)
        return state | moving, float(losses.mean())

    def _run_chunk(self, moving, count: int):
        def step(moving, _):
            key = jax.random.fold_in(jax.random.fold_in(self.key, 1), moving["step"])
            pick, key = jax.random.split(key)
            index = jax.random.randint(pick, (self.settings.batch,), 0, len(self.images))
            loss, gradient = jax.value_and_grad(self.model.loss)(
                moving["params"], self.images[index], self.labels[index], key
            )
            update, optimizer = self.optimizer.update(gradient, moving["optimizer"])
            params = optax.apply_updates(moving["params"], update)
            # The average starts as a plain mean, so the first weights do not linger; a constant stays itself.
            weight = jnp.maximum(1 - self.settings.ema, 1 / (moving["step"] + 1))
            ema = jax.tree.map(lambda old, new: old + weight * (new - old), moving["ema"], params)
            return {"params": params, "optimizer": optimizer, "ema": ema, "step": moving["step"] + 1}, loss

        return jax.lax.scan(step, moving, length=count)

    def validate(self, params: Params) -> float:
        return float(self._loss(params, *self.held))

    def finish(self, params: Params) -> Params:
        return self.model.finish(params, self.images)

    def save(self, path: Path, state, curves) -> None:
        content = to_bytes({"fingerprint": self.fingerprint, "curves": json.dumps(curves), "state": state})
        write_whole(path, lambda file: file.write(content))

    def load(self, path: Path):
        """The state left in `path` by this very run, or a fresh one."""
        fresh, curves = self.start(), {"step": [], "train_loss": [], "valid_loss": []}
        if not path.exists():
            return fresh, curves
        try:
            kept = from_bytes({"fingerprint": "", "curves": "", "state": fresh}, path.read_bytes())
            if kept["fingerprint"] == self.fingerprint:
                return jax.tree.map(jnp.asarray, kept["state"]), json.loads(kept["curves"])
            reason = "belongs to other settings or data"
        except Exception as error:  # msgpack and flax raise types of their own
            reason = f"cannot be read ({error})"
        print(f"{path}: {reason}; training starts afresh", file=sys.stderr)
        return fresh, curves
