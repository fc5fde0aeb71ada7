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


def _key(text: str, default: Any = dataclasses.MISSING) -> Any:
    """Return a field with words for the command line's help."""
    return dataclasses.field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainSettings:
    """How to train: a preset's `train:` section. Raises `FFCError` on a value that makes no sense."""

    steps: int = _key("steps of training")
    batch: int = _key("images of a step", 64)
    learning_rate: float = _key("of Adam", 1e-3)
    decay: float | str = _key("of the learning rate: cosine (to 0 at the end), or a factor for each step", "cosine")
    ema: float = _key("how much of the averaged weights each step keeps (less in the first steps)", 0.999)
    clip: float | None = _key("largest norm of a gradient; null: no limit", 1.0)
    precision: str = _key("of the network in training: float32 or bfloat16; all else is float32", "float32")
    validate_every: int = _key("steps between two validations, which choose the weights", 100)
    save_every: int = _key("steps between two saved states; every validation saves one, too", 500)
    max_minutes: float | None = _key("end at the best weights so far after this time; null: no limit", None)

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
