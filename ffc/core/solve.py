"""solve(): any system by any schedule. It stops by itself, with a certificate (`ffc.core.loop` says what that is)."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ffc.core import loop, stages
from ffc.core.errors import FFCError
from ffc.core.history import Trace
from ffc.core.solution import Solution, Status
from ffc.core.solvers import Schedule, Solver
from ffc.core.system import State, System


@dataclass(frozen=True)
class Exact:
    """Stop a sample when all its blocks are certified, or after `max_iterations`."""

    max_iterations: int | None = None
    tolerance = None


@dataclass(frozen=True)
class Tolerance:
    """Accept blocks that move by at most `tolerance` in one iteration. Faster, and not exact.

    Windows follow the accepted prefix; `Solution.certified` still counts only what is exact.
    """

    tolerance: float
    max_iterations: int | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RowAbove:
    """A guess: a row that a moving window meets begins as the row before it stands by then.

    A row is `system.row_length` blocks. The rows of the first window begin at `system.initial()`.
    """


def solve(
    system: System,
    solver: Solver,
    stop: Exact | Tolerance = Exact(),
    trace: Trace | None = None,
    guess: State | RowAbove | None = None,
    retire: bool = False,
) -> Solution:
    """Solve `system` by the schedule of `solver`, as one device program.

    Stops when every sample is certified (or within the tolerance, at the limit, or not finite). The first
    iteration begins at `guess`; at `system.initial()` unless given. It decides how many iterations are
    needed. What is certified is the same, but for the last bits of real numbers where a window's sums depend
    on where it begins. With `trace`, error curves of `trace.length` iterations are
    kept; after a sample's end they stay level. With `retire`, finished samples leave the batch (`ffc.core.stages`):
    a program for each size of batch, for systems that can `select_samples`, and not inside `jit`. Sums may then
    run in another order, so that last bits differ. Raises `FFCError` where the solver does not fit the size
    of the system, or the guess the shape of its states.
    """
    schedule = solver.schedule(system.size)
    limit = system.size if stop.max_iterations is None else min(stop.max_iterations, system.size)
    above = isinstance(guess, RowAbove)
    first = None if guess is None or above else _fitting(system, guess)
    how = loop.How(schedule, stop.tolerance, above and _moves_by_rows(system, schedule))
    end = (stages.run if retire else _run)(how, system, first, trace, limit)
    return Solution(
        value=end.x,
        status_codes=jnp.where(end.status == Status.RUNNING, Status.ITERATION_LIMIT, end.status),
        iterations=end.iterations,
        certified=end.certified,
        size=system.size,
        steps_per_iteration=schedule.block,
        history=end.history,
    )


@functools.partial(jax.jit, static_argnames="how")
def _run(how: loop.How, system: System, guess: State | None, trace: Trace | None, limit: jax.Array) -> loop.Carry:
    first = loop.start(how, system, guess, trace)
    return loop.finish(system, loop.advance(how, system, first, trace, limit), first.x, trace)


def _moves_by_rows(system: System, schedule: Schedule) -> bool:
    """Whether windows meet new rows on their way."""
    single = len(jax.tree.leaves(jax.eval_shape(system.initial))) == 1
    aligned = 1 < schedule.window < system.row_length or schedule.window % system.row_length == 0
    return single and aligned and schedule.window < system.size


def _fitting(system: System, guess: State) -> State:
    """`guess` in the dtypes of the system's states, if it has their shapes."""
    expected = jax.eval_shape(system.initial)
    found, wanted = (jax.tree.map(jnp.shape, state) for state in (guess, expected))
    if found != wanted:
        raise FFCError(f"guess: it has the shape {found}; a state of this system has {wanted}")
    return jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), guess, expected)
