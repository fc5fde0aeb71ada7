"""From a model's settings and a data set to a checkpoint that says where it came from."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

from ffc import models
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.data import Dataset
from ffc.models.base import Model, Params
from ffc.models.own import check_own
from ffc.store import checkpoints
from ffc.store.checkpoints import Checkpoint
from ffc.store.records import provenance
from ffc.training.loop import TrainResult, train
from ffc.training.settings import TrainSettings
from ffc.training.store import STATE

#: What a checkpoint says of the one that it began with.
_OF_THE_START = ("file", "sha256", "origin", "metrics", "curves", "command", "start")


def train_checkpoint(
    path: str | Path,
    model: dict[str, Any],
    dataset: Dataset,
    section: dict[str, Any],
    seed: int,
    state: str | Path,
    start: Checkpoint | None = None,
) -> TrainResult:
    """Train the model that `model` describes and write it to `path` (`.flax`), with its provenance beside it.

    `model` and `section` are a preset's `model:` and `train:`; `start`: a checkpoint of such a model, or of a smaller
    one that it can grow from (`Model.grown`), whose weights it begins with. The run's state is in the folder `state`:
    what was killed goes on from it. It stays there till `discard(state)`, for a workflow may yet refuse the output.
    Raises `FFCError` as `train` and `ffc.models.build` do.
    """
    built = models.build(model, dataset.shape, dataset.classes)
    params = None if start is None else _params_of(start, built, key_of(seed))
    check_own(built, built.init(key_of(seed)) if params is None else params)
    result = train(built, dataset, TrainSettings.of(section), seed, state, start=params)
    about = {
        "origin": "trained",
        "data": {"name": dataset.name, "title": dataset.title},
        "train": section,
        "seed": seed,
        "metrics": result.metrics,
        "curves": result.curves,
        "seconds": result.seconds,
    }
    if start is not None:
        about["start"] = {name: start.meta[name] for name in _OF_THE_START if name in start.meta}
    # Training takes what the device multiplies by: TF32, perhaps, on a GPU.
    products = {"matmul_precision": jax.config.jax_default_matmul_precision or "default"}  # type: ignore[attr-defined]
    checkpoints.save(path, built, result.params, about | provenance() | products)
    return result


def discard(state: str | Path) -> None:
    """Remove the state that a run left in the folder `state`, and the folder where it holds nothing else."""
    (Path(state) / STATE).unlink(missing_ok=True)
    with suppress(OSError):
        Path(state).rmdir()


def _params_of(start: Checkpoint, model: Model, key: jax.Array) -> Params:
    """Return the weights of `start`, as those of `model`."""
    if start.model == model:
        return start.params
    try:
        return model.grown(start.model, start.params, key)
    except FFCError as error:
        raise FFCError(f"start: {start.meta['file']}: {error}") from None
