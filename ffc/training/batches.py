"""Which images a step sees."""

from functools import lru_cache

import numpy as np

from ffc.data import Dataset
from ffc.models.base import Batch


def batch_order(seed: int, images: int, batch: int, first: int, count: int) -> np.ndarray:
    """[count, batch] int32: which images the steps `first … first + count` see.

    Epochs follow one another, each in an order of its own that depends on the seed and its number alone.
    """
    positions = np.arange(first * batch, (first + count) * batch)
    epochs = range(positions[0] // images, positions[-1] // images + 1)
    order = np.concatenate([_epoch_order(seed, epoch, images) for epoch in epochs])
    return order[positions - epochs[0] * images].reshape(count, batch)


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(images).astype(np.int32)


def whole(dataset: Dataset, part: str) -> Batch:
    """All images and labels of a part, "train" or "test", as they lie in memory."""
    return Batch(getattr(dataset, part), getattr(dataset, f"{part}_labels"))
