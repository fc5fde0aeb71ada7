"""The command line `ffc`: sample from a checkpoint, compare the solvers on it, say what it is; list those in the box,
train one's own; time a preset's solvers against each other; keep its small records.

Heavy modules are imported where they are used, so that `--help` and a mistyped option answer at once.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ffc import __version__
from ffc.cli import animate, given, models, options, train
from ffc.cli.codes import DONE, ERROR, INTERRUPTED, NOT_EXACT
from ffc.cli.compare import compare
from ffc.cli.terminal import empty_buffer, make_tolerant, problem_of_output, readable
from ffc.core.devices import missing_device
from ffc.core.errors import FFCError, need, place_of
from ffc.core.names import NAMES
from ffc.store.compiled import cache_folder, keep_compiled
from ffc.store.paths import expanded

#: The folders of a preset's results that a benchmark reads.
INPUTS = ("records", "data", "checkpoints")
#: What a batch is drawn by, of the words of a command.
WORDS = ("solver", "window", "block", "guess", "draft", "together", "seed", "verify")


def main(argv: list[str] | None = None) -> int:
    """Run `ffc` with `argv` (the process's own unless given) and return its exit code."""
    make_tolerant()
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        need("flax", "PIL", "shtab", "tqdm", extra="cli")
        arguments = _parser().parse([word for word in argv if word != "--debug"])
        if "checkpoint" in arguments:
            given.check_there(arguments.checkpoint)
        keep_compiled(cache_folder())
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("ffc: interrupted; nothing was left half-written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `ffc … | head`
        return DONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"ffc: error: {_told(error)}", file=sys.stderr)
        return ERROR
    finally:
        empty_buffer()


def sample(arguments: argparse.Namespace) -> int:
    """`ffc sample`: draw a batch by one solver and write it to a file; or many, to a folder."""
    options.check_solver(arguments)
    animate.check_words(arguments)
    if arguments.image is not None and arguments.image.suffix.lower() not in ("", ".png"):
        raise FFCError(
            f"--image {arguments.image}: a picture is a .png; name it {arguments.image.stem or 'samples'}.png"
        )
    from ffc.cli.files import check_outputs, write_image

    if arguments.batches > 1:
        return _sample_many(arguments)
    outputs = {name: getattr(arguments, name) for name in ("out", "image", "animate")}
    kept = check_outputs(outputs, given.files(arguments))
    from ffc.cli.stream import fetch, outcome
    from ffc.core.measure import repeated, timed
    from ffc.core.named import solver_by_name, told
    from ffc.core.solve import solve
    from ffc.core.verify import verified
    from ffc.store.records import Record, provenance

    checkpoint, system = given.load(arguments)
    if not kept and checkpoint.model.has_pictures:
        raise FFCError("sample: nothing would be kept; name --image OUT.png, --out OUT.npz or --animate OUT.gif")
    model, guess = checkpoint.model, given.guess(arguments, checkpoint.model, system)
    draft, together = arguments.draft, arguments.together
    began = time.perf_counter()
    words = arguments.solver, system, arguments.window, arguments.block, guess, draft, together
    solver = solver_by_name(*words, uses=1)
    name = told(solver, system)
    _tell(arguments, f"{name}: compiling, once for each size; then drawing …")
    solution, _ = timed(lambda: solve(system, solver, x0=guess))
    cold = time.perf_counter() - began  # a race, if there was one, and compilation
    seconds = repeated(lambda: solve(system, solver, x0=guess), repeats=1)
    if arguments.verify:  # untimed
        solution = verified(system, solution)
    arrays = fetch(outcome(model, system, solution)) | {"seconds": seconds[0]}
    noise = {"file": arguments.noise.name} if arguments.noise else {"seed": arguments.seed}
    settings = {
        "solver": repr(solver),
        "system": options.system_options(arguments),
        "guess": arguments.guess,
        "verify": arguments.verify,
        "noise": noise,
        "size": solution.size,
        "checkpoint": checkpoint.meta,
    }
    if arguments.out:
        Record(arrays, settings | provenance()).save(arguments.out)
    if arguments.image:
        write_image(arguments.image, np.asarray(model.pictures(arrays["samples"])))
    if not arguments.quiet:
        sys.stdout.writelines(readable(model.text(arrays["samples"])))
        head = f"{kept[0]}: " if kept else ""
        times = f"{seconds[0]:.3g} s warm, {cold:.3g} s with compilation"
        print(f"{head}{solution.message}; {solution.evaluations} iterations by {name}, {times}", flush=True)
    if arguments.animate:
        animate.write(arguments, model, system, solver, guess)
    return DONE if solution.exact else NOT_EXACT


def _sample_many(arguments: argparse.Namespace) -> int:
    """Many batches, to a folder; the picture shows the first samples."""
    from ffc.cli import stream
    from ffc.cli.files import check_outputs, write_image

    for option, file in (("noise", arguments.noise), ("guess", arguments.guess.endswith(".npz"))):
        if file:
            raise FFCError(f"--{option}: a file serves one batch, not {arguments.batches}; leave --batches out")
    if arguments.out is None:
        raise FFCError(f"sample: {arguments.batches} batches are a file each; name a folder for them, --out FOLDER")
    if arguments.out.suffix == ".npz" or arguments.out.is_file():
        raise FFCError(f"{arguments.out}: {arguments.batches} batches are a file each; name a folder for them")
    check_outputs({"out": arguments.out / stream.SUMMARY, "image": arguments.image}, given.files(arguments))
    checkpoint = given.sampler(arguments)
    words = {name: getattr(arguments, name) for name in WORDS}
    system, batch = options.system_options(arguments), arguments.batch or options.BATCH
    source = stream.Source(checkpoint, **words, system=system, batch=batch)
    drawn = stream.draw(source, arguments.out, arguments.batches, arguments.quiet)
    if arguments.image:
        first = stream.first_samples(arguments.out)
        write_image(arguments.image, np.asarray(source.model.pictures(first)))
    if not arguments.quiet:
        print(f"{arguments.out}: {drawn.message}")
    return DONE if drawn.exact else NOT_EXACT


def bench(arguments: argparse.Namespace) -> int:
    """`ffc bench`: every solver of a preset that has run against the sequential baselines, in one process."""
    need("matplotlib", extra="paper")
    from ffc.cli.files import check_outputs
    from ffc.paper.bench import bench, to_markdown
    from ffc.paper.figures import from_root

    results, system = from_root("results") / arguments.preset, options.system_options(arguments)
    check_outputs({"out": arguments.out}, (file for part in INPUTS for file in (results / part).rglob("*")))
    record = bench(results, arguments.tasks, arguments.repeats, system)
    if arguments.out:
        record.save(arguments.out)
    print(to_markdown(record), end="")
    return DONE


def keep(arguments: argparse.Namespace) -> int:
    """`ffc keep`: the small form of a finished preset's records, for the repository."""
    need("matplotlib", extra="paper")
    from ffc.paper import reference

    copies = reference.keep(arguments.results, arguments.into)
    print(f"{copies[0].parents[1]}: {len(copies)} records")
    return DONE


def completion(arguments: argparse.Namespace) -> int:
    """`ffc completion`: the program that lets a shell complete all this."""
    from ffc.cli.completion import script

    print(script(_parser(), arguments.shell))
    return DONE


def _parser() -> options.Parser:
    parser = options.Parser(prog="ffc", description="Sample from autoregressive models by parallel solvers, exactly.")
    parser.add_argument("--version", action="version", version=f"ffc {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error (anywhere on the line)")
    commands = parser.add_subparsers(title="commands", required=True)
    parser.commands = commands.choices

    command = _command(commands, sample, "draw samples by one solver")
    text = "default: the one that was the fastest for a model in the box; else auto, a race"
    command.add_argument("--solver", choices=NAMES, help=text)
    command.add_argument("--out", type=expanded, metavar="OUT.npz", help="samples, iterations, certified …")
    text = "with N > 1, --out is a folder with a file for each batch; the same command continues a stopped run"
    command.add_argument("--batches", type=options.at_least(1), default=1, metavar="N", help=text)
    command.add_argument(
        "--image", type=expanded, metavar="OUT.png", help="the samples, or the first ones, as a picture"
    )
    animate.add(command)
    command.add_argument("--quiet", action="store_true", help="print only errors")
    options.add_sampling(command)

    command = _command(commands, compare, "all solvers on the same noise: one table")
    options.add_sampling(command)

    _command(commands, models.inspect, "model, sizes, parameter count, SHA-256")

    models.add(commands)
    train.add(commands)

    text = "time all solvers of a preset that has run, in turn: one table"
    command = commands.add_parser("bench", help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=bench)
    command.add_argument("--preset", default="quick", help="the preset (default: quick)")
    command.add_argument("--tasks", nargs="+", metavar="TASK", help="tasks of the preset (default: all)")
    command.add_argument("--repeats", type=options.at_least(1), default=5, metavar="N", help="default: 5")
    command.add_argument("--out", type=expanded, metavar="OUT.npz", help="write every repeat to this file")
    options.add_system(command)

    text = "keep the small records of a finished preset, for the repository"
    command = commands.add_parser("keep", help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=keep)
    command.add_argument("results", type=expanded, metavar="results/PRESET", help="the folder of a finished preset")
    command.add_argument("--into", type=expanded, default=Path("results/reference"), help="default: results/reference")

    text = 'print a script for your shell: eval "$(ffc completion bash)"'
    command = commands.add_parser("completion", help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=completion)
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _command(commands: Any, run: Callable, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(run.__name__, help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=run)
    command.add_argument(
        "checkpoint", type=expanded, metavar="CHECKPOINT", help="a .flax or .pth file, or a name of ffc models"
    )
    command.add_argument(
        "--size", type=options.image_size, metavar="HxW[xC]", help="image size, if the checkpoint does not say"
    )
    command.add_argument("--model", metavar="MODULE:CLASS", help="a model of your own, imported to read its weights")
    command.add_argument("--trunc-lambda", type=float, metavar="λ", help="MADE's λ, if the checkpoint does not say")
    return command


def _told(error: Exception) -> str:
    """Return what a user reads of an error: one line."""
    message = " ".join(str(error).split())
    if isinstance(error, FFCError):
        return message
    told = f"{type(error).__name__}: {message}{place_of(error)}"
    return problem_of_output(error) or missing_device() or f"{told} (the command again with --debug shows more)"


def _tell(arguments: argparse.Namespace, line: str) -> None:
    """Print what takes its time, where results don't go."""
    if not arguments.quiet:
        print(line, file=sys.stderr)
