"""Which solver is fastest here: candidates race on the system itself, for as long as a part of a solve takes.

How many blocks an iteration certifies depends on the samples, and what it costs on the device. So both are
measured together: all candidates run for the same time, and the one that certified most blocks wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp

from ffc.core import arguments
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.measure import seconds, timed
from ffc.core.solution import Solution
from ffc.core.solve import Exact, RowAbove, solve
from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential, Solver
from ffc.core.system import State, System, batch_size

#: Iterations that tell how long one takes.
_PROBE = 4


@dataclass(frozen=True)
class Trial:
    """What a candidate came to: leading blocks certified, on average over the batch, in warm seconds."""

    solver: Solver
    certified: float
    seconds: float

    @property
    def rate(self) -> float:
        """Certified blocks a second."""
        return self.certified / self.seconds


def race(
    system: System, candidates: Sequence[Solver], guess: State | RowAbove | None = None, share: float = 1 / 8
) -> list[Trial]:
    """A trial of each candidate, the fastest first.

    Each runs for about the time in which the first candidate is certain to settle this `share` of the blocks,
    and is compiled once. Raises `FFCError` where there is no candidate, one does not fit the system, or nothing is to
    be solved.
    """
    if not candidates:
        raise FFCError("race: no candidates; name one solver at least")
    if _is_empty(system):
        raise FFCError("race: the system has no blocks or no samples; any solver solves it at once")
    schedules = [arguments.schedule_of(solver, system.size) for solver in candidates]
    budget = share * system.size / schedules[0].block * _seconds_of_one(system, candidates[0], guess)
    trials = []
    for solver in candidates:
        iterations = max(1, round(budget / _seconds_of_one(system, solver, guess)))
        solution, took = timed(partial(_run, system, solver, guess, iterations))
        trials.append(Trial(solver, float(jnp.mean(solution.certified)), took))
    return sorted(trials, key=lambda trial: trial.rate, reverse=True)


def fastest(system: System, candidates: Sequence[Solver], guess: State | RowAbove | None = None) -> Solver:
    """The winner of a `race`; without one where there is a single candidate, or nothing to solve."""
    return candidates[0] if len(candidates) == 1 or _is_empty(system) else race(system, candidates, guess)[0].solver


def windows(system: System) -> list[GSJacobi]:
    """GS-Jacobi with windows of a quarter and half of a row, and of 1, 2, 4 … rows, less than the whole system.

    A system that is shorter than two rows has one window of them all.
    """
    size, row = system.size, system.row_length
    parts = [row // part for part in (4, 2) if row >= 2 * part]
    wide = [(1 << i) * row for i in range(max(1, (size - 1).bit_length())) if (1 << i) * row < size] or [max(1, size)]
    return [*(GSJacobi(part) for part in parts if _pays(system, GSJacobi(part))), *map(GSJacobi, wide)]


def drafted(system: System, draft: Draft) -> list[GSJacobi]:
    """Drafted windows of a row and of two, of each sample's own and of all samples together."""
    width, batch = system.row_length, batch_size(system.initial())
    sizes = [size for size in (width, 2 * width) if size <= system.size]
    return [GSJacobi(size, draft=draft, together=together) for size in sizes for together in (False, True)[:batch]]


def candidates(system: System) -> list[Solver]:
    """Every kind of solver that the system can gain by, each once; the cached sequential one first.

    A window that costs a whole sweep proves no more than Jacobi does, and is left out.
    """
    draft = system.draft()
    others: list[Solver] = [*windows(system), *(drafted(system, draft) if draft else []), JacobiGS(system.row_length)]
    return [Sequential(cached=True), Jacobi(), *(solver for solver in others if _pays(system, solver))]


def _pays(system: System, solver: Solver) -> bool:
    """Whether the size allows it, it is neither Jacobi nor sequential, and the system has windows for it."""
    size = system.size
    if isinstance(solver, GSJacobi) and solver.window > size:
        return False
    if isinstance(solver, JacobiGS) and size % solver.block:
        return False
    schedule = solver.schedule(size)
    return 1 < schedule.count < size and system.supports_window(schedule.count, schedule.block)


def _is_empty(system: System) -> bool:
    return system.size == 0 or batch_size(arguments.state_of(system)) == 0


def _run(system: System, solver: Solver, guess, iterations: int) -> Solution:
    return solve(system, solver, Exact(max_iterations=iterations), guess=guess)


def _seconds_of_one(system: System, solver: Solver, guess) -> float:
    """Seconds of an iteration, warm."""
    iterations = min(_PROBE, system.size)
    return float(seconds(partial(_run, system, solver, guess, iterations), repeats=2).min()) / iterations
