"""The models, each a network and its triangular systems; found by `kind`.

A network of your own that takes tokens to logits needs no model: `TokenSampling.of(network, noise)` is its system, as
`ffc.models.tokens.system` and docs/tokens.md say.
"""

import importlib
import sys
from typing import Any

from ffc.core.errors import FFCError
from ffc.models.base import Model, Params, Sampler
from ffc.models.tokens import Cheap, Choice, TokenSampling

_KINDS = {
    "densenet": "ffc.models.densenet:DenseNet",
    "flow": "ffc.models.flow:Flow",
    "made": "ffc.models.made:MADE",
    "pixelcnnpp": "ffc.models.pixelcnnpp:PixelCNNPP",
    "transformer": "ffc.models.transformer:Transformer",
}

__all__ = [
    "Cheap",
    "Choice",
    "Model",
    "Params",
    "Sampler",
    "TokenSampling",
    "build",
    "is_known",
    "kind_of",
    "model_class",
]


def model_class(kind: str) -> type[Model]:
    """The class of a model: one of the library's by name, or anybody's as `package.module:Class`."""
    module, _, name = _KINDS.get(kind, kind).partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise FFCError(f"model kind {kind!r}: expected one of {', '.join(_KINDS)}, or package.module:Class") from error


def is_known(kind: str) -> bool:
    """Whether `model_class(kind)` runs no new code: the model is the library's, or imported already."""
    return kind in _KINDS or kind.partition(":")[0] in sys.modules


def kind_of(model: Model) -> str:
    """The `kind` by which `model_class` finds the class of a model."""
    place = f"{type(model).__module__}:{type(model).__qualname__}"
    return next((kind for kind, paper in _KINDS.items() if paper == place), place)


def build(settings: dict[str, Any], shape: tuple[int, int, int], classes: int | None = None) -> Model:
    """The model that a preset's `model:` section describes, for images of `shape` (height, width, channels)."""
    sizes: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    return model_class(sizes.pop("kind")).build(shape, classes, **sizes)
