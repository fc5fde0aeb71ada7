"""Sampling from MADE and PixelCNN++: every solver on the same noise (paper, sections 4.3 and 4.4).

**Two clocks.** `seconds` is certified time: the solver stopped by itself, end to end. `oracle_seconds` is
the authors' rule: the share of that time until the iterates were first within `ORACLE` of the last one,
which only somebody who has the answer can know.
"""

from typing import cast

import numpy as np

from ffc.checkpoints import Checkpoint
from ffc.experiments.job import Job
from ffc.guess import guess_by_name
from ffc.history import History, Trace
from ffc.measure import timed_repeats
from ffc.models import Sampler
from ffc.named import AUTO, entry_of, solver_by_name
from ffc.records import Record
from ffc.solve import RowAbove, solve
from ffc.solvers import Solver
from ffc.system import State, System, count_ties

#: max |x − x_T| at which the authors call a run converged, by kind of model.
ORACLE = {"pixelcnnpp": 0.01, "made": 0.0}
#: Iterations shown in the strips of samples; the last one follows.
SHOWN = tuple(range(0, 50, 5))


def run(job: Job) -> Record:
    """Sample a batch by one solver.

    Arrays, for a batch of B samples, K iterations (of the slowest sample) and R repeats:
    `samples` as the model produces them; `pictures` [B, h, w, c] and `snapshots` [S, B, h, w, c] uint8, at
    `snapshot_iterations` [S]; `iterations`, `certified`, `status`, `ties` (blocks that rounding errors could
    have decided otherwise) and `max_difference` (to the sequential answer) [B]; `seconds` [R];
    `evaluations`, `steps_per_iteration`, `oracle_iterations`, `oracle_seconds`; and `error_l2`, `error_max`
    (to this solver's own answer), `change` (from the iterate before) [K + 1, B], row k after k iterations.
    """
    checkpoint = job.load_checkpoint()
    model = cast(Sampler, checkpoint.model)
    system = system_of(job, checkpoint)
    guess = guess_of(job, model, system)
    solver = solver_of(job, system, guess)

    solution, seconds = timed_repeats(lambda: solve(system, solver, guess=guess), job.repeats)
    iterations = np.asarray(solution.iterations)
    length = int(iterations.max())
    # Curves lead to the solver's own answer: a window may differ from a whole sweep in the last bits, and an
    # error that never vanished would hide where the solver ended. `max_difference` says how far apart they are.
    trace = Trace(solution.value, length, (*SHOWN, length))
    history = cast(History, solve(system, solver, trace=trace, guess=guess).history)
    samples = np.asarray(model.samples(solution.value))
    reference = samples if job.reference is None else job.load_reference()["samples"]
    oracle = oracle_iterations(np.asarray(history.largest), ORACLE.get(model.kind, 0.0))
    arrays = {
        "samples": samples,
        "pictures": pictures(model, solution.value),
        "snapshots": np.stack([pictures(model, state) for state in history.snapshots]),
        "snapshot_iterations": np.array((*SHOWN, length)),
        "iterations": iterations,
        "certified": np.asarray(solution.certified),
        "status": np.array([status.name.lower() for status in solution.status]),
        "ties": np.asarray(count_ties(system, solution.value)),
        "max_difference": _largest(samples - reference),
        "seconds": seconds,
        "evaluations": solution.evaluations,
        "steps_per_iteration": solution.steps_per_iteration,
        "oracle_iterations": oracle,
        "oracle_seconds": np.median(seconds) / length * oracle,
        "error_l2": np.asarray(history.l2),
        "error_max": np.asarray(history.largest),
        "change": np.asarray(history.change),
    }
    chosen = {"chosen": entry_of(solver, system)} if AUTO in (job.kind, job.options.get("window")) else {}
    return job.record(arrays, size=solution.size, checkpoint=checkpoint.meta, **chosen)


def system_of(job: Job, checkpoint: Checkpoint) -> System:
    """The system of the batch that all solvers of the task draw."""
    model = cast(Sampler, checkpoint.model)
    noise = model.noise(job.key(), job.settings["batch"])
    return model.system_with(job.settings.get("system", {}), checkpoint.params, noise)


def solver_of(job: Job, system: System, guess: State | RowAbove | None = None) -> Solver:
    return solver_by_name(job.kind, system, job.options.get("window"), job.options.get("block"), guess)


def guess_of(job: Job, model: Sampler, system: System) -> State | RowAbove | None:
    return guess_by_name(job.options.get("guess", "zeros"), model, system)


def oracle_iterations(error_max: np.ndarray, threshold: float) -> int:
    """The first k at which every sample's `error_max` [K + 1, B] is at most `threshold`; K if none is."""
    within = np.all(error_max <= threshold, axis=1)
    return int(np.argmax(within)) if within.any() else len(error_max) - 1


def _largest(difference: np.ndarray) -> np.ndarray:
    """[B] the largest absolute entry of each sample."""
    return np.abs(difference).reshape(len(difference), -1).max(axis=1)


def pictures(model: Sampler, state: State) -> np.ndarray:
    """A state as 8-bit images; iterates on the way may leave the range of an image, and are clipped."""
    return np.round(255 * np.clip(np.asarray(model.pictures(model.samples(state))), 0, 1)).astype(np.uint8)
