"""`ffc models`: what is in the box."""

import argparse
from typing import Any

_COLUMNS = ("name", "kind", "data", "image", "loss", "bytes")


def add(commands: Any) -> None:
    """The command, for the parser."""
    text = "list the models in the box: names for sample, compare and inspect"
    command = commands.add_parser("models", help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=models)


def models(arguments: argparse.Namespace) -> int:
    """A row for each model in the box."""
    from ffc import box

    rows = [_COLUMNS, *(_row(name, box.about(name), box.weights(name).stat().st_size) for name in box.names())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(name: str, about: dict, size: int) -> tuple[str, ...]:
    metrics, image = about["metrics"], "×".join(map(str, about["model"]["shape"]))
    loss = f"{metrics['test_loss']:.3f} {metrics['unit']}"
    return name, about["model"]["kind"], about["data"]["title"], image, loss, f"{size:,}"
