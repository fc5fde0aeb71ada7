"""The models, each a network and its triangular systems; found by `kind`.

A network of your own that takes tokens to logits needs no model: `TokenSampling.of(network, noise)` is its system, as
`ffc.models.tokens.system` and docs/tokens.md say.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ffc.core.errors import FFCError, place_of
from ffc.core.names import nearest
from ffc.models.kinds import KINDS

if TYPE_CHECKING:
    from ffc.models.base import Batch, Model, Params, Sampler
    from ffc.models.tokens import Cheap, Choice, TokenSampling

__all__ = [
    "Batch",
    "Cheap",
    "Choice",
    "Model",
    "Params",
    "Sampler",
    "TokenSampling",
    "build",
    "is_known",
    "is_own",
    "kind_of",
    "model_class",
]


def __getattr__(name: str) -> Any:
    """Return what `__all__` names and is not defined here: it brings JAX, which names of models do without."""
    if name in __all__:
        tokens = name in ("Cheap", "Choice", "TokenSampling")
        return getattr(importlib.import_module("ffc.models.tokens" if tokens else "ffc.models.base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


#: Said where the class of a model is looked for in vain.
NO_MODULE = "there is no module {}; it must lie where the command runs, or be installed"


def model_class(kind: str) -> "type[Model]":
    """Return the class of a model: one of the library's by name, or anybody's as `package.module:Class`."""
    module, _, name = (KINDS[kind].place if kind in KINDS else kind).partition(":")
    if not module or not name.isidentifier():
        hint = nearest(kind, KINDS)
        raise FFCError(f"model kind {kind!r}: expected one of {', '.join(KINDS)}, or package.module:Class{hint}")
    if kind not in KINDS and "" not in sys.path:
        sys.path.append("")  # the current folder, where Python looks for no modules of a command that is installed
    try:
        package = importlib.import_module(module)
    except Exception as error:  # whatever somebody's module raises
        if isinstance(error, ModuleNotFoundError) and module.startswith(str(error.name)):
            raise FFCError(f"model kind {kind!r}: {NO_MODULE.format(error.name)}") from error
        reason = f"{type(error).__name__}: {error}{place_of(error)}"
        raise FFCError(f"model kind {kind!r}: {module} cannot be imported: {reason}") from error
    if not isinstance(model := getattr(package, name, None), type):
        hint = nearest(name, vars(package))
        raise FFCError(f"model kind {kind!r}: {module} has no class {name}{hint}")
    return model


def is_known(kind: str) -> bool:
    """Whether `model_class(kind)` runs no new code: the model is the library's, or imported already."""
    return kind in KINDS or kind.partition(":")[0] in sys.modules


def is_own(model: "Model") -> bool:
    """Whether the model is not the library's, but somebody's own."""
    return kind_of(model) not in KINDS


def kind_of(model: "Model") -> str:
    """Return the `kind` by which `model_class` finds the class of a model."""
    place = f"{type(model).__module__}:{type(model).__qualname__}"
    return next((name for name, kind in KINDS.items() if kind.place == place), place)


def build(settings: dict[str, Any], shape: tuple[int, int, int], classes: int | None = None) -> "Model":
    """Return the model that a preset's `model:` section describes, for images of `shape` (height, width, channels)."""
    sizes: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    return model_class(sizes.pop("kind")).build(shape, classes, **sizes)
