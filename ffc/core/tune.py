"""Which solver is fastest here: candidates race on the system itself, for as long as a part of a solve takes.

How many blocks an iteration certifies depends on the samples, and what it costs on the device. So both are
measured together: all candidates run for the same time, and are ordered by the blocks that they certified. The first
blocks may be easier than the others (the sky above a picture). So the best ones then solve the whole system.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core import arguments
from ffc.core.compiled import standard_modes
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.measure import interleaved, repeated, seconds, timed
from ffc.core.solution import Solution
from ffc.core.solve import RowAbove, solve
from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential, Solver
from ffc.core.system import State, System, batch_size

#: Iterations that tell how long one takes.
_PROBE = 4
#: Further runs of a trial; the shortest counts.
_REPEATS = 2
#: Solvers that need at most so many times the least go on in turn, for so many rounds; not where one takes so long
#: (seconds) that a single run tells them apart.
_CLOSE, _ROUNDS, _LONG = 1.3, 5, 1.0
#: Drafted windows of blocks that lie in no rows.
_BLOCKS = (8, 4, 16, 32)


@dataclass(frozen=True)
class Trial:
    """What a candidate came to: leading blocks certified, on average over the batch, in warm seconds."""

    solver: Solver
    certified: float
    seconds: float
    iterations: int

    @property
    def rate(self) -> float:
        """Certified blocks a second."""
        return self.certified / self.seconds


@standard_modes()
def race(
    system: System,
    candidates: Iterable[Solver],
    x0: State | RowAbove | None = None,
    share: float = 1 / 8,
    uses: int | None = None,
) -> list[Trial]:
    """Return a trial of each candidate, the fastest first.

    Each runs for about the time in which the first candidate is certain to settle this `share` of the blocks,
    and is compiled once. Where the winner is to solve `uses` times, the race ends when it has lasted as long as that
    takes the first candidate: more would cost more than it can save. Raises `FFCError` where there is no candidate, one
    does not fit the system, or nothing is to be solved.
    """
    if _is_empty(system):
        raise FFCError("race: the system has no blocks or no samples; any solver solves it at once")
    began, whole = time.perf_counter(), math.inf
    trials: list[Trial] = []
    for solver in candidates:
        if uses is not None and time.perf_counter() - began > uses * whole:
            break
        block, step = arguments.schedule_of(solver, system.size).block, _seconds_of_one(system, solver, x0)
        if not trials:
            whole = system.size / block * step
        iterations = max(1, round(share * whole / step))
        run = partial(_run, system, solver, x0, iterations)
        solution, took = timed(run)
        took = min(took, *repeated(run, _REPEATS))  # what disturbs a run makes it longer
        trials.append(Trial(solver, float(jnp.mean(solution.certified)), took, iterations))
    if not trials:
        raise FFCError("race: no candidates; name one solver at least")
    return sorted(trials, key=lambda trial: trial.rate, reverse=True)


def fastest(
    system: System,
    candidates: Iterable[Solver],
    x0: State | RowAbove | None = None,
    uses: int | None = None,
) -> Solver:
    """Return the candidate that solves the whole system first, of those that lead a `race`."""
    first, *second = islice(waiting := iter(candidates), 2)
    if not second or _is_empty(system):
        return first
    trials = race(system, chain((first, *second), waiting), x0, uses=uses)
    # One block after the other takes as long for the last ones as for the first: nothing has to be run for that.
    in_order = [trial for trial in trials if isinstance(trial.solver, Sequential)]
    whole = [(system.size / trial.rate, trial.solver) for trial in in_order]
    for trial in trials:
        least = min((took for took, _ in whole), default=math.inf)
        if trial in in_order or system.size / trial.rate > least:
            continue  # at the pace of its beginning it would be late already
        most = system.size if least == math.inf else max(1, round(_CLOSE * least * trial.iterations / trial.seconds))
        solution, took = timed(partial(_run, system, trial.solver, x0, most))
        if solution.exact:
            whole.append((took, trial.solver))
    if not whole:
        return trials[0].solver
    least, best = min(whole, key=lambda pair: pair[0])
    close = [solver for took, solver in whole if took <= _CLOSE * least]
    if len(close) == 1 or least > _LONG:
        return best
    runs = {str(i): partial(_run, system, solver, x0, system.size) for i, solver in enumerate(close)}
    medians = {i: float(np.median(spent)) for i, spent in interleaved(runs, _ROUNDS).items()}
    return close[int(min(medians, key=lambda i: medians[i]))]


def windows(system: System) -> list[GSJacobi]:
    """GS-Jacobi with windows of a quarter and half of a row, and of 1, 2, 4 … rows, less than the whole system.

    A system that is shorter than two rows has one window of them all.
    """
    size, row = system.size, system.row_length
    parts = [row // part for part in (4, 2) if row >= 2 * part]
    wide = [(1 << i) * row for i in range(max(1, (size - 1).bit_length())) if (1 << i) * row < size] or [max(1, size)]
    return [*(GSJacobi(part) for part in parts if _pays(system, GSJacobi(part))), *map(GSJacobi, wide)]


def drafted(system: System, draft: Draft) -> list[GSJacobi]:
    """Drafted windows of the usual lengths, of each sample's own; whole rows also of all samples together."""
    batch, row = batch_size(system.initial()), system.row_length

    def ways(size: int) -> tuple[bool, ...]:
        return (False, True) if batch > 1 and row > 1 and size % row == 0 else (False,)

    return [GSJacobi(size, draft=draft, together=way) for size in drafted_lengths(system) for way in ways(size)]


def drafted_lengths(system: System) -> list[int]:
    """Blocks of drafted windows, the most usual first: a row, parts of it and two, or some where none lie in rows.

    A short window evaluates less beyond the first change: what pays on a CPU, and in batches. A GPU takes about as long
    for any, and a long one needs fewer iterations.
    """
    row = system.row_length
    lengths = [row, row // 2, row // 4, 2 * row] if row > 1 else [*_BLOCKS]
    lengths += [4 * row, 8 * row] if row > 1 and jax.default_backend() == "gpu" else []
    return [length for length in lengths if 1 < length <= system.size] or [max(1, system.size)]


def candidates(system: System) -> Iterator[Solver]:
    """Yield every kind of solver that the system can gain by, each once; the cached sequential one first.

    A window that costs a whole sweep proves no more than Jacobi does, and is left out. Drafted windows come last, for a
    draft may have to be computed.
    """
    yield from (Sequential(cached=True), Jacobi())
    wide: list[Solver] = [*windows(system), JacobiGS(system.row_length)]
    yield from (solver for solver in wide if _pays(system, solver))
    if draft := system.draft():
        yield from (solver for solver in drafted(system, draft) if _pays(system, solver))
        if jax.default_backend() == "gpu":
            yield Jacobi(draft=draft)


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


def _run(system: System, solver: Solver, x0: State | RowAbove | None, iterations: int) -> Solution:
    return solve(system, solver, x0, max_iterations=iterations)


def _seconds_of_one(system: System, solver: Solver, x0: State | RowAbove | None) -> float:
    """Seconds of an iteration, warm."""
    iterations = min(_PROBE, system.size)
    return float(seconds(partial(_run, system, solver, x0, iterations), repeats=2).min()) / iterations
