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
    found = file_or_box(arguments.checkpoint, arguments.size, arguments.trunc_lambda)
    shape = getattr(found.model, "shape", None)
    if arguments.size and shape and tuple(shape)[: len(arguments.size)] != arguments.size:
        own, asked = ("×".join(map(str, sides)) for sides in (shape, arguments.size))
        raise FFCError(f"--size {asked}: {arguments.checkpoint} says that its samples are of {own}; leave --size out")
    return found


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
    weights = arguments.checkpoint
    if _is_name(weights):
        from ffc import box

        weights = box.weights(str(weights))
    beside = weights.with_suffix(".json") if weights.suffix == ".flax" else None
    guess = expanded(arguments.guess) if arguments.guess.endswith(".npz") else None
    return [path for path in (weights, beside, arguments.noise, guess) if path]


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
    asked, named = options.system_options(arguments), getattr(arguments, "solver", None)
    found = system
    if about and (system | asked) == system and named in (None, about["solver"]):
        found = (
            about if named is None else system | {name: about[name] for name in ("window", "guess") if name in about}
        )
    for name, value in found.items():
        if name in arguments and getattr(arguments, name) in (None, False, options.GUESS):
            setattr(arguments, name, value)
    if "solver" in arguments and arguments.solver is None:
        arguments.solver = AUTO


def sampler(arguments: argparse.Namespace) -> Any:
    """Return the `Checkpoint` of a command whose model must be a `Sampler`."""
    from ffc.models import Sampler

    settle(arguments)
    found = checkpoint(arguments)
    if not isinstance(found.model, Sampler):
        kind = found.model.kind
        raise FFCError(f"{arguments.checkpoint}: {kind} draws no samples; give a PixelCNN++ or MADE checkpoint")
    if getattr(arguments, "image", None) and not found.model.has_pictures:
        raise FFCError(f"--image: the samples of this {found.model.kind} are no pictures; leave it out")
    return found


def load(arguments: argparse.Namespace) -> "tuple[Any, System]":
    """Return the `Checkpoint` of a `Sampler`, and its system for the noise that was asked for."""
    from ffc.cli.files import read_rows
    from ffc.core.keys import key_of
    from ffc.models.own import check_own

    file = None if arguments.noise is None else read_rows(arguments.noise, "u", arguments.batch)
    found = sampler(arguments)
    model = found.model
    batch = (arguments.batch or options.BATCH) if file is None else len(file)
    check_own(model, found.params, options.system_options(arguments))
    if getattr(arguments, "animate", None):
        animate.check_model(arguments, model, found.params, batch)
    if file is None:
        u = model.noise(key_of(arguments.seed), batch)
    else:
        try:
            u = model.check_noise(file)
        except FFCError as error:
            raise FFCError(f"{arguments.noise}: {error}") from None
    return found, model.system_with(options.system_options(arguments), found.params, u)


def guess(arguments: argparse.Namespace, model: Any, system: "System") -> Any:
    """Where the iterations begin: a guess by its name, or samples of an earlier run."""
    from ffc.cli.files import read_rows
    from ffc.core.system import batch_size
    from ffc.models.guess import guess_by_name

    if not arguments.guess.endswith(".npz"):
        return guess_by_name(arguments.guess, model, system)
    samples = read_rows(expanded(arguments.guess), "samples", batch_size(system.initial()))
    return model.state(samples)
