"""The paper's experiments: settings, checkpoint and data in, a `Record` out. One module for each kind."""

from pathlib import Path
from typing import Any

from ffc.core.errors import FFCError
from ffc.paper.experiments import densenet, rnn, sampling
from ffc.paper.experiments.job import Job
from ffc.store.records import Record

TASKS = {
    "rnn": rnn,
    "densenet": densenet,
    "made_mnist": sampling,
    "made_cifar": sampling,
    "pixelcnnpp_mnist": sampling,
    "pixelcnnpp_cifar10": sampling,
}

__all__ = ["TASKS", "Job", "run"]


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

    `settings` is the preset's section of the task; its `solvers` need hold only `solver`. `checkpoint`,
    `data` and `reference` (the record of the task's sequential solver) are paths, where the task needs them.
    Every solver of a task answers the same question: the noise depends on the seed and the task alone.
    Raises `FFCError` on an unknown task or solver, a missing file, or one that does not fit.
    """
    if task not in TASKS:
        raise FFCError(f"task {task!r}: expected one of {', '.join(TASKS)}")
    return TASKS[task].run(Job(task, settings, solver, seed, repeats, checkpoint, data, reference))
