"""The loss on images that were not trained on."""

from functools import partial

import jax
import numpy as np

from ffc.models.base import Model, Params
from ffc.training.batches import on_device


def mean_loss(model: Model, params: Params, images: np.ndarray, labels: np.ndarray | None, batch: int) -> float:
    """Mean of the test loss over all of `images` [count, …] uint8, by finished weights, a batch at a time."""
    count = len(images)
    losses = []
    for first in range(0, count, batch):
        rows = np.minimum(np.arange(first, first + batch), count - 1)  # the last image fills the last batch up
        part = on_device(images[rows], None if labels is None else labels[rows])
        losses.append(_losses(model, params, *part))
    return float(np.concatenate(jax.device_get(losses))[:count].mean(dtype=np.float64))


@partial(jax.jit, static_argnames="model")
def _losses(model: Model, params: Params, images: jax.Array, labels: jax.Array | None) -> jax.Array:
    """[batch] the loss of each image by itself, whatever its neighbours are."""

    def one(image, label):
        return model.test_loss(params, image[None], None if label is None else label[None])

    return jax.vmap(one)(images, labels)
