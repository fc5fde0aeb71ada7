"""`ffc train`: a model of the library, on a data set or a folder of images."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc.cli import DONE, options
from ffc.core.errors import FFCError
from ffc.core.names import nearest
from ffc.models.kinds import KINDS
from ffc.store.locks import alone
from ffc.store.paths import expanded
from ffc.training import TrainSettings

if TYPE_CHECKING:
    from ffc.data import Dataset

#: Steps of training by default.
STEPS = 5000


def add(commands: Any) -> None:
    """Add the command to the parser."""
    text = "train a model on a data set or a folder of images; the same command continues a stopped run"
    command = options.add_command(commands, train, text)
    command.add_argument("kind", metavar="KIND", help=f"{', '.join(KINDS)}; or module:Class of your own")
    text = "digits, text, mnist, cifar10 … (found under FFC_DATA), or a folder"
    command.add_argument("data", metavar="DATA", help=text)
    text = "the weights; .json lies beside"
    command.add_argument("--out", required=True, type=options.file(".flax"), metavar="OUT.flax", help=text)
    text = "a size of the model, say filters=16 or hidden=256,256; may be repeated"
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=text)
    text = "cut and resize images to N × N pixels, or a text to N bytes"
    command.add_argument("--size", type=options.count, metavar="N", help=text)
    command.add_argument("--download", action="store_true", help="fetch mnist or cifar10 if it is not there")
    text = "begin with its weights, a file or a name of ffc models, instead of fresh ones"
    command.add_argument("--start", type=options.weights, metavar="CHECKPOINT", help=text)
    command.add_argument("--seed", type=int, default=0, help="of weights and batches (default: 0)")
    for key in dataclasses.fields(TrainSettings):
        text = f"{key.metadata['help']} (default: {STEPS if key.name == 'steps' else key.default})"
        name = f"--{key.name.replace('_', '-')}"
        command.add_argument(name, type=options.value, default=argparse.SUPPRESS, metavar="X", help=text)


def train(arguments: argparse.Namespace) -> int:
    """Train, and write the checkpoint; the state lies beside it until it is there."""
    from ffc.cli.files import check_outputs

    out = arguments.out
    check_outputs({"out": out})
    with alone(out.with_suffix(".training")):
        if out.exists():
            raise FFCError(f"{out}: is there already, and training would replace it; remove it, or name another file")
        return _train(arguments, out, out.with_suffix(".training"))


def _train(arguments: argparse.Namespace, out: Path, state: Path) -> int:
    from ffc.store import checkpoints
    from ffc.training import discard, train_checkpoint

    section, model, dataset = settings(arguments), description(arguments), images(arguments)
    start = checkpoints.load(arguments.start) if arguments.start else None
    try:
        result = train_checkpoint(out, model, dataset, section, arguments.seed, state, start)
    except KeyboardInterrupt:
        if any(state.glob("*")):
            print(f"{state}: holds what is trained so far; the same command goes on from there", file=sys.stderr)
        raise
    discard(state)
    loss = f"{result.metrics['test_loss']:.4g} {result.metrics['unit']} on {len(dataset.test)} samples for testing"
    print(f"{out}: {loss} after {result.metrics['best_step']} steps, {result.seconds:.0f} s")
    return DONE


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the `train:` section that the arguments stand for, checked."""
    names = [key.name for key in dataclasses.fields(TrainSettings) if key.name in arguments]
    section = {"steps": STEPS} | {name: getattr(arguments, name) for name in names}
    TrainSettings.of(section)
    return section


def description(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the `model:` section that the arguments stand for, with no size that the model lacks."""
    from ffc.models import model_class

    fields = {field.name: field.default for field in dataclasses.fields(model_class(arguments.kind))}
    sizes = {name: default for name, default in fields.items() if name not in ("shape", "classes")}
    section: dict[str, Any] = {"kind": arguments.kind}
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise FFCError(f"--set {text}: expected NAME=VALUE; sizes of {arguments.kind} are {', '.join(sizes)}")
        if name not in sizes:
            near = nearest(name, sizes)
            raise FFCError(f"--set {text}: {arguments.kind} has no size {name}{near}; it has {', '.join(sizes)}")
        section[name] = options.value(value)
        if isinstance(sizes[name], tuple) and not isinstance(section[name], tuple):
            section[name] = (section[name],)
        if isinstance(section[name], str) and isinstance(sizes[name], int | float):
            raise FFCError(f"--set {text}: expected a number, not {value!r}")
    return section


def images(arguments: argparse.Namespace) -> "Dataset":
    """Return the data set that the arguments name, or the pictures of a folder."""
    from ffc.data import DATASETS, load

    name, folder = arguments.data, expanded(arguments.data)
    words: dict[str, Any] = {"size": arguments.size} | ({"download": True} if arguments.download else {})
    if name in DATASETS:
        return load(name, **words)
    if not folder.is_dir():
        names = ", ".join(choice for choice in DATASETS if choice != "image_folder")
        raise FFCError(f"{name}: no data set and no folder{nearest(name, DATASETS)}; data sets are {names}")
    if arguments.size is None:
        raise FFCError(f"{folder}: a folder's images are cut and resized to squares; say how large, --size 32")
    return load("image_folder", path=str(folder.resolve()), **words)
