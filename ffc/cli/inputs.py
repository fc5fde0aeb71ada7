"""What the arguments of a command stand for: a checkpoint, its system, a first guess."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc.cli import animate, options
from ffc.core.errors import FFCError
from ffc.core.names import AUTO
from ffc.store.paths import check_checkpoint, expanded

if TYPE_CHECKING:
    from ffc.core.system import System
    from ffc.store.checkpoints import Checkpoint


def checkpoint(arguments: argparse.Namespace) -> "Checkpoint":
    """Return the checkpoint of a command, a file or in the box. A model of one's own is imported where it is named."""
    from ffc.models import model_class

    if arguments.model is not None:
        model_class(arguments.model)
    weights = file_or_box(arguments.checkpoint, arguments.size, arguments.trunc_lambda)
    shape, size = getattr(weights.model, "shape", None), arguments.size
    if size and shape and tuple(shape)[: len(size)] != size:
        own, asked = ("×".join(map(str, sides)) for sides in (shape, size))
        raise FFCError(f"--size {asked}: {arguments.checkpoint} says that its samples are of {own}; leave --size out")
    return weights


def check_there(path: Path) -> None:
    """`FFCError` where there is no checkpoint `path`, and no model of that name in the box: found out in a moment."""
    from ffc import box

    if _is_name(path):
        box.about(str(path))
    else:
        check_checkpoint(path)


def name(arguments: argparse.Namespace) -> str:
    """Return what a command calls the checkpoint: its name in the box, or that of its file."""
    return str(arguments.checkpoint) if _is_name(arguments.checkpoint) else arguments.checkpoint.name


def file_or_box(path: Path, size: Any = None, trunc_lambda: float | None = None) -> "Checkpoint":
    """Return the checkpoint `path`, or of that name in the box."""
    from ffc import box
    from ffc.store import checkpoints

    return box.load(str(path)) if _is_name(path) else checkpoints.load(path, size, trunc_lambda)


def files(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that a command on a checkpoint reads."""
    from ffc import box

    path = arguments.checkpoint
    weights = box.weights(str(path)) if _is_name(path) else path
    beside = weights.with_suffix(".json") if weights.suffix == ".flax" else None
    guess = expanded(arguments.guess) if arguments.guess.endswith(".npz") else None
    return [file for file in (weights, beside, arguments.noise, guess) if file]


def _is_name(path: Path) -> bool:
    """Whether it is not the path of a file, but a name for the box."""
    return not path.suffix and len(path.parts) == 1 and not path.is_file()


def settle(arguments: argparse.Namespace) -> None:
    """Complete the arguments from what the box says of a model in it: the system, and how it was the fastest.

    Where they name another system or another solver, only the rest; where no solver is named nor fits, it is a race.
    """
    from ffc import box

    about = box.about(str(arguments.checkpoint))["sampling"] if _is_name(arguments.checkpoint) else {}
    system = {name: value for name, value in about.items() if name in options.SYSTEM}
    named, values = getattr(arguments, "solver", None), system
    same = (system | options.system_options(arguments)) == system
    if about and same and named in (None, about["solver"]):
        values = (
            about if named is None else system | {name: about[name] for name in ("window", "guess") if name in about}
        )
    for name, value in values.items():
        if name in arguments and getattr(arguments, name) in (None, False, options.GUESS):
            setattr(arguments, name, value)
    if "solver" in arguments and arguments.solver is None:
        arguments.solver = AUTO


def sampler(arguments: argparse.Namespace) -> Any:
    """Return the `Checkpoint` of a command whose model must be a `Sampler`."""
    from ffc.models import Sampler

    settle(arguments)
    weights = checkpoint(arguments)
    kind = weights.model.kind
    if not isinstance(weights.model, Sampler):
        raise FFCError(f"{arguments.checkpoint}: {kind} draws no samples; give a PixelCNN++ or MADE checkpoint")
    if getattr(arguments, "image", None) and not weights.model.has_pictures:
        raise FFCError(f"--image: the samples of this {kind} are no pictures; leave it out")
    return weights


def load(arguments: argparse.Namespace) -> "tuple[Any, System]":
    """Return the `Checkpoint` of a `Sampler`, and its system for the noise that was asked for."""
    from ffc.cli.files import read_rows
    from ffc.core.keys import key_of
    from ffc.models.own import check_own

    file = None if arguments.noise is None else read_rows(arguments.noise, "u", arguments.batch)
    weights, words = sampler(arguments), options.system_options(arguments)
    model = weights.model
    check_own(model, weights.params, words)
    if file is None:
        u = model.noise(key_of(arguments.seed), arguments.batch or options.BATCH)
    else:
        try:
            u = model.check_noise(file)
        except FFCError as error:
            raise FFCError(f"{arguments.noise}: {error}") from None
    system = model.system_with(words, weights.params, u)
    if getattr(arguments, "animate", None):
        animate.check_model(model, system)
    return weights, system


def guess(arguments: argparse.Namespace, model: Any, system: "System") -> Any:
    """Where the iterations begin: a guess by its name, or samples of an earlier run."""
    from ffc.cli.files import read_rows
    from ffc.core.system import batch_size
    from ffc.models.guess import guess_by_name

    if not arguments.guess.endswith(".npz"):
        return guess_by_name(arguments.guess, model, system)
    samples = read_rows(expanded(arguments.guess), "samples", batch_size(system.initial()))
    return model.state(samples)
