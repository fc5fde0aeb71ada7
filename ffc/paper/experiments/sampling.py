"""Sampling from any `Sampler`: every solver on the same noise (paper, sections 4.3 and 4.4: MADE and PixelCNN++).

**Two times.** `seconds` is certified time: the solver stopped by itself, end to end. `oracle_seconds` follows
the authors' rule. It is the share of that time until the iterates were first within `ORACLE` of the last one.
Only somebody who has the answer can know it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from ffc.core.errors import FFCError
from ffc.core.measure import in_turn, repeated
from ffc.core.named import entry_of, is_chosen, solver_by_name
from ffc.core.solution import Solution
from ffc.core.solve import RowAbove, history_of, solve
from ffc.core.solvers import WORDS, Solver
from ffc.core.system import State, System, block_agreement
from ffc.core.verify import CONTRADICTION, contradictions, facts, largest_difference, verified
from ffc.models import Sampler
from ffc.models.guess import guess_by_name
from ffc.models.own import check_own
from ffc.paper.experiments.job import Job, Way
from ffc.store.checkpoints import Checkpoint
from ffc.store.records import Record

#: max |x − x_T| at which the authors call a run converged, by kind of model.
ORACLE = {"pixelcnnpp": 0.01, "made": 0.0}
#: Iterations shown in the strips of samples; the last one follows.
SHOWN = tuple(range(0, 50, 5))


def prepare(job: Job) -> Callable[[], Record]:
    """Sample a batch by one solver. What is returned times that, and makes the record.

    Arrays, for a batch of B samples, K iterations (of the slowest sample) and R repeats:
    `samples` as the model produces them, verified; at `snapshot_iterations` [S], `snapshots` [S, B, h, w, c] uint8, and
    `pictures` [B, h, w, c] of the end, or else, of a model without pictures, `settled` [S, B, N], whether a block has
    the bits that it ends with; `iterations`, `certified`, `status`, `ties` (blocks that rounding errors could
    have decided otherwise), `max_difference` (to the sequential answer), and `residual`, `proven`, `corrected` and
    `sweeps` of a verification that is not timed (`ffc.core.verify`) [B]; `seconds` [R];
    `evaluations`, `steps_per_iteration`, `oracle_iterations`, `oracle_seconds`; and `error_l2`, `error_max`
    (to this solver's own answer, as a window may differ from a sweep in the last bits), `change` (from the iterate
    before) [K + 1, B], row k after k iterations.
    """
    checkpoint = job.load_checkpoint()
    model, system = cast(Sampler, checkpoint.model), system_of(job, checkpoint)
    if job.reference is None:  # once for all that are held against it
        check_own(model, checkpoint.params, job.system)
    guess = guess_of(job, model, system)
    solver = solver_of(job, system, guess)

    run = partial(solve, system, solver, x0=guess)
    solution = run()
    with in_turn:
        history = history_of(system, solver, solution, SHOWN, guess)
        checked = verified(system, solution)
        samples = np.asarray(model.samples(checked.value))
        kept = facts(system, checked)
    length = int(kept["iterations"].max())
    oracle = oracle_iterations(history.largest, ORACLE.get(model.kind, 0.0))
    arrays = {
        "samples": samples,
        **_seen(model, checked.value, [*history.snapshots, solution.value]),
        "snapshot_iterations": np.array((*SHOWN, length)),
        "evaluations": solution.evaluations,
        "steps_per_iteration": solution.steps_per_iteration,
        "oracle_iterations": oracle,
        "error_l2": history.l2,
        "error_max": history.largest,
        "change": history.change,
        **kept,
    }
    chosen = {"chosen": entry_of(solver, system)} if is_chosen(job.kind, job.options.get("window")) else {}
    about = {"size": solution.size, "system": model.default_options() | job.system, "checkpoint": checkpoint.meta}

    def record() -> Record:
        taken = repeated(run, job.repeats)
        reference = samples if job.reference is None else _same_answer(job, arrays)
        measured = {
            "max_difference": largest_difference(samples, reference),
            "seconds": taken,
            "oracle_seconds": oracle_seconds(taken, length, oracle),
        }
        return job.record(arrays | measured, **about, **chosen)

    return record


def way(job: Job) -> Way:
    """Return how the batch is drawn."""
    checkpoint = job.load_checkpoint()
    system = system_of(job, checkpoint)
    guess = guess_of(job, cast(Sampler, checkpoint.model), system)
    solver = solver_of(job, system, guess)

    def draw(system: System, guess: State | RowAbove | None) -> tuple[State, Solution]:
        solution = solve(system, solver, x0=guess)
        return solution.value, solution

    return Way(draw, (system, guess), system.size, passes(system, solver))


def passes(system: System, solver: Solver) -> float:
    """Return the evaluations of the whole system in an iteration: a sweep for each step, where no window is offered."""
    schedule = solver.schedule(system.size)
    cached = schedule.cached and system.supports_window(schedule.count, schedule.block)
    return schedule.window / system.size if cached else schedule.block


def system_of(job: Job, checkpoint: Checkpoint) -> System:
    """Return the system of the batch that all solvers of the task draw, with the options of the job's."""
    model = cast(Sampler, checkpoint.model)
    noise = model.noise(job.key(), job.settings["batch"])
    return model.system_with(job.system, checkpoint.params, noise)


def solver_of(job: Job, system: System, guess: State | RowAbove | None = None) -> Solver:
    options = {name: job.options[name] for name in WORDS if name in job.options}
    return solver_by_name(job.kind, system, x0=guess, **options)


def guess_of(job: Job, model: Sampler, system: System) -> State | RowAbove | None:
    return guess_by_name(job.options.get("guess", "zeros"), model, system)


def oracle_iterations(error_max: np.ndarray, threshold: float) -> int:
    """Return the first k at which every sample's `error_max` [K + 1, B] is at most `threshold`; K if none is."""
    within = np.all(error_max <= threshold, axis=1)
    return int(np.argmax(within)) if within.any() else len(error_max) - 1


def oracle_seconds(seconds: np.ndarray, length: int, oracle: int) -> np.floating:
    """Return the median of `seconds` [R], times the share of `oracle` among the `length` iterations."""
    return np.median(seconds) / length * oracle


def _same_answer(job: Job, arrays: dict[str, Any]) -> np.ndarray:
    """Return the samples of the reference; `FFCError` where they and those of `arrays` cannot both be right."""
    reference = job.load_reference().arrays
    if wrong := contradictions(arrays, reference):
        raise FFCError(f"tasks.{job.task}: sample {wrong[0]} by {job.solver} {CONTRADICTION}")
    return reference["samples"]


def _seen(model: Sampler, last: State, snapshots: list[State]) -> dict[str, np.ndarray]:
    """Return what a reader sees of the states on the way to `last`: pictures, or which blocks are as they will be."""
    if not model.has_pictures:
        return {"settled": np.stack([np.asarray(block_agreement(state, last)) for state in snapshots])}
    return {
        "pictures": pictures(model, last),
        "snapshots": np.stack([pictures(model, state) for state in snapshots]),
    }


def pictures(model: Sampler, state: State) -> np.ndarray:
    """Return a state as 8-bit images; iterates on the way may leave the range of an image, and are clipped."""
    return np.round(255 * np.clip(np.asarray(model.pictures(model.samples(state))), 0, 1)).astype(np.uint8)
