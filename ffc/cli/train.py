"""`ffc train`: a model of the library, on a data set or a folder of images."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc.cli import DONE, inputs, options
from ffc.core.errors import FFCError
from ffc.core.names import nearest
from ffc.models.kinds import KINDS
from ffc.store.locks import alone
from ffc.store.paths import expanded

if TYPE_CHECKING:
    from ffc.data import Dataset

#: Steps of training by default.
STEPS = 5000
#: How to train: the options, which are the fields of `ffc.training.TrainSettings`, and what they take.
SETTINGS: dict[str, tuple[Any, str]] = {
    "steps": (int, f"steps of training (default: {STEPS})"),
    "batch": (int, "images of a step (default: 64)"),
    "learning_rate": (float, "of Adam (default: 0.001)"),
    "decay": (str, "of the learning rate: cosine (default), or a factor for each step"),
    "ema": (float, "how much of the averaged weights each step keeps (default: 0.999)"),
    "clip": (float, "largest norm of a gradient (default: 1)"),
    "precision": (str, "of the network in training: float32 (default) or bfloat16"),
    "validate_every": (int, "steps between two validations, which choose the weights (default: 100)"),
    "save_every": (int, "steps between two saved states (default: 500)"),
    "max_minutes": (float, "end at the best weights so far after this time"),
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    text = "train a model on a data set or a folder of images; the same command continues a stopped run"
    command = options.add_command(commands, train, text)
    command.add_argument("kind", metavar="KIND", help=f"{', '.join(KINDS)}; or module:Class of your own")
    text = "digits, text, mnist, cifar10 … (found under FFC_DATA), or a folder"
    command.add_argument("data", metavar="DATA", help=text)
    text = "the weights; .json lies beside"
    command.add_argument("--out", required=True, type=expanded, metavar="OUT.flax", help=text)
    text = "a size of the model, say filters=16 or hidden=256,256; may be repeated"
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=text)
    text = "cut and resize images to N × N pixels, or a text to N bytes"
    command.add_argument("--size", type=options.at_least(1), metavar="N", help=text)
    command.add_argument("--download", action="store_true", help="fetch mnist or cifar10 if it is not there")
    text = "begin with its weights, a file or a name of ffc models, instead of fresh ones"
    command.add_argument("--start", type=expanded, metavar="CHECKPOINT", help=text)
    command.add_argument("--seed", type=options.seed, default=0, help="of weights and batches (default: 0)")
    for name, (kind, text) in SETTINGS.items():
        metavar = "N" if kind is int else "X" if kind is float else "WORD"
        command.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)


def train(arguments: argparse.Namespace) -> int:
    """Train, and write the checkpoint; the state lies beside it until it is there."""
    from ffc.cli.files import check_outputs

    out = arguments.out
    if out.suffix != ".flax":
        raise FFCError(f"{out}: weights are saved as .flax; choose such a name")
    check_outputs({"out": out})
    with alone(out.with_suffix(".training")):
        if out.exists():
            raise FFCError(f"{out}: is there already, and training would replace it; remove it, or name another file")
        return _train(arguments, out, out.with_suffix(".training"))


def _train(arguments: argparse.Namespace, out: Path, state: Path) -> int:
    from ffc.models import Sampler, build
    from ffc.training import discard, train_checkpoint

    section, model, dataset = settings(arguments), description(arguments), images(arguments)
    start = inputs.file_or_box(arguments.start) if arguments.start else None
    try:
        result = train_checkpoint(out, model, dataset, section, arguments.seed, state, start)
    except KeyboardInterrupt:
        if any(state.glob("*")):
            print(f"{state}: holds what is trained so far; the same command goes on from there", file=sys.stderr)
        raise
    discard(state)
    loss = f"{result.metrics['test_loss']:.4g} {result.metrics['unit']} on {len(dataset.test)} samples for testing"
    print(f"{out}: {loss} after {result.metrics['best_step']} steps, {result.seconds:.0f} s")
    built = build(model, dataset.shape, dataset.classes)
    if isinstance(built, Sampler):
        own = f" --model {arguments.kind}" if ":" in arguments.kind else ""
        picture = "--image samples.png" if built.has_pictures else "--out samples.npz"
        print(f"ffc sample {out}{own} {picture} draws from it")
    return DONE


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the `train:` section that the arguments stand for, checked."""
    from ffc.training import TrainSettings

    section = {"steps": STEPS} | {name: value for name in SETTINGS if (value := getattr(arguments, name)) is not None}
    if section.get("decay", "cosine") != "cosine":
        section["decay"] = _number("--decay", section["decay"], float)
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
        section[name] = _value(f"--set {name}", value, sizes[name])
    return section


def _value(option: str, text: str, default: Any) -> Any:
    """Return the value that `text` stands for, of the type that the size has by default."""
    if isinstance(default, tuple):
        return [_number(option, part, int) for part in text.split(",")]
    return _number(option, text, type(default)) if isinstance(default, int | float) else text


def _number(option: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise FFCError(f"{option}: expected {expected}, not {text!r}") from None


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
