"""One resumable training loop for all models.

Batches and random keys depend on the seed and the step alone, so on a CPU a run that was killed, at any
moment, and started again ends with the weights of one that was not, bit for bit.
"""

from ffc.core.errors import need

need("flax", "optax", "tqdm", extra="training")

from ffc.training.checkpoint import discard, train_checkpoint
from ffc.training.loop import TrainResult, train
from ffc.training.settings import TrainSettings

__all__ = ["TrainResult", "TrainSettings", "discard", "train", "train_checkpoint"]
