"""Seconds and iterations of a sampler against its sizes: where parallel solvers overtake the cached sequential one.

The weights of one task serve at every size (`pixels`, `tokens` say how). One of three axes grows at a time.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ffc.core import tune
from ffc.core.errors import FFCError
from ffc.core.measure import in_turn, interleaved, side_by_side
from ffc.core.solve import RowAbove, solve
from ffc.core.solvers import Solver
from ffc.core.system import System
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
    points = list(kind.points(settings, loaded.model))
    cases = {point: case_at(*point) for *_, point in points}  # the axes have a point in common
    asked = {
        (point, name): [partial(_found, system, solver, case.guess) for system in case.systems]
        for point, case in cases.items()
        for name, solver in case.solvers.items()
    }
    ready = iter(side_by_side([one for batches in asked.values() for one in batches]))
    answers = {key: [next(ready) for _ in batches] for key, batches in asked.items()}
    measured = {
        point: _measured(case, {name: answers[point, name] for name in case.solvers}, job.repeats)
        for point, case in cases.items()
    }
    rows = [{"axis": axis, "at": value, **row} for axis, value, point in points for row in measured[point]]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return job.record(arrays, checkpoint=loaded.meta, labels=kind.LABELS)


class _Found(NamedTuple):
    """What a way came to, without a clock."""

    iterations: int  # of the slowest sample
    exact: bool
    value: np.ndarray
    residual: float


def _found(system: System, solver: Solver, guess: RowAbove | None) -> _Found:
    solution = solve(system, solver, x0=guess)
    with in_turn:
        residual = np.asarray(verified(system, solution).residual)
    value = np.asarray(solution.value, np.float64)
    return _Found(int(np.max(solution.iterations)), solution.exact, value, float(np.max(residual)))


def _measured(case: Case, answers: Mapping[str, list[_Found]], repeats: int) -> list[dict[str, Any]]:
    """Time each way, warm by now, a row for each. Of several batches of a case, repeats take one after the other."""
    chosen = tune.fastest(case.systems[0], list(case.solvers.values()), case.guess)
    each = [len(part) for part in np.array_split(np.arange(repeats), len(case.systems))]
    seconds = [
        interleaved({name: partial(solve, system, way, x0=case.guess) for name, way in case.solvers.items()}, count)
        for system, count in zip(case.systems, each, strict=True)
        if count
    ]
    return [
        {
            "way": name,
            "seconds": np.concatenate([part[name] for part in seconds]),
            "iterations": float(np.mean([one.iterations for one in answers[name]])),
            "certified": all(one.exact for one in answers[name]),
            "max_difference": max(
                np.abs(one.value - first.value).max()
                for one, first in zip(answers[name], answers["cached"], strict=True)
            ),
            "residual": max(one.residual for one in answers[name]),
            "chosen": solver == chosen,
        }
        for name, solver in case.solvers.items()
    ]
