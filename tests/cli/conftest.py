"""A checkpoint to sample from."""

import jax
import pytest

from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.store import checkpoints


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A MADE of 12 inputs as our own store keeps it."""
    model = MADE((3, 4, 1), hidden=(16, 16))
    path = tmp_path_factory.mktemp("checkpoints") / "made.flax"
    checkpoints.save(path, model, model.init(jax.random.key(0)), {"origin": "trained here", "data": "test"})
    return path


@pytest.fixture(scope="module")
def pixelcnnpp(tmp_path_factory):
    """A PixelCNN++ of 4×4 images."""
    model = PixelCNNPP((4, 4, 1), filters=4, resnets=0, mixtures=3)
    path = tmp_path_factory.mktemp("checkpoints") / "pixelcnnpp.flax"
    checkpoints.save(path, model, model.init(jax.random.key(0)), {"origin": "trained here", "data": "test"})
    return path
