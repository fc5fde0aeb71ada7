"""Solvers by the names that presets and the command line use."""

import re
from typing import Any

from ffc.core import tune
from ffc.core.errors import FFCError
from ffc.core.solve import RowAbove
from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential, Solver
from ffc.core.system import State, System

#: Solvers that a name, a window and a block decide.
FIXED = ("sequential", "cached", "jacobi", "gs_jacobi", "jacobi_gs")
#: Those, and the one that a short race on the system decides.
AUTO = "auto"
NAMES = (*FIXED, AUTO)
#: A window that is given in blocks, not in rows.
BLOCKS = re.compile(r"([1-9][0-9]*) blocks")


def solver_by_name(
    name: str,
    system: System,
    window: int | str | None = None,
    block: int | None = None,
    guess: State | RowAbove | None = None,
) -> Solver:
    """The solver `name`, fitted to `system`.

    `window` counts rows (of an image; half of them unless given), or blocks: "8 blocks" (pixels, or entries of
    MADE). `block` counts blocks (a row unless given). The solver "auto" and the window "auto" are
    decided by `ffc.core.tune.race`, which runs the system from `guess`. Raises `FFCError` where the name, window or
    block does not fit.
    """
    if block is not None and (block < 1 or system.size % block):
        raise FFCError(
            f"block: {block} does not divide the system's {system.size} blocks; a row has {system.row_length}"
        )
    if name == AUTO:
        return tune.fastest(system, tune.candidates(system), guess)
    if name == "gs_jacobi":
        if window == AUTO:
            return tune.fastest(system, tune.windows(system), guess)
        return GSJacobi(_window_in_blocks(window, system))
    solvers: dict[str, Solver] = {
        "sequential": Sequential(),
        "cached": Sequential(cached=True),
        "jacobi": Jacobi(),
        "jacobi_gs": JacobiGS(block or system.row_length),
    }
    if name not in solvers:
        raise FFCError(f"solver {name!r}: expected one of {', '.join(NAMES)}")
    return solvers[name]


def entry_of(solver: Solver, system: System) -> dict[str, Any]:
    """What a preset calls a solver: the `solver`, `window` and `block` that `solver_by_name` makes it from."""
    if isinstance(solver, GSJacobi):
        rows, rest = divmod(solver.window, system.row_length)
        return {"solver": "gs_jacobi", "window": f"{solver.window} blocks" if rest else rows}
    if isinstance(solver, JacobiGS):
        return {"solver": "jacobi_gs", "block": solver.block}
    if isinstance(solver, Sequential):
        return {"solver": "cached" if solver.cached else "sequential"}
    return {"solver": "jacobi"}


def _window_in_blocks(window: int | str | None, system: System) -> int:
    rows = system.size // system.row_length
    if window is None:
        return max(1, rows // 2) * system.row_length
    if isinstance(window, int) and 1 <= window <= rows:
        return window * system.row_length
    blocks = BLOCKS.fullmatch(window) if isinstance(window, str) else None
    if blocks and int(blocks[1]) <= system.size:
        return int(blocks[1])
    raise FFCError(
        f"window: {window}; this system has {rows} rows of {system.row_length} blocks: "
        f"give 1 … {rows} (rows), 'N blocks', or auto"
    )
