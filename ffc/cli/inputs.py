"""What the arguments of a command stand for: a checkpoint, its system, a first guess."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc import box
from ffc.cli import options
from ffc.core.errors import FFCError
from ffc.core.names import AUTO

if TYPE_CHECKING:
    from ffc.core.system import System
    from ffc.store.checkpoints import Checkpoint


def checkpoint(arguments: argparse.Namespace) -> "Checkpoint":
    """Return the checkpoint of a command. A model of one's own is imported where it is named."""
    from ffc.models import model_class
    from ffc.store import checkpoints

    if arguments.model is not None:
        model_class(arguments.model)
    weights = checkpoints.load(arguments.checkpoint, arguments.size, arguments.trunc_lambda)
    shape, size = getattr(weights.model, "shape", None), arguments.size
    if size and shape and tuple(shape)[: len(size)] != size:
        own, asked = ("×".join(map(str, sides)) for sides in (shape, size))
        raise FFCError(f"--size {asked}: {arguments.checkpoint} says that its samples are of {own}; leave --size out")
    return weights


def files(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that a command on a checkpoint reads."""
    weights = arguments.checkpoint
    beside = weights.with_suffix(".json") if weights.suffix == ".flax" else None
    return [file for file in (weights, beside, arguments.noise) if file]


def settle(arguments: argparse.Namespace) -> None:
    """Complete the arguments from what the box says of a model in it: the system, and how it was the fastest.

    Where they name another system or another solver, only the system; where no solver is named nor fits, it is a race.
    """
    path = arguments.checkpoint
    about = box.about(path.stem)["sampling"] if path.parent == box.FOLDER else {}
    system = {name: value for name, value in about.items() if name in options.SYSTEM}
    fits = (system | options.system_options(arguments)) == system
    fits &= getattr(arguments, "solver", None) in (None, about.get("solver"))
    for name, value in (about if fits else system).items():
        said = getattr(arguments, name, 0)  # 0 where the command has no such option; a window of 0 is wrong, and said
        if said is None or said is False or said == options.GUESS:
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
    for option in ("image", "animate"):
        if getattr(arguments, option, None) and not weights.model.has_pictures:
            raise FFCError(f"--{option}: the samples of this {kind} are no pictures; leave it out")
    return weights


def load(arguments: argparse.Namespace) -> "tuple[Any, System, Any]":
    """Return the `Checkpoint` of a `Sampler`, its system for the noise that was asked for, and the first guess."""
    from ffc.cli.files import read_noise
    from ffc.core.keys import key_of
    from ffc.models.guess import guess_by_name
    from ffc.models.own import check_own

    file = None if arguments.noise is None else read_noise(arguments.noise, arguments.batch)
    weights, system = sampler(arguments), options.system_options(arguments)
    model = weights.model
    check_own(model, weights.params, system)
    if file is None:
        u = model.noise(key_of(arguments.seed), arguments.batch or options.BATCH)
    else:
        try:
            u = model.check_noise(file)
        except FFCError as error:
            raise FFCError(f"{arguments.noise}: {error}") from None
    question = model.system_with(system, weights.params, u)
    return weights, question, guess_by_name(arguments.guess, model, question)
