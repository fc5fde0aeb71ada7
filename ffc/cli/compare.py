"""`ffc compare`: every solver on the same noise."""

import argparse
from functools import partial

import numpy as np

from ffc.cli import given
from ffc.cli.codes import DONE, NOT_EXACT
from ffc.core.errors import FFCError


def compare(arguments: argparse.Namespace) -> int:
    """`ffc compare`: every solver on the same noise, one table."""
    from ffc.core.measure import timed_repeats
    from ffc.core.named import sizes_of, solver_by_name
    from ffc.core.names import FIXED
    from ffc.core.solve import solve
    from ffc.core.system import batch_size
    from ffc.core.verify import CONTRADICTION, contradictions, count_ties, facts, largest_difference, verified

    checkpoint, system = given.load(arguments)
    model, guess = checkpoint.model, given.guess(arguments, checkpoint.model, system)
    words = arguments.window, arguments.block, guess
    solvers = {name: solver_by_name(name, system, *words) for name in FIXED}
    if arguments.draft:
        together = arguments.together
        solvers["drafted"] = solver_by_name("gs_jacobi", system, arguments.window, None, guess, True, together)
    elif arguments.together:
        raise FFCError("--together: in this table it belongs to --draft; give both, or leave it out")
    batch = f"{batch_size(system.initial())} samples of {system.size} blocks"
    print(f"{checkpoint.meta['file']}: {batch}; seconds are warm, for the whole batch")
    print(_row("solver", "iterations", "certified", "max |diff|", "residual", "seconds", "× sequential", "× cached"))
    answers: dict[str, dict[str, np.ndarray]] = {}
    spent, exact, proven, corrected = {}, True, True, []
    for name, solver in solvers.items():
        solution, seconds = timed_repeats(partial(solve, system, solver, guess=guess), repeats=1)
        solution = verified(system, solution) if arguments.verify else solution
        found = {fact: np.asarray(array) for fact, array in facts(solution).items()}
        proven = proven and bool(found) and bool(found["proven"].all())
        corrected += [f"{blocks} of {name}" for blocks in [found.get("corrected", np.zeros(1)).sum()] if blocks]
        ties = np.asarray(count_ties(system, solution.value))
        status = np.array([status.name.lower() for status in solution.status])
        samples = np.asarray(model.samples(solution.value))
        answers[name] = found | {"samples": samples, "ties": ties, "status": status}
        answer = next(iter(answers.values()))
        spent[name], exact = seconds[0], exact and solution.exact
        print(
            _row(
                name,
                solution.evaluations,
                f"{np.asarray(solution.certified).min()}/{system.size}",
                f"{largest_difference(answers[name]['samples'], answer['samples']).max():.1e}",
                f"{found['residual'].max():.1e}" if found else "–",
                f"{seconds[0]:.4g}",
                *(f"{spent[base] / seconds[0]:.2f}" if base in spent else "–" for base in ("sequential", "cached")),
            ),
            flush=True,
        )
    print("; ".join(f"{name}: {sizes}" for name, solver in solvers.items() if (sizes := sizes_of(solver, system))))
    if corrected:
        print(f"blocks that plain sweeps corrected: {', '.join(corrected)}")
    if (ties := answer["ties"]).any() and not proven:
        print(f"ties: {', '.join(map(str, ties))} blocks of the samples; from its first on, solvers may differ")
    for name, other in answers.items():
        if wrong := contradictions(other, answer):
            raise FFCError(f"{checkpoint.meta['file']}: sample {wrong[0]} by {name} {CONTRADICTION}")
    return DONE if exact else NOT_EXACT


def _row(name, *cells) -> str:
    return f"{name:<12}" + "".join(f"{cell!s:>14}" for cell in cells)
