"""`ffc sample`: draw a batch by one solver and write it to a file; or many, to a folder."""

import argparse
import sys
import time
from functools import partial
from typing import Any

import numpy as np

from ffc.cli import DONE, NOT_EXACT, inputs, options
from ffc.core.errors import FFCError
from ffc.core.solvers import SOLVERS, WORDS, Sequential, Solver
from ffc.store.paths import expanded

#: What an animation calls the sequential solvers.
BASELINES = {"cached": "one after the other (cached)", "sequential": "one after the other (whole sweeps)"}
#: Samples of an animation at most, whose iterates are in memory; the first sixteen are shown.
MOST = 100


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = options.add_command(commands, sample, "draw samples by one solver")
    text = "default: the one that was the fastest for a model in the box; else auto, a race"
    command.add_argument("--solver", choices=tuple(SOLVERS), help=text)
    command.add_argument("--out", type=expanded, metavar="OUT.npz", help="samples, iterations, certified …")
    text = "with N > 1, --out is a folder with a file for each batch; the same command continues a stopped run"
    command.add_argument("--batches", type=options.count, default=1, metavar="N", help=text)
    text = "the samples, or the first ones, as a picture"
    command.add_argument("--image", type=options.file(".png", ""), metavar="OUT.png", help=text)
    text = "watch the solver beside the sequential one, at true relative speed, as an animation"
    command.add_argument("--animate", type=options.file(".gif"), metavar="OUT.gif", help=text)
    text = "with --animate, the sequential solver: cached (default), the fastest, or sequential, the paper's"
    command.add_argument("--against", choices=tuple(Sequential.names), help=text)
    command.add_argument("--quiet", action="store_true", help="print only errors")
    options.add_sampling(command)


def sample(arguments: argparse.Namespace) -> int:
    """Draw the samples, and write and print what was asked for."""
    if arguments.against and not arguments.animate:
        raise FFCError("--against belongs to --animate OUT.gif; give both, or leave it out")
    return _draw_many(arguments) if arguments.batches > 1 else _draw_one(arguments)


def _draw_one(arguments: argparse.Namespace) -> int:
    from ffc.cli.files import check_outputs, write_image

    outputs = {name: getattr(arguments, name) for name in ("out", "image", "animate")}
    paths = check_outputs(outputs, inputs.files(arguments))
    from ffc.core.measure import repeated, timed
    from ffc.core.named import label_of, solver_by_name
    from ffc.core.solve import solve
    from ffc.core.verify import facts, verified
    from ffc.paper import animation
    from ffc.store.records import Record, provenance, write_bytes

    checkpoint, system, guess = inputs.load(arguments)
    model = checkpoint.model
    if not paths and model.has_pictures:
        raise FFCError("sample: nothing would be kept; name --image OUT.png, --out OUT.npz or --animate OUT.gif")
    say = partial(print, flush=True) if not arguments.quiet else lambda *_, **__: None
    sizes, began = {name: getattr(arguments, name) for name in WORDS}, time.perf_counter()
    solver = solver_by_name(arguments.solver, system, x0=guess, uses=1, **sizes)
    name = label_of(solver, system)
    watched = _contestants(system, solver, arguments.against or "cached") if arguments.animate else {}
    say(f"{name}: compiling, once for each size; then drawing …", file=sys.stderr)
    draw = partial(solve, system, solver, x0=guess)
    solution, _ = timed(draw)
    cold = time.perf_counter() - began  # a race, if there was one, and compilation
    seconds = repeated(draw, repeats=1)[0]
    if arguments.verify:  # untimed
        solution = verified(system, solution)
    samples = np.asarray(model.samples(solution.value))
    if arguments.out:
        settings = {"guess": arguments.guess, "verify": arguments.verify, "solver": repr(solver), "size": system.size}
        settings["noise"] = {"file": arguments.noise.name} if arguments.noise else {"seed": arguments.seed}
        settings |= {"system": options.system_options(arguments), "checkpoint": checkpoint.meta}
        arrays = {"samples": samples, "seconds": np.array(seconds), **facts(system, solution)}
        Record(arrays, settings | provenance()).save(arguments.out)
    if arguments.image:
        write_image(arguments.image, np.asarray(model.pictures(samples)))
    for number, text in enumerate(model.text(samples), 1):
        say(f"--- {number}\n{_printable(text)}\n")
    head, times = f"{paths[0]}: " if paths else "", f"{seconds:.3g} s warm, {cold:.3g} s with compilation"
    say(f"{head}{solution.message}; {solution.evaluations} iterations by {name}, {times}")
    if watched:
        runs, clock = animation.race(model, system, watched, guess)
        write_bytes(arguments.animate, animation.gif(animation.frames(runs, clock)))
        say(f"{arguments.animate}: {'; '.join(f'{run.name} {run.seconds:.3g} s' for run in runs)}")
    return DONE if solution.exact else NOT_EXACT


def _contestants(system: Any, solver: Solver, baseline: str) -> dict[str, Solver]:
    """Return both solvers by what an animation calls them; `FFCError` where they cannot be shown side by side."""
    from ffc.core.named import entry_of, solver_by_name
    from ffc.core.system import batch_size

    entry, batch = entry_of(solver, system), batch_size(system.initial())
    if entry["solver"] in BASELINES:
        raise FFCError(
            f"--animate compares a parallel solver with a sequential one, which {entry['solver']} is; name another, "
            "say --solver gs_jacobi"
        )
    if batch > MOST:
        raise FFCError(f"--animate: iterates of {batch} samples could fill the memory; give --batch {MOST} or less")
    parallel = f"in parallel ({entry['solver']}{', drafted' if entry.get('draft') else ''})"
    return {BASELINES[baseline]: solver_by_name(baseline, system), parallel: solver}


def _draw_many(arguments: argparse.Namespace) -> int:
    """Draw many batches, to a folder; the picture shows the first samples."""
    from ffc.cli import batches
    from ffc.cli.files import check_outputs, write_image

    count, out = arguments.batches, arguments.out
    for option in ("noise", "animate"):
        if getattr(arguments, option):
            raise FFCError(f"--{option}: a file is of one batch, not {count}; leave --batches out")
    if out is None or out.suffix == ".npz" or out.is_file():
        raise FFCError(f"{out or 'sample'}: {count} batches are a file each; name a folder for them, --out FOLDER")
    check_outputs({"out": out / batches.SUMMARY, "image": arguments.image}, inputs.files(arguments))
    checkpoint = inputs.sampler(arguments)
    words = {name: getattr(arguments, name) for name in ("solver", *WORDS, "guess", "seed", "verify")}
    words |= {"batch": arguments.batch or options.BATCH, "system": options.system_options(arguments)}
    source = batches.Source(checkpoint, words)
    exact, message = batches.draw(source, out, count, arguments.quiet)
    if arguments.image:
        write_image(arguments.image, np.asarray(source.model.pictures(batches.first_samples(out))))
    if not arguments.quiet:
        print(f"{out}: {message}")
    return DONE if exact else NOT_EXACT


def _printable(text: str) -> str:
    """Return a text with a sign for each letter that no terminal shows, as that which begins its commands."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
