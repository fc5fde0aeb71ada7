"""`ffc sample --animate OUT.gif`: the sequential and the parallel sampler side by side."""

import argparse
from typing import TYPE_CHECKING, Any

from ffc.core.errors import FFCError
from ffc.store.paths import expanded

if TYPE_CHECKING:
    from ffc.core.solvers import Solver
    from ffc.core.system import System
    from ffc.models import Sampler

#: The sequential solvers to compare with; the first is the default. And what an animation calls them.
BASELINES = {"cached": "one after the other (cached)", "sequential": "one after the other (whole sweeps)"}
#: Samples of an animation at most, whose iterates are in memory; the first sixteen are shown.
MOST = 100


def add(command: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `ffc sample`."""
    text = "watch the solver beside the sequential one, at true relative speed, as an animation"
    command.add_argument("--animate", type=expanded, metavar="OUT.gif", help=text)
    text = "with --animate, the sequential solver: cached (default), the fastest, or sequential, the paper's"
    command.add_argument("--against", choices=tuple(BASELINES), help=text)


def check_words(arguments: argparse.Namespace) -> None:
    """`FFCError` on what the command line alone shows to be wrong."""
    path, against = arguments.animate, arguments.against
    if path is None and against:
        raise FFCError("--against belongs to --animate OUT.gif; give both, or leave it out")
    if path is None:
        return
    if path.suffix.lower() != ".gif":
        raise FFCError(f"--animate {path}: an animation is a .gif; name it {path.stem or 'samples'}.gif")
    if arguments.batches > 1:
        raise FFCError(f"--animate shows one batch, not {arguments.batches}; leave --batches out")
    _check_parallel(arguments.solver)


def _check_parallel(name: str | None) -> None:
    if name in BASELINES:
        raise FFCError(
            f"--animate compares a parallel solver with a sequential one, which {name} is; name another, say "
            "--solver gs_jacobi"
        )


def check_model(model: "Sampler", system: "System") -> None:
    """`FFCError` where samples are no pictures, or too many."""
    import jax

    if not model.has_pictures:
        raise FFCError(f"--animate: the samples of {model.kind} are no pictures; leave it out")
    batch, *shape = jax.eval_shape(lambda x: model.pictures(model.samples(x)), system.initial()).shape
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise FFCError(f"--animate: the samples of {model.kind} have the shape {shape}; pictures are gray or RGB")
    if batch > MOST:
        raise FFCError(f"--animate: iterates of {batch} samples could fill the memory; give --batch {MOST} or less")


def write(arguments: argparse.Namespace, model: "Sampler", system: "System", solver: "Solver", guess: Any) -> None:
    """Time both solvers, and write what they did."""
    from ffc.core.named import entry_of, solver_by_name
    from ffc.paper import animation
    from ffc.store.records import write_bytes

    entry = entry_of(solver, system)
    _check_parallel(entry["solver"])
    baseline = arguments.against or next(iter(BASELINES))
    parallel = f"in parallel ({entry['solver']}{', drafted' if entry.get('draft') else ''})"
    solvers = {BASELINES[baseline]: solver_by_name(baseline, system), parallel: solver}
    runs, clock = animation.race(model, system, solvers, guess)
    write_bytes(arguments.animate, animation.gif(animation.frames(runs, clock)))
    if not arguments.quiet:
        times = "; ".join(f"{run.name} {run.seconds:.3g} s" for run in runs)
        print(f"{arguments.animate}: {times}")
