"""`TrainSettings`: how to train, checked; without JAX until it is used."""

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ffc.core.errors import FFCError
from ffc.core.names import nearest

if TYPE_CHECKING:
    import jax

_PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainSettings:
    """How to train: a preset's `train:` section. Raises `FFCError` on a value that makes no sense."""

    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    decay: float | str = "cosine"  #: of the learning rate: "cosine" to 0 at the last step, or a factor for each step
    ema: float = 0.999  #: how much of the averaged weights each step keeps (less in the first steps)
    clip: float | None = 1.0  #: largest global norm of a gradient; None: no limit
    precision: str = "float32"  #: of the network in training, or "bfloat16"; weights, averages and losses are float32
    validate_every: int = 100
    save_every: int = 500  #: steps between two saved states; every validation saves one too
    max_minutes: float | None = None  #: end at the best weights so far after this time

    def __post_init__(self):
        for name in ("steps", "batch", "validate_every", "save_every"):
            value = getattr(self, name)
            self._require(name, isinstance(value, int) and value >= 1, "a whole number above 0")
        self._require("learning_rate", self._number("learning_rate") > 0, "a number above 0 (write 1.0e-3, not 1e-3)")
        decaying = self.decay == "cosine" or 0 < self._number("decay") <= 1
        self._require("decay", decaying, "cosine, or a factor for each step: above 0, at most 1")
        self._require("ema", 0 <= self._number("ema") < 1, "a number from 0 to below 1")
        self._require("precision", self.precision in _PRECISIONS, " or ".join(_PRECISIONS))
        for name in ("clip", "max_minutes"):
            self._require(name, getattr(self, name) is None or self._number(name) > 0, "a number above 0, or null")

    @classmethod
    def of(cls, section: dict[str, Any]) -> "TrainSettings":
        """From a preset's `train:` section; `FFCError` names an unknown or missing key."""
        names = [entry.name for entry in dataclasses.fields(cls)]
        if unknown := [str(key) for key in section if key not in names]:
            hint = nearest(unknown[0], names)
            raise FFCError(f"train: unknown key {', '.join(unknown)}; expected {', '.join(names)}{hint}")
        if "steps" not in section:
            raise FFCError("train: steps is missing; say how many")
        return cls(**section)

    def rate(self, step: "int | jax.Array") -> "jax.Array":
        """Return the learning rate at a step, counted from 0."""
        import jax.numpy as jnp

        if self.decay == "cosine":
            return self.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * step / self.steps))
        return self.learning_rate * jnp.float32(self.decay) ** step

    @property
    def dtype(self) -> Any:
        import jax.numpy as jnp

        return getattr(jnp, self.precision)

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        numeric = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
        return value if numeric else math.nan

    def _require(self, name: str, holds: bool, expected: str) -> None:
        value = getattr(self, name)
        if not holds or isinstance(value, bool):
            raise FFCError(f"train: {name} is {value!r}; expected {expected}")
