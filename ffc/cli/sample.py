"""`ffc sample`: draw a batch by one solver and write it to a file; or many, to a folder."""

import argparse
import sys
import time
from functools import partial
from typing import Any

import numpy as np

from ffc.cli import DONE, NOT_EXACT, animate, inputs, options
from ffc.core.errors import FFCError
from ffc.core.solvers import SOLVERS, WORDS
from ffc.store.paths import expanded


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = options.add_command(commands, sample, "draw samples by one solver")
    text = "default: the one that was the fastest for a model in the box; else auto, a race"
    command.add_argument("--solver", choices=tuple(SOLVERS), help=text)
    command.add_argument("--out", type=expanded, metavar="OUT.npz", help="samples, iterations, certified …")
    text = "with N > 1, --out is a folder with a file for each batch; the same command continues a stopped run"
    command.add_argument("--batches", type=options.at_least(1), default=1, metavar="N", help=text)
    text = "the samples, or the first ones, as a picture"
    command.add_argument("--image", type=expanded, metavar="OUT.png", help=text)
    animate.add(command)
    command.add_argument("--quiet", action="store_true", help="print only errors")
    options.add_sampling(command)


def sample(arguments: argparse.Namespace) -> int:
    """Draw the samples, and write and print what was asked for."""
    options.check_solver(arguments)
    animate.check_words(arguments)
    image = arguments.image
    if image is not None and image.suffix.lower() not in ("", ".png"):
        raise FFCError(f"--image {image}: a picture is a .png; name it {image.stem or 'samples'}.png")
    return _draw_many(arguments) if arguments.batches > 1 else _draw_one(arguments)


def _draw_one(arguments: argparse.Namespace) -> int:
    from ffc.cli.files import check_outputs, write_image

    outputs = check_outputs(
        {name: getattr(arguments, name) for name in ("out", "image", "animate")}, inputs.files(arguments)
    )
    from ffc.cli.batches import outcome
    from ffc.core.measure import repeated, timed
    from ffc.core.named import label_of, solver_by_name
    from ffc.core.solve import solve
    from ffc.core.verify import verified
    from ffc.store.records import Record, provenance

    checkpoint, system = inputs.load(arguments)
    model = checkpoint.model
    if not outputs and model.has_pictures:
        raise FFCError("sample: nothing would be kept; name --image OUT.png, --out OUT.npz or --animate OUT.gif")
    guess, began = inputs.guess(arguments, model, system), time.perf_counter()
    sizes = {name: getattr(arguments, name) for name in WORDS}
    solver = solver_by_name(arguments.solver, system, x0=guess, uses=1, **sizes)
    name = label_of(solver, system)
    if not arguments.quiet:
        print(f"{name}: compiling, once for each size; then drawing …", file=sys.stderr)
    draw = partial(solve, system, solver, x0=guess)
    solution, _ = timed(draw)
    cold = time.perf_counter() - began  # a race, if there was one, and compilation
    seconds = repeated(draw, repeats=1)[0]
    if arguments.verify:  # untimed
        solution = verified(system, solution)
    arrays = outcome(model, system, solution) | {"seconds": seconds}
    if arguments.out:
        settings = {name: getattr(arguments, name) for name in ("guess", "verify")}
        settings |= {"solver": repr(solver), "system": options.system_options(arguments), "size": system.size}
        settings["noise"] = {"file": arguments.noise.name} if arguments.noise else {"seed": arguments.seed}
        Record(arrays, settings | {"checkpoint": checkpoint.meta} | provenance()).save(arguments.out)
    if arguments.image:
        write_image(arguments.image, np.asarray(model.pictures(arrays["samples"])))
    if not arguments.quiet:
        for number, text in enumerate(model.text(arrays["samples"]), 1):
            print(f"--- {number}\n{_printable(text)}\n")
        head = f"{outputs[0]}: " if outputs else ""
        times = f"{seconds:.3g} s warm, {cold:.3g} s with compilation"
        print(f"{head}{solution.message}; {solution.evaluations} iterations by {name}, {times}", flush=True)
    if arguments.animate:
        animate.write(arguments, model, system, solver, guess)
    return DONE if solution.exact else NOT_EXACT


def _draw_many(arguments: argparse.Namespace) -> int:
    """Draw many batches, to a folder; the picture shows the first samples."""
    from ffc.cli import batches
    from ffc.cli.files import check_outputs, write_image

    count, out = arguments.batches, arguments.out
    for option, file in (("noise", arguments.noise), ("guess", arguments.guess.endswith(".npz"))):
        if file:
            raise FFCError(f"--{option}: a file serves one batch, not {count}; leave --batches out")
    if out is None or out.suffix == ".npz" or out.is_file():
        raise FFCError(f"{out or 'sample'}: {count} batches are a file each; name a folder for them, --out FOLDER")
    check_outputs({"out": out / batches.SUMMARY, "image": arguments.image}, inputs.files(arguments))
    checkpoint = inputs.sampler(arguments)
    words = {name: getattr(arguments, name) for name in batches.DECISIVE} | {"batch": arguments.batch or options.BATCH}
    source = batches.Source(checkpoint, words | {"system": options.system_options(arguments)})
    exact, message = batches.draw(source, out, count, arguments.quiet)
    if arguments.image:
        write_image(arguments.image, np.asarray(source.model.pictures(batches.first_samples(out))))
    if not arguments.quiet:
        print(f"{out}: {message}")
    return DONE if exact else NOT_EXACT


def _printable(text: str) -> str:
    """Return a text with a sign for each letter that no terminal shows, as that which begins its commands."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
