"""Seconds and iterations of a sampler against its sizes: where parallel solvers overtake the cached sequential one.

The weights of one task serve at every size (`pixels`, `tokens` say how). One of three axes grows at a time.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ffc.core import tune
from ffc.core.errors import FFCError
from ffc.core.measure import interleaved, side_by_side
from ffc.core.solve import solve
from ffc.core.verify import verified
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.transformer import Transformer
from ffc.paper.experiments.job import Job
from ffc.paper.experiments.scaling import pixels, tokens
from ffc.paper.experiments.scaling.case import Case
from ffc.store.records import Record

_OF = {PixelCNNPP: pixels, Transformer: tokens}


def run(settings: dict[str, Any], *, checkpoint: Path, task: str, seed: int, repeats: int) -> Record:
    """Time every way at each value of every axis that `settings` list, warm and in turn.

    `settings["system"]` are options of the sampling system. Arrays, an entry for each value and way: `axis`, `at` (its
    value), `way`, `seconds` [entries, repeats], `iterations` (of the slowest sample; mean over batches), `certified`
    (whether all samples are), `max_difference` to the cached sequential answer, the largest `residual` by a plain
    sweep (`ffc.core.verify`; untimed), and `chosen`, whether a short race (`ffc.core.tune`) picked it. `meta["labels"]`
    says what the ways are. Raises `FFCError` where the weights serve at one size alone, or a size does not fit.
    """
    job = Job(task, settings | {"solvers": {"scaling": {}}}, "scaling", seed, repeats, checkpoint=checkpoint)
    loaded = job.load_checkpoint()
    if type(loaded.model) not in _OF:
        raise FFCError(f"{checkpoint}: weights of {loaded.model.kind}; only PixelCNN++ and transformers take any size")
    kind: Any = _OF[type(loaded.model)]
    case_at = kind.cases(job, loaded)
    measured: dict[tuple, list[dict[str, Any]]] = {}  # the axes have a point in common
    rows = []
    for axis, value, point in kind.points(settings, loaded.model):
        if point not in measured:
            measured[point] = _measured(case_at(*point), job.repeats)
        rows += [{"axis": axis, "at": value, **row} for row in measured[point]]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return job.record(arrays, checkpoint=loaded.meta, labels=kind.LABELS)


def _measured(case: Case, repeats: int) -> list[dict[str, Any]]:
    """A row for each way. Where a case has several batches, repeats take one after the other."""
    runs = [
        {name: partial(solve, system, solver, guess=case.guess) for name, solver in case.solvers.items()}
        for system in case.systems
    ]
    solutions = [dict(zip(ways, side_by_side(ways.values()), strict=True)) for ways in runs]
    chosen = tune.fastest(case.systems[0], list(case.solvers.values()), case.guess)
    each = [len(part) for part in np.array_split(np.arange(repeats), len(runs))]
    seconds = [interleaved(ways, count) for ways, count in zip(runs, each, strict=True) if count]
    return [
        {
            "way": name,
            "seconds": np.concatenate([part[name] for part in seconds]),
            "iterations": float(np.mean([np.max(found[name].iterations) for found in solutions])),
            "certified": all(found[name].exact for found in solutions),
            "max_difference": max(_apart(found[name].value, found["cached"].value) for found in solutions),
            "residual": max(
                float(np.max(np.asarray(verified(system, found[name]).residual)))
                for system, found in zip(case.systems, solutions, strict=True)
            ),
            "chosen": solver == chosen,
        }
        for name, solver in case.solvers.items()
    ]


def _apart(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max())
