"""A run's progress, and the one file that keeps it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import serialization

from ffc.models.base import Params
from ffc.store.records import write_bytes
from ffc.training.step import State

STATE = "state.msgpack"  # the file's name, in the folder of the run

Log = Callable[[str], None]


@dataclass
class Progress:
    """All that changes in a run: arrays on the device (`state`, `best`) and plain numbers."""

    state: State
    best: Params
    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    losses: list[float] = field(default_factory=list)  # since the last validation
    curves: dict[str, list[float]] = field(default_factory=lambda: {"step": [], "train_loss": [], "valid_loss": []})


def save(path: Path, fingerprint: str, progress: Progress) -> None:
    """Write the progress of the run that `fingerprint` stands for, whole or not at all."""
    tree = {"state": progress.state, "best": progress.best}
    numbers = {name: value for name, value in vars(progress).items() if name not in tree}
    content = serialization.to_bytes({"fingerprint": fingerprint, "numbers": json.dumps(numbers)} | tree)
    write_bytes(path, hashlib.sha256(content).digest() + content)


def restore(path: Path, fingerprint: str, fresh: Progress, log: Log) -> Progress:
    """Return the progress that this very run left in `path`, or `fresh`; `log` hears where there is another's state."""
    try:
        digest, content = (data := path.read_bytes())[:32], data[32:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("its checksum is wrong")
        saved = serialization.msgpack_restore(content)
        if saved["fingerprint"] != fingerprint:
            raise ValueError("it is of another model, data set, seed or other settings")
        target = {"state": fresh.state, "best": fresh.best}
        tree = serialization.from_state_dict(target, {name: saved[name] for name in target})
        progress = Progress(**jax.tree.map(jnp.asarray, tree), **json.loads(saved["numbers"]))
    except FileNotFoundError:
        return fresh
    except Exception as error:  # msgpack and flax raise types of their own
        log(f"{path}: cannot go on from this state ({error}); training starts afresh")
        return fresh
    log(f"{path}: going on from step {progress.step}")
    return progress
