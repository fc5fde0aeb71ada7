"""`ffc compare`: every solver on the same noise."""

import argparse
from functools import partial
from typing import Any

import numpy as np

from ffc.cli import DONE, NOT_EXACT, inputs, options
from ffc.core.errors import FFCError
from ffc.core.names import AUTO
from ffc.core.solvers import CLASSES, Sequential, Solver

_COLUMNS = ("iterations", "certified", "max |diff|", "residual", "seconds", "× sequential", "× cached")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    options.add_sampling(options.add_command(commands, compare, "all solvers on the same noise: one table"))


def compare(arguments: argparse.Namespace) -> int:
    """Print a row for each solver, all on the same noise, and which of them was the fastest."""
    from ffc.core.measure import timed_repeats
    from ffc.core.named import sizes_of
    from ffc.core.solve import solve
    from ffc.core.system import batch_size
    from ffc.core.verify import CONTRADICTION, contradictions, facts, largest_difference, verified

    checkpoint, system, guess = inputs.load(arguments)
    model, name, solvers = checkpoint.model, arguments.checkpoint.name, _solvers(arguments, system, guess)
    batch = f"{batch_size(system.initial())} samples of {system.size} blocks"
    print(f"{name}: {batch}; seconds are warm, for the whole batch")
    print(_row("solver", *_COLUMNS))
    answers: dict[str, dict[str, np.ndarray]] = {}
    spent: dict[str, float] = {}
    for label, solver in solvers.items():
        solution, (spent[label],) = timed_repeats(partial(solve, system, solver, x0=guess), repeats=1)
        solution = verified(system, solution) if arguments.verify else solution
        samples = np.asarray(model.samples(solution.value))
        answers[label] = one = {"samples": samples, **facts(system, solution)}
        cells = (
            solution.evaluations,
            f"{one['certified'].min()}/{system.size}",
            f"{largest_difference(samples, answers['sequential']['samples']).max():.1e}",
            f"{one['residual'].max():.1e}" if arguments.verify else "–",
            f"{spent[label]:.4g}",
            *(f"{spent[base] / spent[label]:.2f}" if base in spent else "–" for base in Sequential.names),
        )
        print(_row(label, *cells), flush=True)
    print("; ".join(f"{label}: {sizes}" for label, solver in solvers.items() if (sizes := sizes_of(solver, system))))
    best, base = (min(labels, key=spent.__getitem__) for labels in (spent, Sequential.names))
    ratio = f", {spent[base] / spent[best]:.2f} times as fast as {base}" if best != base else ""
    print(f"the fastest: {best}{ratio}")
    for label, one in answers.items():
        if corrected := one.get("corrected", np.zeros(1)).sum():
            print(f"{label}: plain sweeps corrected {corrected} blocks")
        if wrong := contradictions(one, answers["sequential"]):
            raise FFCError(f"{name}: sample {wrong[0]} by {label} {CONTRADICTION}")
    return DONE if all((one["status"] == "certified").all() for one in answers.values()) else NOT_EXACT


def _solvers(arguments: argparse.Namespace, system: Any, guess: Any) -> dict[str, Solver]:
    """Return the solvers of the table by their names: each kind, drafted windows, and the one that a race chooses.

    There is no race where the window is named, or is known to be the fastest, as of models in the box.
    """
    from ffc.core.named import solver_by_name

    window = arguments.window
    sizes = {"gs_jacobi": {"window": window, "together": arguments.together}, "jacobi_gs": {"block": arguments.block}}
    solvers = {name: solver_by_name(name, system, x0=guess, **sizes.get(name, {})) for name in CLASSES}
    if arguments.draft or system.draft() is not None:
        solvers["drafted"] = solver_by_name("gs_jacobi", system, x0=guess, draft=True, **sizes["gs_jacobi"])
    if window is None and (chosen := solver_by_name(AUTO, system, x0=guess)) not in solvers.values():
        solvers[AUTO] = chosen
    return solvers


def _row(name: str, *cells: Any) -> str:
    return f"{name:<12}" + "".join(f"{cell!s:>14}" for cell in cells)
