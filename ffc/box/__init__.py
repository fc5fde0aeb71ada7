"""Models in the box: small trained weights that come with the library, found by name.

Each is a checkpoint of two files here: `NAME.flax`, compact (`ffc.store.checkpoints.save`), and `NAME.json`, which
says what it is: model, data and their licence, training and the command that repeats it, loss, SHA-256, the solver that
was fastest, and levels of a sample that tests draw again. `ffc.box.make` makes them.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffc.core.errors import FFCError, need
from ffc.core.names import nearest

if TYPE_CHECKING:
    from ffc.store.checkpoints import Checkpoint

__all__ = ["about", "load", "names", "weights"]

FOLDER = Path(__file__).parent
_AGAIN = "run in a clone of the project: pip install --force-reinstall '.[checkpoints]'"


def names() -> list[str]:
    """Return the models in the box, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def about(name: str) -> dict[str, Any]:
    """Return what the model `name` is, JSON-able. Raises `FFCError`, with the nearest names, where there is none."""
    choices = names()
    if name not in choices:
        near = nearest(name, choices)
        raise FFCError(f"{name}: no model of that name is in the box{near}; it has {', '.join(choices) or 'nothing'}")
    return json.loads((FOLDER / f"{name}.json").read_text())


def weights(name: str) -> Path:
    """Return the file of the weights. Raises `FFCError` where the installation lacks it, or it is not what was made."""
    recorded, path = about(name)["sha256"], FOLDER / f"{name}.flax"
    if not path.is_file():
        raise FFCError(f"{name}: this installation lacks its weights ({path.name}); {_AGAIN}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != recorded:
        raise FFCError(f"{path}: damaged, for its SHA-256 is not the recorded one; {_AGAIN}")
    return path


def load(name: str) -> "Checkpoint":
    """Return the model `name`, with its weights. Raises `FFCError` as `weights` does."""
    need("flax", extra="checkpoints")
    from ffc.store import checkpoints  # which JAX comes with

    return checkpoints.load(weights(name))
