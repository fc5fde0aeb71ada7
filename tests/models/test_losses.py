"""What training minimises and what it reports: the loss of each model, alone and in a batch, in either precision."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.training.evaluate import mean_loss

MODELS = [
    MADE((8, 8, 3), hidden=(16, 16)),
    PixelCNNPP((8, 8, 3), filters=4, resnets=0, mixtures=2),
    DenseNet(classes=3, growth=2, blocks=(1, 2), features=4),
]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.kind)
def of_the_paper(request):
    """A small model of each kind, its fresh weights, seven images and their labels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)
    params = jax.jit(request.param.init)(jax.random.key(0))
    return request.param, params, jnp.asarray(images), jnp.arange(7) % 3


def test_an_images_loss_is_its_own_whatever_the_batch(of_the_paper):
    model, params, images, labels = of_the_paper
    params = model.finish(params, images)
    found = mean_loss(model, params, np.asarray(images), np.asarray(labels), batch=3)
    assert found == pytest.approx(float(jax.jit(model.test_loss)(params, images, labels)), rel=1e-5)


def test_bfloat16_is_for_products_and_changes_the_loss_a_little(of_the_paper):
    model, params, images, labels = of_the_paper
    loss = jax.jit(model.loss, static_argnames="dtype")
    rounded = loss.lower(params, images, labels, dtype=jnp.bfloat16)
    products = [line for line in rounded.as_text().splitlines() if re.search("dot_general|convolution", line)]
    assert products
    assert not [line for line in products if "f32>" in line]
    exact, near = float(loss(params, images, labels)), float(rounded.compile()(params, images, labels))
    assert exact != near == pytest.approx(exact, rel=0.03)
    gradient = jax.eval_shape(jax.grad(lambda params: loss(params, images, labels, dtype=jnp.bfloat16)), params)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(jnp.float32)}
