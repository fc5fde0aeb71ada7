"""PixelCNN++ at any image size, batch and width.

The network is a stack of convolutions, which takes images of any extent; and channels of zeros make it wider without
another answer (`ffc.models.pixelcnnpp.widen`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import jax

from ffc.core.solve import RowAbove
from ffc.core.solvers import GSJacobi, Jacobi, Sequential, Solver
from ffc.core.system import System
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.widen import widen
from ffc.paper.experiments.job import Job
from ffc.paper.experiments.scaling.case import Case
from ffc.store.checkpoints import Checkpoint

#: What competes, by the names in records; windows begin as the row above.
WAYS: dict[str, Callable[[System], Solver]] = {
    "cached": lambda system: Sequential(cached=True),
    "jacobi": lambda system: Jacobi(),
    "rows": lambda system: GSJacobi(2 * system.row_length),
    "pixels": lambda system: GSJacobi(system.row_length // 2),
}
#: And this one, where the system offers a draft: windows of a row, of 8-bit images.
DRAFTED = "drafted"
LABELS = {
    "rows": "GS-Jacobi, 2 rows",
    "pixels": "GS-Jacobi, half a row",
    DRAFTED: "GS-Jacobi, a row, drafted",
}


def points(settings: dict[str, Any], model: PixelCNNPP) -> Iterator[tuple[str, int, tuple[int, int, int]]]:
    """Each axis and value, with the (size, batch, filters) that it stands for."""
    size, filters = model.shape[0], model.filters
    for value in settings.get("sizes", []):
        yield "size", value, (value, 1, filters)
    for value in settings.get("batches", []):
        yield "batch", value, (size, value, filters)
    for value in settings.get("filters", []):
        yield "filters", value, (size, 1, value)


def cases(job: Job, loaded: Checkpoint) -> Callable[[int, int, int], Case]:
    """Return the case of a size, batch and width.

    The draft of the weights' own width serves at all: channels of zeros change no output.
    """
    own = cast(PixelCNNPP, loaded.model)
    draft = _system(job, loaded, own, 1).draft()

    def case(size: int, batch: int, filters: int) -> Case:
        model = replace(own, shape=(size, size, own.channels), filters=filters)
        system = _system(job, loaded, model, batch)
        solvers = {name: way(system) for name, way in WAYS.items()}
        if draft is not None:
            solvers[DRAFTED] = GSJacobi(system.row_length, draft=draft)
        return Case([system], solvers, RowAbove())

    return case


def _system(job: Job, loaded: Checkpoint, model: PixelCNNPP, batch: int) -> System:
    """Return what `model` samples from, of any size and at least as wide as the weights."""
    noise = model.noise(jax.random.fold_in(job.key(), model.shape[0]), batch)
    return model.system_with(job.system, widen(loaded.params, model.filters), noise)
