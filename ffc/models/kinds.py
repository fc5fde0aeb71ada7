"""The library's models by their kinds: where each is, and what a preset may say of it; without JAX.

Values are described in the words of JSON Schema. A test compares sizes with the fields of the classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ffc.core.errors import FFCError

Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 1}


@dataclass(frozen=True)
class Number:
    """An option of a system that is a number; the model says which ones it takes."""

    kind: type[int] | type[float]
    default: str  # what leaving it out means
    bounds: Schema = field(default_factory=dict)  # as a preset may write it

    def read(self, name: str, value: str | float) -> int | float:
        """Return the number that `value` is, or is written as; else `FFCError`."""
        try:
            if not isinstance(value, bool):
                return self.kind(value) if isinstance(value, str) else self.kind(str(value))
        except ValueError:
            pass
        expected = "a whole number" if self.kind is int else "a number"
        raise FFCError(f"system option {name}: expected {expected}, not {value!r}")


@dataclass(frozen=True)
class Text:
    """An option of a system that is a text."""

    default: str  # what leaving it out means

    def read(self, name: str, value: Any) -> str:
        """`value`, or `FFCError` where it is no text."""
        if not isinstance(value, str):
            raise FFCError(f"system option {name}: expected a text, not {value!r}")
        return value


#: What an option of a system may be; of words, the first is the default.
Option = tuple[str, ...] | Number | Text


@dataclass(frozen=True)
class Kind:
    """A model of the library: its class, the experiment that a task with it is, and what a preset may say of it."""

    place: str  # module:Class
    sizes: Mapping[str, Schema]  # of a section `model`, with their defaults
    options: dict[str, Option] = field(default_factory=dict)  # of its sampling system
    experiment: str = "sampling"
    released: bool = False  # the authors, or the box, may have weights of it
    scaling: Mapping[str, Schema] = field(default_factory=dict)  # sizes at which its weights serve, too


def count(default: int, **bounds: int) -> Schema:
    return {**COUNT, **bounds, "default": default}


def counts(*default: int, **bounds: int) -> Schema:
    return {"type": "array", "minItems": 1, "items": COUNT, **bounds, "default": list(default)}


def number(default: float, **bounds: float) -> Schema:
    return {"type": "number", **bounds, "default": default}


KINDS: dict[str, Kind] = {
    "densenet": Kind(
        "ffc.models.densenet:DenseNet",
        {"growth": count(32), "blocks": counts(6, 12, 48, 32), "features": count(64), "bottleneck": count(4)},
        experiment="classification",
        released=True,
    ),
    "flow": Kind(
        "ffc.models.flow:Flow",
        {"patch": count(4), "blocks": count(4), "width": count(128), "layers": count(2), "heads": count(4)},
        {"quantize": ("12bit", "none")},
    ),
    "made": Kind(
        "ffc.models.made:MADE",
        {
            "hidden": counts(512, 512, minItems=2, maxItems=2),
            "trunc_lambda": number(1e-6, exclusiveMinimum=0, exclusiveMaximum=0.5),
        },
        released=True,
    ),
    "pixelcnnpp": Kind(
        "ffc.models.pixelcnnpp:PixelCNNPP",
        {
            "filters": count(160),
            "resnets": count(5),
            "mixtures": count(10),
            "dropout": number(0.5, minimum=0, exclusiveMaximum=1),
        },
        {"quantize": ("none", "8bit"), "coupling": ("gumbel", "inverse_cdf")},
        released=True,
        scaling={"sizes": {"type": "integer", "minimum": 4, "multipleOf": 4}, "batches": COUNT, "filters": COUNT},
    ),
    "transformer": Kind(
        "ffc.models.transformer:Transformer",
        {
            "levels": count(256, minimum=2, maximum=256),
            "width": count(128),
            "depth": count(2),
            "heads": count(4),
            "positions": {"enum": ["rotary", "learned"], "default": "rotary"},
            "cheap": count(128),
        },
        {
            "temperature": Number(float, "1", {"minimum": 0}),
            "top_k": Number(int, "all", {"minimum": 1}),
            "top_p": Number(float, "all", {"exclusiveMinimum": 0, "maximum": 1}),
            "prompt": Text(""),
        },
        scaling={"temperatures": {"type": "number", "minimum": 0}, "lengths": COUNT, "widths": COUNT},
    ),
}
