"""The experiments: settings, checkpoint and data in, a `Record` out. One module for each."""

from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ffc.core.measure import side_by_side
from ffc.core.named import is_chosen
from ffc.paper.experiments.job import Job, Way
from ffc.paper.tasks import MODULES, experiment_of
from ffc.store.records import Record

__all__ = ["Job", "Way", "run", "run_all", "way"]


def run(
    task: str,
    settings: dict[str, Any],
    solver: str,
    *,
    checkpoint: Path | None = None,
    data: Path | None = None,
    reference: Path | None = None,
    seed: int,
    repeats: int,
) -> Record:
    """Run one solver of one task, and record what came out and how long it took.

    `settings` is the preset's section of the task; its `solvers` need hold only `solver`. Its `experiment`
    (`ffc.paper.tasks`) may be left out where `task` is the name of one of the paper's. `checkpoint`,
    `data` and `reference` (the record of the task's sequential solver) are paths, where the task needs them.
    Every solver of a task answers the same question: the noise depends on the seed and the task alone.
    Raises `FFCError` on an unknown experiment or solver, a missing file, or one that does not fit.
    """
    (record,) = run_all([Job(task, settings, solver, seed, repeats, checkpoint, data, reference)])
    return record


def run_all(jobs: Sequence[Job]) -> Iterator[Record]:
    """Yield the record of each job, in order. A job may read what became of those before it.

    All that nobody times is done first, for two or more jobs side by side: compilation, most of all. But not of a
    solver that a race decides.
    """
    ready = [partial(_module(job).prepare, job) for job in jobs]
    early = [i for i, job in enumerate(jobs) if not is_chosen(job.kind, job.options.get("window"))]
    early.sort(key=lambda i: not jobs[i].options.get("draft"))  # those take longest: not at the end, alone
    measures = dict(zip(early, side_by_side([ready[i] for i in early]), strict=True))
    for i in range(len(jobs)):
        measure = measures.get(i) or ready[i]()
        yield measure()


def way(job: Job) -> Way:
    """Return the program that answers a job's question by its solver, as the experiment runs it."""
    return _module(job).way(job)


def _module(job: Job) -> ModuleType:
    return import_module(MODULES[experiment_of(job.task, job.settings)])
