"""Solvers by the names that presets and the command line use."""

from typing import Any

from ffc import tune
from ffc.errors import FFCError
from ffc.solve import RowAbove
from ffc.solvers import GSJacobi, Jacobi, JacobiGS, Sequential, Solver
from ffc.system import State, System

#: Solvers that a name, a window and a block decide.
FIXED = ("sequential", "cached", "jacobi", "gs_jacobi", "jacobi_gs")
#: Those, and the one that a short race on the system decides.
AUTO = "auto"
NAMES = (*FIXED, AUTO)


def solver_by_name(
    name: str,
    system: System,
    window: int | str | None = None,
    block: int | None = None,
    guess: State | RowAbove | None = None,
) -> Solver:
    """The solver `name`, fitted to `system`.

    `window` counts groups of blocks (rows of an image; half of them unless given), `block` counts blocks
    (a group unless given). The solver "auto" and the window "auto" are decided by `ffc.tune.race`, which runs
    the system from `guess`. Raises `FFCError` where the name, window or block does not fit.
    """
    groups = system.size // system.group
    if window is not None and window != AUTO and not (isinstance(window, int) and 1 <= window <= groups):
        raise FFCError(f"window: {window} rows; this system has {groups}: give 1 … {groups}, or auto")
    if block is not None and (block < 1 or system.size % block):
        raise FFCError(f"block: {block} does not divide the system's {system.size} blocks; a row has {system.group}")
    if name == AUTO:
        return tune.fastest(system, tune.candidates(system), guess)
    if name == "gs_jacobi":
        if window == AUTO:
            return tune.fastest(system, tune.windows(system), guess)
        rows = max(1, groups // 2) if window is None else int(window)
        return GSJacobi(rows * system.group)
    solvers: dict[str, Solver] = {
        "sequential": Sequential(),
        "cached": Sequential(cached=True),
        "jacobi": Jacobi(),
        "jacobi_gs": JacobiGS(block or system.group),
    }
    if name not in solvers:
        raise FFCError(f"solver {name!r}: expected one of {', '.join(NAMES)}")
    return solvers[name]


def entry_of(solver: Solver, system: System) -> dict[str, Any]:
    """What a preset calls a solver: the `solver`, `window` and `block` that `solver_by_name` makes it from."""
    if isinstance(solver, GSJacobi):
        return {"solver": "gs_jacobi", "window": solver.window // system.group}
    if isinstance(solver, JacobiGS):
        return {"solver": "jacobi_gs", "block": solver.block}
    if isinstance(solver, Sequential):
        return {"solver": "cached" if solver.cached else "sequential"}
    return {"solver": "jacobi"}
