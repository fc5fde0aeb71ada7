"""What an experiment is asked to do, read once for all tasks."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.measure import peak_memory
from ffc.core.solution import Solution
from ffc.data import Dataset
from ffc.models import model_class
from ffc.store import checkpoints
from ffc.store.records import Record, provenance


class Way(NamedTuple):
    """A program of a solver: `function(*arguments)` is a task's answer, and the `Solution` that it was taken from.

    A pass in order has none: it takes `size` steps.
    """

    function: Callable[..., tuple[Any, Solution | None]]
    arguments: tuple
    size: int  # of the system, in blocks
    passes: float  # evaluations of the whole system in an iteration


@dataclass(frozen=True)
class Job:
    """One solver of one task: settings as the preset gives them, and the files that it reads."""

    task: str
    settings: dict[str, Any]
    solver: str
    seed: int
    repeats: int
    checkpoint: Path | None = None
    data: Path | None = None
    reference: Path | None = None

    def __post_init__(self):
        if self.solver not in self.settings["solvers"]:
            raise FFCError(f"tasks.{self.task}.solvers: no entry {self.solver!r}; name one of the preset's")

    @property
    def options(self) -> dict[str, Any]:
        """The solver's entry in the settings."""
        return self.settings["solvers"][self.solver] or {}

    @property
    def kind(self) -> str:
        """Which solver it is: its entry's `solver`, or else its name."""
        return self.options.get("solver", self.solver)

    @property
    def system(self) -> dict[str, str]:
        """Options of the sampling system (`Sampler.options`): the entry's own, or else the task's."""
        return self.options.get("system", self.settings.get("system", {}))

    def key(self, *numbers: int) -> jax.Array:
        """Return a random key that depends on the seed, the task and `numbers`, and not on the solver."""
        key = jax.random.fold_in(key_of(self.seed), zlib.crc32(self.task.encode()))
        for number in numbers:
            key = jax.random.fold_in(key, number)
        return key

    def load_checkpoint(self) -> checkpoints.Checkpoint:
        if "model" in self.settings:
            model_class(self.settings["model"]["kind"])  # one's own is imported because the preset says so
        return checkpoints.load(self._given("checkpoint"))

    def load_data(self) -> Dataset:
        return Dataset.load(self._given("data"))

    def load_reference(self) -> Record:
        """Return the record of the task's sequential solver."""
        return Record.load(self._given("reference"))

    def record(self, arrays: dict[str, Any], **meta: Any) -> Record:
        """`arrays` with all that a figure must be able to say about them."""
        meta |= {
            "task": self.task,
            "solver": self.solver,
            "kind": self.kind,
            "settings": self.settings,
            "seed": self.seed,
            "repeats": self.repeats,
            "peak_memory_bytes": peak_memory(),
            **provenance(),
        }
        if self.data is not None:
            dataset = Record.load(self.data).meta
            meta["data"] = {name: dataset[name] for name in ("name", "title")}
        elif "data" in (checkpoint := meta.get("checkpoint", {})):  # of noise alone: the data are the weights'
            meta["data"] = {name: checkpoint["data"][name] for name in ("name", "title")}
        return Record(arrays, meta)

    def _given(self, name: str) -> Path:
        path = getattr(self, name)
        if path is None:
            raise FFCError(f"task {self.task}, solver {self.solver}: it needs a {name}; give the path of one")
        return path
