"""solve(): any system by any schedule. It stops by itself, with a certificate (`ffc.core.loop` says what that is)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core import arguments, loop, programs
from ffc.core.compiled import standard_modes
from ffc.core.errors import FFCError
from ffc.core.history import History, Trace, in_order
from ffc.core.solution import Solution
from ffc.core.solvers import Jacobi, Schedule, Sequential, Solver
from ffc.core.system import State, System
from ffc.core.verify import verified


@dataclass(frozen=True)
class Exact:
    """Stop a sample when all its blocks are certified, or after `max_iterations`."""

    max_iterations: int | None = None


@dataclass(frozen=True)
class Tolerance:
    """Accept blocks that move by at most `tolerance` + `relative` · (largest absolute value) in one iteration.

    Faster, and not exact. Windows follow the accepted prefix; `Solution.certified` still counts only what is exact.
    Numbers may be traced: a new one needs no new program.
    """

    tolerance: float
    max_iterations: int | None = None
    relative: float = 0.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RowAbove:
    """A guess: a row that a moving window reaches begins as the row before it is then.

    A row is `system.row_length` blocks. The rows of the first window begin at `system.initial()`.
    """


@standard_modes()
def solve(
    system: System,
    solver: Solver,
    stop: Exact | Tolerance = Exact(),
    guess: State | RowAbove | None = None,
    adjoint: Solver | None = None,
    verify: bool = False,
) -> Solution:
    """Solve `system` by the schedule of `solver`, on the device alone: nothing of it waits for Python.

    - `stop`: when a sample ends: certified whole (`Exact`), within a `Tolerance`, or at a limit of iterations. It also
      ends where its values are not finite.
    - `guess`: where the first iteration begins; `system.initial()` unless given. It decides how many iterations are
      needed. What is certified is the same, except for the last bits of real numbers where a window's sums depend on
      where it begins.
    - `adjoint`: the solver of the linear systems for derivatives; None: `solver` where its draft is for them, too, as
      Newton's is, and else `Jacobi()`. `value` is differentiable, in forward and reverse mode, by the floating-point
      arrays of `system` (`ffc.core.gradients`).
    - `verify`: end with plain sweeps (`ffc.core.verify`). They lead discrete values on to the plain sequential ones,
      and measure the residual of others.

    Raises `FFCError` where an argument is not what it should be, the solver does not fit the size of the system, the
    guess does not have the shape of its states, or a `discrete` system is differentiated.
    """
    states = arguments.state_of(system)
    plan = _plan(system, states, solver, stop, guess)
    if adjoint is None:
        adjoint = solver if plan.draft is not None and plan.draft.linear(transposed=True) else Jacobi()
    else:
        arguments.schedule_of(adjoint, system.size)
    end = programs.whole(plan, adjoint)
    solution = Solution(
        value=end.x,
        status_codes=end.status,
        iterations=end.iterations,
        certified=end.certified,
        size=system.size,
        steps_per_iteration=plan.how.schedule.block,
        undrafted=None if end.drafting is None else ~end.drafting,
        outputs=end.outputs,
    )
    return verified(system, solution) if verify else solution


@standard_modes()
def history_of(
    system: System,
    solver: Solver,
    solution: Solution,
    snapshots: tuple[int, ...] = (),
    guess: State | RowAbove | None = None,
) -> History:
    """Return the error curves of a `solution` that `solve(system, solver, guess=guess)` found, to its value.

    NumPy rows for the first guess and each iteration of the slowest sample, and the states at `snapshots`. Nobody has
    the answer before a first run has found it; so a second run keeps them, by the programs of the first, bit for bit.
    What a sequential solver holds on the way follows from its answer. It does not work inside `jit`. Raises `FFCError`
    as `solve` does.
    """
    arguments.check_outside_jit((system, solution.value, guess), "history_of")
    iterations = int(np.max(np.asarray(solution.iterations), initial=0))
    trace = Trace(solution.value, system.size, snapshots)  # as long as any run can be: solvers share its programs
    if isinstance(solver, Sequential) and not isinstance(guess, RowAbove):
        history = in_order(system.initial() if guess is None else guess, trace)
    else:
        plan = _plan(system, arguments.state_of(system), solver, Exact(), guess)
        history = programs.curves(plan, trace, iterations)
    cut = {
        name: np.asarray(curve)[: iterations + 1] for name, curve in history._asdict().items() if name != "snapshots"
    }
    cut["certified"] = np.minimum(cut["certified"], solution.certified)  # none beyond a value that is not finite
    return history._replace(**cut)


def _plan(
    system: System,
    states: State,
    solver: Solver,
    stop: Exact | Tolerance,
    guess: State | RowAbove | None,
) -> programs.Plan:
    """Return the arguments of `solve`, checked."""
    schedule = arguments.schedule_of(solver, system.size)
    arguments.check_windows_of(system, schedule, states)
    if system.returns_outputs and schedule.block > 1:
        raise FFCError(f"solver: {type(solver).__name__} evaluates in runs, which leave no outputs; give Jacobi()")
    limits = _limits(stop, system.size, states)
    row_above = isinstance(guess, RowAbove)
    first = None if guess is None or row_above else arguments.guess_of(guess, states)
    draft = arguments.draft_of(solver, schedule)
    system = system.in_step() if schedule.together else system
    how = loop.How(
        schedule,
        tolerant=isinstance(stop, Tolerance),
        row_above=row_above and _moves_by_rows(system, schedule, states),
    )
    return programs.Plan(how, system, first, limits, draft)


def _limits(stop: Exact | Tolerance, size: int, states: State) -> loop.Limits:
    """Return the numbers of a stopping rule; no run needs more iterations than there are blocks."""
    if not isinstance(stop, Exact | Tolerance):
        raise FFCError(f"stop: {stop!r} is no stopping rule; give Exact(max_iterations) or Tolerance(tolerance)")
    most = stop.max_iterations
    if most is not None:
        arguments.check_limit("max_iterations", most, whole=True)
    iterations = size if most is None else min(most, size) if isinstance(most, int) else jnp.minimum(most, size)
    if isinstance(stop, Exact):
        return loop.Limits(iterations)
    arguments.check_tolerance(states)
    arguments.check_limit("tolerance", stop.tolerance)
    arguments.check_limit("relative", stop.relative)
    return loop.Limits(iterations, stop.tolerance, stop.relative)


def _moves_by_rows(system: System, schedule: Schedule, states: State) -> bool:
    """Whether windows meet new rows on their way."""
    aligned = 1 < schedule.window < system.row_length or schedule.window % system.row_length == 0
    return len(jax.tree.leaves(states)) == 1 and aligned and schedule.window < system.size
