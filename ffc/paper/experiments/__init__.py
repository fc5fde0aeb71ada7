"""The experiments: settings, checkpoint and data in, a `Record` out. One module for each."""

from pathlib import Path
from typing import Any

from ffc.paper.experiments import densenet, rnn, sampling
from ffc.paper.experiments.job import Job
from ffc.paper.tasks import experiment_of
from ffc.store.records import Record

_EXPERIMENTS = {"backpropagation": rnn, "classification": densenet, "sampling": sampling}

__all__ = ["Job", "run"]


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
    experiment = _EXPERIMENTS[experiment_of(task, settings)]
    return experiment.run(Job(task, settings, solver, seed, repeats, checkpoint, data, reference))
