"""`ffc models`: what is in the box. `ffc inspect`: what a checkpoint is."""

import argparse
from dataclasses import asdict
from typing import Any

from ffc.cli import DONE, inputs, options

_COLUMNS = ("name", "kind", "data", "image", "loss", "bytes")
#: What `inspect` says of where weights come from.
_HISTORY = ("origin", "data", "metrics", "command")


def add(commands: Any) -> None:
    """Add both commands to the parser."""
    options.add_command(commands, models, "list the models in the box: names for sample, compare and inspect")
    options.add_checkpoint(options.add_command(commands, inspect, "model, sizes, parameter count, SHA-256"))


def models(arguments: argparse.Namespace) -> int:
    """Print a row for each model in the box."""
    from ffc import box

    rows = [_COLUMNS, *(_row(name, box.about(name), box.weights(name).stat().st_size) for name in box.names())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return DONE


def inspect(arguments: argparse.Namespace) -> int:
    """Print model, sizes, parameters, SHA-256, and where the weights come from, a line each."""
    checkpoint = inputs.checkpoint(arguments)
    lines = {"file": arguments.checkpoint, "model": checkpoint.model.kind, **asdict(checkpoint.model)}
    lines |= {"parameters": f"{checkpoint.parameters:,}", "sha256": checkpoint.meta["sha256"]}
    lines |= {name: checkpoint.meta[name] for name in _HISTORY if name in checkpoint.meta}
    for name, value in lines.items():
        print(f"{name:<12} {_words(value)}")
    return DONE


def _words(value: Any) -> str:
    """Return a fact as words; of a section, its names and values."""
    section = isinstance(value, dict)
    return ", ".join(f"{name} {_words(one)}" for name, one in value.items()) if section else str(value)


def _row(name: str, about: dict, size: int) -> tuple[str, ...]:
    metrics, image = about["metrics"], "×".join(map(str, about["model"]["shape"]))
    loss = f"{metrics['test_loss']:.3f} {metrics['unit']}"
    return name, about["model"]["kind"], about["data"]["title"], image, loss, f"{size:,}"
