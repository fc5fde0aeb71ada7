"""`ffc models`: what is in the box. `ffc inspect`: what a checkpoint is."""

import argparse
from dataclasses import asdict
from typing import Any

from ffc import box
from ffc.cli import DONE, inputs, options

#: What `inspect` says of where weights come from.
_HISTORY = ("origin", "data", "metrics", "command")


def add(commands: Any) -> None:
    """Add both commands to the parser."""
    options.add_command(commands, models, "list the models in the box: names for sample, compare and inspect")
    options.add_checkpoint(options.add_command(commands, inspect, "model, sizes, parameter count, SHA-256"))


def models(arguments: argparse.Namespace) -> int:
    """Print a row for each model in the box."""
    print(_row("name", "kind", "data", "image", "loss", "bytes"))
    for name in box.names():
        about = box.about(name)
        image, metrics = "×".join(map(str, about["model"]["shape"])), about["metrics"]
        loss, size = f"{metrics['test_loss']:.3f} {metrics['unit']}", box.weights(name).stat().st_size
        print(_row(name, about["model"]["kind"], about["data"]["title"], image, loss, f"{size:,}"))
    return DONE


def inspect(arguments: argparse.Namespace) -> int:
    """Print model, sizes, parameters, SHA-256, and where the weights come from, a line each."""
    checkpoint = inputs.checkpoint(arguments)
    lines = {"file": arguments.checkpoint, "model": checkpoint.model.kind, **asdict(checkpoint.model)}
    lines |= {"parameters": f"{checkpoint.parameters:,}", "sha256": checkpoint.meta["sha256"]}
    lines |= {name: checkpoint.meta[name] for name in _HISTORY if name in checkpoint.meta}
    for name, value in lines.items():
        print(f"{name:<12} {value}")
    return DONE


def _row(name: str, kind: str, data: str, *cells: str) -> str:
    return f"{name:<14}{kind:<13}{data:<23}" + "".join(f"{cell:<17}" for cell in cells).rstrip()
