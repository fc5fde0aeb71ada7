"""Seconds of a batch of PixelCNN++ against its size: where parallel solvers overtake the cached sequential one.

The weights of one task serve at every size. Their network is a stack of convolutions, which takes images of
any extent; and channels of zeros make it wider without another answer (`ffc.models.pixelcnnpp.widen`). One of
image size, batch and width grows at a time, from one sample of the checkpoint's own size and width.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np

from ffc.core import tune
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.measure import interleaved, side_by_side
from ffc.core.solve import RowAbove, solve
from ffc.core.solvers import GSJacobi, Jacobi, Sequential, Solver
from ffc.core.system import System
from ffc.core.verify import verified
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.widen import widen
from ffc.paper.experiments.job import Job
from ffc.store.checkpoints import Checkpoint
from ffc.store.records import Record

#: What competes, by the names in records; windows begin as the row above.
WAYS: dict[str, Callable[[System], Solver]] = {
    "cached": lambda system: Sequential(cached=True),
    "jacobi": lambda system: Jacobi(),
    "rows": lambda system: GSJacobi(2 * system.row_length),
    "pixels": lambda system: GSJacobi(system.row_length // 2),
}
#: And this one, where the system offers a draft: windows of a row.
DRAFTED = "drafted"


def run(settings: dict[str, Any], *, checkpoint: Path, task: str, seed: int, repeats: int) -> Record:
    """Time every way at each of `settings["sizes"]`, `["batches"]` and `["filters"]`, warm and in turn.

    These are `WAYS`, and `DRAFTED` of 8-bit images. `settings["system"]` are options of the sampling system. Arrays, an
    entry for each point and way: `axis` ("size", "batch" or "filters"), `at` (its value), `way`, `seconds`
    [entries, repeats], `iterations`, `certified` (whether all samples are), `max_difference` to the cached sequential
    answer, the largest `residual` by a plain sweep (`ffc.core.verify`; untimed), and `chosen`, whether a short race
    (`ffc.core.tune`) picked it. Raises `FFCError` where the weights are not PixelCNN++'s, or a size does not fit.
    """
    job = Job(task, settings | {"solvers": {"scaling": {}}}, "scaling", seed, repeats, checkpoint=checkpoint)
    loaded = job.load_checkpoint()
    if not isinstance(loaded.model, PixelCNNPP):
        raise FFCError(f"{checkpoint}: weights of {loaded.model.kind}; only PixelCNN++ takes images of any size")
    draft = _system(job, loaded, loaded.model, 1).draft()
    measured: dict[tuple, list[dict[str, Any]]] = {}  # the axes have a point in common
    rows = []
    for axis, value, point in _points(settings, loaded.model):
        if point not in measured:
            measured[point] = _measured(job, loaded, draft, *point)
        rows += [{"axis": axis, "at": value, **row} for row in measured[point]]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return job.record(arrays, checkpoint=loaded.meta)


def _points(settings: dict[str, Any], model: PixelCNNPP):
    """Each axis and value, with the (size, batch, filters) that it stands for."""
    size, filters = model.shape[0], model.filters
    for value in settings["sizes"]:
        yield "size", value, (value, 1, filters)
    for value in settings["batches"]:
        yield "batch", value, (size, value, filters)
    for value in settings["filters"]:
        yield "filters", value, (size, 1, value)


def _system(job: Job, loaded: Checkpoint, model: PixelCNNPP, batch: int) -> System:
    """What `model` samples from, of any size and at least as wide as the weights."""
    noise = model.noise(jax.random.fold_in(job.key(), model.shape[0]), batch)
    return model.system_with(job.system, widen(loaded.params, model.filters), noise)


def _measured(
    job: Job, loaded: Checkpoint, draft: Draft | None, size: int, batch: int, filters: int
) -> list[dict[str, Any]]:
    """A row for each way. The draft of the weights' own width serves at all: channels of zeros change no output."""
    own = cast(PixelCNNPP, loaded.model)
    system = _system(job, loaded, replace(own, shape=(size, size, own.channels), filters=filters), batch)
    solvers = {name: way(system) for name, way in WAYS.items()}
    if draft is not None:
        solvers[DRAFTED] = GSJacobi(system.row_length, draft=draft)
    runs = {name: partial(solve, system, solver, guess=RowAbove()) for name, solver in solvers.items()}
    solutions = dict(zip(runs, side_by_side(runs.values()), strict=True))
    truth = np.asarray(solutions["cached"].value)
    chosen = tune.fastest(system, list(solvers.values()), RowAbove())
    seconds = interleaved(runs, job.repeats)
    return [
        {
            "way": name,
            "seconds": seconds[name],
            "iterations": int(np.max(solution.iterations)),
            "certified": solution.exact,
            "max_difference": float(np.abs(np.asarray(solution.value) - truth).max()),
            "residual": float(np.max(np.asarray(verified(system, solution).residual))),
            "chosen": solvers[name] == chosen,
        }
        for name, solution in solutions.items()
    ]
