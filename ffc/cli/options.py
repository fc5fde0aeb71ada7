"""Options of the command line: each is declared here once, for all commands that take it, or with its one command."""

import argparse
import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ffc import box
from ffc.core.errors import FFCError
from ffc.core.names import GUESSES, nearest
from ffc.store.paths import check_checkpoint, expanded

#: Samples that are drawn by default, and where iterations begin.
BATCH, GUESS = 4, "zeros"
#: Options of a sampling system, by their names (`Sampler.options`).
SYSTEM = {
    "quantize": "PixelCNN++: none (default), or 8bit (default in the box): round to 256 levels inside the system; "
    "flow: 12bit (default): round to multiples of 2**-12, or none",
    "coupling": "PixelCNN++: gumbel (default, the paper's) or inverse_cdf: how noise becomes pixels",
    "temperature": "transformer: 0 (always the likeliest token) or more (default: 1)",
    "top_k": "transformer: choose among the K likeliest tokens alone (default: all)",
    "prompt": "transformer of texts: the text that the samples begin with",
    "top_p": "transformer: choose among the likeliest tokens that have the probability P together (default: all)",
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are ours: one line, and an unknown option is told its neighbour."""

    def error(self, message: str) -> NoReturn:
        raise FFCError(f"{message}; see {self.prog} --help")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        arguments, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"{unknown[0]}: no such option{nearest(unknown[0], self._option_string_actions)}")
        return arguments, unknown


def add_command(commands: Any, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command, which `run` carries out."""
    command = commands.add_parser(run.__name__, help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the checkpoint that a command reads, and facts that a foreign one does not give."""
    text = "a .flax or .pth file, or a name of ffc models"
    command.add_argument("checkpoint", type=weights, metavar="CHECKPOINT", help=text)
    text = "image size, if the checkpoint does not say"
    command.add_argument("--size", type=image_size, metavar="HxW[xC]", help=text)
    command.add_argument("--model", metavar="MODULE:CLASS", help="a model of your own, imported to read its weights")
    command.add_argument("--trunc-lambda", type=float, metavar="λ", help="MADE's λ, if the checkpoint does not say")


def add_sampling(command: argparse.ArgumentParser) -> None:
    """Add what to sample from, by which window or block, and where to begin."""
    add_checkpoint(command)
    command.add_argument("--noise", type=expanded, metavar="FILE.npz", help="noise: the array u in the authors' layout")
    command.add_argument("--seed", type=int, default=0, help="seed of noise, without --noise: 0 (default) … 2**64 − 1")
    command.add_argument("--batch", type=count, metavar="N", help=f"samples (default: {BATCH}; of --noise: all)")
    text = "gs_jacobi: rows solved together, or 'N blocks', or auto"
    command.add_argument("--window", type=value, metavar="ROWS", help=text)
    command.add_argument("--block", type=count, metavar="N", help="jacobi_gs: pixels of a block, solved in order")
    text = "gs_jacobi, jacobi: draft what an iteration leaves open (transformer; PixelCNN++, 8bit)"
    command.add_argument("--draft", action="store_true", help=text)
    command.add_argument("--together", action="store_true", help="gs_jacobi: windows wait for the slowest sample")
    text = "where iterations begin (default: zeros; row_above: gs_jacobi)"
    command.add_argument("--guess", choices=GUESSES, default=GUESS, help=text)
    text = "leave out the plain sweeps that check samples, and correct 8-bit ones"
    command.add_argument("--no-verify", dest="verify", action="store_false", help=text)
    for option, text in SYSTEM.items():
        command.add_argument(f"--{option.replace('_', '-')}", help=text)


def weights(text: str) -> Path:
    """Return the type of an option that is a checkpoint: its file, or that of a model in the box."""
    return box.weights(text) if text in box.names() else expanded(text)


def check_weights(path: Path) -> None:
    """`FFCError` where there is no checkpoint `path`, and no model of that name in the box: found out in a moment."""
    if not path.suffix and len(path.parts) == 1 and not path.is_file():
        box.about(str(path))
    check_checkpoint(path)


def file(*suffixes: str) -> Callable[[str], Path]:
    """Return the type of an option that is a file to be written, whose name ends in one of `suffixes`."""

    def path(text: str) -> Path:
        file = expanded(text)
        if file.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{text} does not end in {suffixes[0]}; name it {file.stem}{suffixes[0]}")
        return file

    return path


def count(text: str) -> int:
    """Return the type of an option that is a whole number of at least 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return int(text)


def value(text: str) -> Any:
    """Return the type of an option that is a number, numbers with commas between them, null, or a word."""
    try:
        return None if text == "null" else ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def image_size(text: str) -> tuple[int, ...]:
    """Return the type of an option that is HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS."""
    sides = text.split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH, say 28x28, or 32x32x3 with channels; not {text!r}")
    return tuple(map(int, sides))


def system_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the options of the system that were set."""
    return {name: value for name in SYSTEM if (value := getattr(arguments, name)) is not None}
