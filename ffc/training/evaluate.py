"""The loss on images that were not trained on."""

from functools import partial

import jax
import numpy as np

from ffc.models.base import Batch, Model, Params


def mean_loss(model: Model, params: Params, data: Batch, size: int) -> float:
    """Mean of the test loss over all of `data`, by finished weights, `size` images at a time on the device."""
    count = len(data.images)
    losses = []
    for first in range(0, count, size):
        rows = np.minimum(np.arange(first, first + size), count - 1)  # the last image fills the last batch up
        losses.append(_losses(model, params, data[rows]))
    return float(np.concatenate(jax.device_get(losses))[:count].mean(dtype=np.float64))


@partial(jax.jit, static_argnames="model")
def _losses(model: Model, params: Params, batch: Batch) -> jax.Array:
    """[batch] the loss of each image by itself, whatever its neighbours are."""
    return jax.vmap(lambda image: model.test_loss(params, image[None]))(batch)
