"""Solvers by the names that presets and the command line use."""

from dataclasses import replace
from typing import Any

from ffc.core import tune
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.names import AUTO, BLOCKS, DRAFTED, NAMES
from ffc.core.solve import RowAbove
from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential, Solver
from ffc.core.system import State, System


def solver_by_name(
    name: str,
    system: System,
    window: int | str | None = None,
    block: int | None = None,
    x0: State | RowAbove | None = None,
    draft: Draft | bool = False,
    together: bool = False,
    uses: int | None = None,
) -> Solver:
    """Return the solver `name`, fitted to `system`.

    `window` counts rows (of an image; half of them unless given, one with a draft), or blocks: "8 blocks" (pixels,
    entries of MADE, or tokens, which lie in no rows: 8 with a draft). `block` counts blocks (None: a row). `draft` is
    one, or True for the system's own.
    The solver "auto" and the window "auto" are decided by `ffc.core.tune.race`, which runs the system from `x0`.
    Where the solver is to be used `uses` times, a race lasts no longer than these take one block after the other.
    Raises `FFCError` where the name, window, block or draft does not fit.
    """
    if block is not None and (block < 1 or system.size % block):
        raise FFCError(
            f"block: {block} does not divide the system's {system.size} blocks; a row has {system.row_length}"
        )
    if name not in NAMES:
        raise FFCError(f"solver {name!r}: expected one of {', '.join(NAMES)}")
    if together and name != "gs_jacobi":
        raise FFCError(f"together: {name} has no windows that move; give gs_jacobi, or leave it out")
    own = _draft(draft, name, system)
    if name == AUTO:
        return tune.fastest(system, tune.candidates(system), x0, uses)
    if name == "gs_jacobi" and window == AUTO:
        raced = tune.windows(system) if own is None else tune.drafted(system, own)
        raced = [replace(solver, together=together or solver.together) for solver in raced]
        return tune.fastest(system, raced, x0, uses)
    if name == "gs_jacobi":
        if window is None and own is not None:
            return GSJacobi(tune.drafted_lengths(system)[0], draft=own, together=together)
        return GSJacobi(_window_in_blocks(window, system), draft=own, together=together)
    solvers: dict[str, Solver] = {
        "sequential": Sequential(),
        "cached": Sequential(cached=True),
        "jacobi": Jacobi(draft=own),
        "jacobi_gs": JacobiGS(block or system.row_length),
    }
    return solvers[name]


def is_chosen(name: str, window: int | str | None) -> bool:
    """Whether a race decides the solver `name` with this `window`."""
    return AUTO in (name, window)


def entry_of(solver: Solver, system: System) -> dict[str, Any]:
    """Return what a preset calls a solver: `solver` and the options that `solver_by_name` makes it from."""
    drafted = {"draft": True} if getattr(solver, "draft", None) is not None else {}
    if isinstance(solver, GSJacobi):
        rows, rest = divmod(solver.window, system.row_length)
        window = {"window": f"{solver.window} blocks" if rest else rows}
        return {"solver": "gs_jacobi", **window, **drafted, **({"together": True} if solver.together else {})}
    if isinstance(solver, JacobiGS):
        return {"solver": "jacobi_gs", "block": solver.block}
    if isinstance(solver, Sequential):
        return {"solver": "cached" if solver.cached else "sequential"}
    return {"solver": "jacobi", **drafted}


def told(solver: Solver, system: System) -> str:
    """Return a solver in the words that choose it: "gs_jacobi (window 7 blocks, draft)"."""
    sizes = sizes_of(solver, system)
    return entry_of(solver, system)["solver"] + (f" ({sizes})" if sizes else "")


def sizes_of(solver: Solver, system: System) -> str:
    """Return what a solver is besides its name: "window 7 blocks, draft"; empty where the name says all."""
    entry = entry_of(solver, system)
    if isinstance(rows := entry.get("window"), int):
        entry["window"] = f"{rows} {'blocks' if system.row_length == 1 else 'rows' if rows > 1 else 'row'}"
    return ", ".join(name if value is True else f"{name} {value}" for name, value in entry.items() if name != "solver")


def own_draft(system: System) -> Draft:
    """Return the draft that `system` offers, or `FFCError`."""
    draft = system.draft()
    if draft is None:
        raise FFCError(
            "draft: this system offers none; PixelCNN++ does where pixels are rounded (quantize: 8bit), and so does a "
            "transformer; leave it out"
        )
    return draft


def _draft(draft: Draft | bool | None, name: str, system: System) -> Draft | None:
    if not draft:
        return None
    if name not in DRAFTED:
        raise FFCError(f"draft: {name} takes none; it belongs to {' and '.join(DRAFTED)}; leave it out")
    return own_draft(system) if draft is True else draft


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
