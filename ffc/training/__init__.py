"""One resumable training loop for all models.

Batches and random keys depend on the seed and the step alone, so on a CPU a run that was killed, at any
moment, and started again ends with the weights of one that was not, bit for bit.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ffc.core.errors import need

if TYPE_CHECKING:
    from ffc.training.checkpoint import discard, train_checkpoint
    from ffc.training.loop import TrainResult, train
    from ffc.training.settings import TrainSettings

__all__ = ["TrainResult", "TrainSettings", "discard", "train", "train_checkpoint"]


def __getattr__(name: str) -> Any:
    """Return what `__all__` names; all but the settings bring JAX, and packages of the extra `training`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "TrainSettings":
        return import_module("ffc.training.settings").TrainSettings
    need("flax", "optax", "tqdm", extra="training")
    module = import_module("ffc.training.loop" if name in ("TrainResult", "train") else "ffc.training.checkpoint")
    return getattr(module, name)
