"""What the arguments of a command stand for: a checkpoint, its system, a first guess."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc.cli import animate, options
from ffc.core.errors import FFCError
from ffc.core.named import AUTO

if TYPE_CHECKING:
    from ffc.core.system import System
    from ffc.store.checkpoints import Checkpoint


def checkpoint(arguments: argparse.Namespace) -> "Checkpoint":
    """The checkpoint of a command, a file or in the box; the model that reads it is imported where it is named."""
    from ffc import box
    from ffc.models import model_class
    from ffc.store import checkpoints

    if arguments.model is not None:
        model_class(arguments.model)
    if _is_name(arguments.checkpoint):
        return box.load(str(arguments.checkpoint))
    return checkpoints.load(arguments.checkpoint, arguments.size, arguments.trunc_lambda)


def _is_name(path: Path) -> bool:
    """Whether it is not the path of a file, but a name for the box."""
    return not path.suffix and len(path.parts) == 1 and not path.is_file()


def settle(arguments: argparse.Namespace) -> None:
    """Where no solver was named: for a model in the box the one that was the fastest there, and else a race.

    It was measured on a system that may round; where the arguments ask for another, it is a race, too.
    """
    from ffc import box

    measured: dict[str, Any] = {}
    if _is_name(arguments.checkpoint):
        measured = box.about(str(arguments.checkpoint))["sampling"]
    fits = all(measured.get(name) == value for name, value in options.system_options(arguments).items())
    for name, value in (measured if measured and fits else {"solver": AUTO}).items():
        if name != "guess" or arguments.guess == "zeros":  # a guess that was asked for stays
            setattr(arguments, name, value)


def sampler(arguments: argparse.Namespace) -> Any:
    """The `Checkpoint` of a command whose model must be a `Sampler`."""
    from ffc.models import Sampler

    if getattr(arguments, "solver", AUTO) is None:
        settle(arguments)
    found = checkpoint(arguments)
    if not isinstance(found.model, Sampler):
        kind = found.model.kind
        raise FFCError(f"{arguments.checkpoint}: {kind} draws no samples; give a PixelCNN++ or MADE checkpoint")
    return found


def load(arguments: argparse.Namespace) -> "tuple[Any, System]":
    """The `Checkpoint` of a `Sampler`, and its system for the noise that was asked for."""
    from ffc.cli.files import read_rows
    from ffc.core.keys import key_of

    file = None if arguments.noise is None else read_rows(arguments.noise, "u", arguments.batch)
    found = sampler(arguments)
    model = found.model
    batch = (arguments.batch or options.BATCH) if file is None else len(file)
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
    samples = read_rows(Path(arguments.guess), "samples", batch_size(system.initial()))
    return model.state(samples)
