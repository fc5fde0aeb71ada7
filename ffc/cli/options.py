"""Options of the command line: each is declared here once, for all commands that take it, or with its one command."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ffc.core.errors import FFCError
from ffc.core.names import AUTO, BLOCKS, SEEDS, nearest
from ffc.core.solvers import SOLVERS, WORDS, owners
from ffc.store.paths import expanded

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
    """A parser whose complaints are ours: one line."""

    #: The commands that `add_command` adds to.
    commands: Any

    def error(self, message: str) -> NoReturn:
        raise FFCError(f"{message}; see {self.prog} --help")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the arguments; an unknown option is told its neighbour among those of its command."""
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            commands = self.commands.choices
            command = commands.get(next((word for word in words if word in commands), ""), self)
            names = [option for action in command._actions for option in action.option_strings]
            command.error(f"{unknown[0]}: no such option{nearest(unknown[0], names)}")
        return arguments


def add_command(commands: Any, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command, which `run` carries out."""
    command = commands.add_parser(run.__name__, help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the checkpoint that a command reads, and facts that a foreign one does not give."""
    text = "a .flax or .pth file, or a name of ffc models"
    command.add_argument("checkpoint", type=expanded, metavar="CHECKPOINT", help=text)
    text = "image size, if the checkpoint does not say"
    command.add_argument("--size", type=image_size, metavar="HxW[xC]", help=text)
    command.add_argument("--model", metavar="MODULE:CLASS", help="a model of your own, imported to read its weights")
    command.add_argument("--trunc-lambda", type=float, metavar="λ", help="MADE's λ, if the checkpoint does not say")


def add_sampling(command: argparse.ArgumentParser) -> None:
    """Add what to sample from, by which window or block, and where to begin."""
    add_checkpoint(command)
    command.add_argument("--noise", type=expanded, metavar="FILE.npz", help="noise: the array u in the authors' layout")
    command.add_argument("--seed", type=seed, default=0, help="seed of noise, without --noise: 0 (default) … 2**64 − 1")
    command.add_argument("--batch", type=at_least(1), metavar="N", help=f"samples (default: {BATCH}; of --noise: all)")
    text = "gs_jacobi: rows solved together, or 'N blocks', or auto"
    command.add_argument("--window", type=window, metavar="ROWS", help=text)
    command.add_argument("--block", type=at_least(1), metavar="N", help="jacobi_gs: pixels of a block, solved in order")
    text = "gs_jacobi, jacobi: draft what an iteration leaves open (transformer; PixelCNN++, 8bit)"
    command.add_argument("--draft", action="store_true", help=text)
    command.add_argument("--together", action="store_true", help="gs_jacobi: windows wait for the slowest sample")
    text = "where iterations begin: zeros (default), black, mean, row_above (gs_jacobi), or samples of OUT.npz"
    command.add_argument("--guess", default=GUESS, metavar="GUESS", help=text)
    text = "leave out the plain sweeps that check samples, and correct 8-bit ones"
    command.add_argument("--no-verify", dest="verify", action="store_false", help=text)
    for option, text in SYSTEM.items():
        command.add_argument(f"--{option.replace('_', '-')}", help=text)


def at_least(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number of at least `least`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, not {text!r}")
        return int(text)

    return number


def seed(text: str) -> int:
    """Return the type of an option that is a seed."""
    if not text.isdecimal() or len(text) > len(str(SEEDS)) or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2**64 − 1, not {text!r}")
    return int(text)


def window(text: str) -> int | str:
    """Return the type of an option that is a number of rows or of blocks, or left to a race."""
    if text == AUTO or BLOCKS.fullmatch(text):
        return text
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected rows (2), blocks ('8 blocks') or auto, not {text!r}")
    return int(text)


def image_size(text: str) -> tuple[int, ...]:
    """Return the type of an option that is HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS."""
    sides = text.split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH, say 28x28, or 32x32x3 with channels; not {text!r}")
    return tuple(map(int, sides))


def check_solver(arguments: argparse.Namespace) -> None:
    """`FFCError` on an option of another solver than the one that was named, or else raced for."""
    named = arguments.solver or AUTO
    for option in WORDS:
        if getattr(arguments, option) and option not in SOLVERS[named]:
            raise FFCError(f"--{option} belongs to --solver {owners(option)}, not {named}; leave it out")


def system_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the options of the system that were set."""
    return {name: value for name in SYSTEM if (value := getattr(arguments, name)) is not None}
