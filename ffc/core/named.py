"""Solvers by the names that presets and the command line use."""

from dataclasses import replace
from typing import Any

from ffc.core import tune
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.names import AUTO
from ffc.core.solve import RowAbove
from ffc.core.solvers import CLASSES, SOLVERS, Solver, owners
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
    if name not in SOLVERS:
        raise FFCError(f"solver {name!r}: expected one of {', '.join(SOLVERS)}")
    for word, value in {"window": window, "block": block, "draft": draft, "together": together}.items():
        if value is not None and value is not False and word not in SOLVERS[name]:
            raise FFCError(f"{word}: {name} takes none; it belongs to {owners(word)}; leave it out")
    own = system.draft() if draft is True else draft or None
    if draft and own is None:
        raise FFCError(
            "draft: this system offers none; PixelCNN++ does where pixels are rounded (quantize: 8bit), and so does a "
            "transformer; leave it out"
        )
    if name == AUTO:
        return tune.fastest(system, tune.candidates(system), x0, uses)
    if window == AUTO:
        raced = tune.windows(system) if own is None else tune.drafted(system, own)
        raced = [replace(solver, together=together or solver.together) for solver in raced]
        return tune.fastest(system, raced, x0, uses)
    if window is None and own is not None:
        window = f"{tune.drafted_lengths(system)[0]} blocks"
    said: dict[str, Any] = {"window": window, "block": block, "draft": own, "together": together}
    kind = CLASSES[name]
    return kind.fitted(system, **kind.names[name], **{word: said[word] for word in kind.words if word in said})


def is_chosen(name: str, window: int | str | None) -> bool:
    """Whether a race decides the solver `name` with this `window`."""
    return AUTO in (name, window)


def entry_of(solver: Solver, system: System) -> dict[str, Any]:
    """Return what a preset calls a solver: `solver` and the options that `solver_by_name` makes it from."""
    names = type(solver).names.items()
    name = next(name for name, options in names if all(getattr(solver, key) == options[key] for key in options))
    return {"solver": name} | {word: value for word, value in solver.entry(system).items() if value}


def label_of(solver: Solver, system: System) -> str:
    """Return a solver in the words that choose it: "gs_jacobi (window 7 blocks, draft)"."""
    sizes = sizes_of(solver, system)
    return entry_of(solver, system)["solver"] + (f" ({sizes})" if sizes else "")


def sizes_of(solver: Solver, system: System) -> str:
    """Return what a solver is besides its name: "window 7 blocks, draft"; empty where the name says all."""
    entry = entry_of(solver, system)
    if isinstance(rows := entry.get("window"), int):
        entry["window"] = f"{rows} {'blocks' if system.row_length == 1 else 'rows' if rows > 1 else 'row'}"
    return ", ".join(name if value is True else f"{name} {value}" for name, value in entry.items() if name != "solver")
