"""solve(): any system by any schedule. It stops by itself, with a certificate (`ffc.core.loop` says what that is)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core import arguments, loop, programs
from ffc.core.compiled import standard_modes
from ffc.core.errors import FFCError
from ffc.core.history import History, curves, in_order
from ffc.core.solution import Solution, Status
from ffc.core.solvers import Jacobi, Schedule, Sequential, Solver
from ffc.core.system import State, System
from ffc.core.verify import verified


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
    x0: State | RowAbove | None = None,
    *,
    atol: float | jax.Array = 0.0,
    rtol: float | jax.Array = 0.0,
    max_iterations: int | jax.Array | None = None,
    adjoint: Solver | None = None,
    throw: bool = False,
    verify: bool = False,
) -> Solution:
    """Solve `system` by the schedule of `solver`, on the device alone: nothing of it waits for Python.

    A sample ends when all its blocks are certified, when its values are not finite, or at `max_iterations`.

    - `x0`: where the first iteration begins; None: `system.initial()`. It decides how many iterations are needed. The
      certified answer is the same, except for the last bits of real numbers where a window's sums depend on where it
      begins.
    - `atol`, `rtol`: accept a block that moves in one iteration by at most `atol` + `rtol` · (its largest absolute
      value). Faster, and not exact: windows follow the accepted blocks, and `Solution.certified` counts the exact ones.
      Both may be traced, as `max_iterations` may: a new number needs no new program.
    - `adjoint`: the solver of the linear systems for derivatives; None: `solver` where its draft is for them, too, as
      Newton's is, and else `Jacobi()`. `value` is differentiable, in forward and reverse mode, by the floating-point
      arrays of `system` (`ffc.core.gradients`).
    - `throw`: raise `FFCError` unless each sample is certified or within the tolerance; outside `jit`.
    - `verify`: end with plain sweeps (`ffc.core.verify`). They lead discrete values on to the plain sequential ones,
      and measure the residual of others.

    Raises `FFCError` where an argument is not of its kind, the solver does not fit the size of the system, `x0` does
    not have the shape of its states, or a `discrete` system is differentiated.
    """
    states = arguments.state_of(system)
    plan = _plan(system, states, solver, x0, _limits(system.size, states, atol, rtol, max_iterations))
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
    solution = verified(system, solution) if verify else solution
    if throw:
        arguments.check_outside_jit(solution.status_codes, "throw")
        if not set(solution.status) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}:
            raise FFCError(f"solve: {solution.message}")
    return solution


@standard_modes()
def history_of(
    system: System,
    solver: Solver,
    solution: Solution,
    snapshots: tuple[int, ...] = (),
    x0: State | RowAbove | None = None,
) -> History:
    """Return the error curves of a `solution` that `solve(system, solver, x0=x0)` gave, to its value.

    Rows are for the first guess and each iteration of the slowest sample; states are kept at `snapshots`. Nobody has
    the answer before a first run has found it; so a second run keeps them, by the programs of the first, bit for bit.
    What a sequential solver holds on the way follows from its answer. It does not work inside `jit`. Raises `FFCError`
    as `solve` does.
    """
    arguments.check_outside_jit((system, solution.value, x0), "history_of")
    iterations = int(np.max(np.asarray(solution.iterations), initial=0))
    if isinstance(solver, Sequential) and not isinstance(x0, RowAbove):
        iterates = in_order(system.initial() if x0 is None else x0, solution.value, iterations)
    else:
        plan = _plan(system, arguments.state_of(system), solver, x0, loop.Limits(system.size))
        iterates = programs.iterates(plan, iterations)
    history = curves(iterates, solution.value, iterations, snapshots)
    certified = np.minimum(history.certified, solution.certified)  # none beyond a value that is not finite
    return history._replace(certified=certified)


def _plan(
    system: System, states: State, solver: Solver, x0: State | RowAbove | None, limits: loop.Limits
) -> programs.Plan:
    """Return the arguments of `solve`, checked."""
    schedule = arguments.schedule_of(solver, system.size)
    arguments.check_windows_of(system, schedule, states)
    if system.returns_outputs and schedule.block > 1:
        raise FFCError(f"solver: {type(solver).__name__} evaluates in runs, which leave no outputs; give Jacobi()")
    row_above = isinstance(x0, RowAbove)
    first = None if x0 is None or row_above else arguments.start_of(x0, states)
    draft = arguments.draft_of(solver, schedule)
    system = system.in_step() if schedule.together else system
    tolerant = not all(isinstance(number, int | float) and number == 0 for number in limits[1:])
    how = loop.How(schedule, tolerant, row_above and _moves_by_rows(system, schedule, states))
    return programs.Plan(how, system, first, limits, draft)


def _limits(
    size: int, states: State, atol: float | jax.Array, rtol: float | jax.Array, most: int | jax.Array | None
) -> loop.Limits:
    """Return when to stop; no run needs more iterations than there are blocks."""
    most = size if most is None else most
    arguments.check_limit("max_iterations", most, whole=True)
    for name, number in {"atol": atol, "rtol": rtol}.items():
        arguments.check_limit(name, number)
    if not (isinstance(atol, int | float) and atol == 0 == rtol):
        arguments.check_tolerance(states)
    return loop.Limits(min(most, size) if isinstance(most, int) else jnp.minimum(most, size), atol, rtol)


def _moves_by_rows(system: System, schedule: Schedule, states: State) -> bool:
    """Whether windows meet new rows on their way."""
    aligned = 1 < schedule.window < system.row_length or schedule.window % system.row_length == 0
    return len(jax.tree.leaves(states)) == 1 and aligned and schedule.window < system.size
