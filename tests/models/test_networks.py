"""Networks and what training minimises: MADE's windows, flows both ways, and likelihoods."""

import itertools
import math
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchvision
from samplers import FLOW, IMAGE, SAMPLERS, TEXT, in_order, ties, weights

from ffc import FFCError, GSJacobi, solve
from ffc.core.keys import key_of
from ffc.models.base import Batch
from ffc.models.densenet import DenseNet, preprocess
from ffc.models.flow.network import LIMIT
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.layers import Training
from ffc.models.transformer import Transformer
from ffc.store import checkpoints
from ffc.training.evaluate import mean_loss

MODELS = [
    MADE((8, 8, 3), hidden=(16, 16)),
    PixelCNNPP((4, 4, 3), filters=4, resnets=0, mixtures=2),
    DenseNet(classes=3, growth=2, blocks=(1, 2), features=4),
]
DRAW = np.random.default_rng(0)


def test_mades_windows_know_units_that_see_no_entry():
    """Of both layers, such units are complete before the first window, the second's by those of the first."""
    model = MADE((3, 5, 1), hidden=(12, 10))
    net = jax.device_get(jax.jit(model.init)(jax.random.key(2)))["net"]
    for layer, seen in (("0", 0), ("2", 3)):
        mask = np.array(net[layer]["mask"])
        mask[:3], mask[:3, :seen] = 0, 1
        net[layer] = net[layer] | {"mask": mask, "bias": net[layer]["bias"] + 1}
    system = model.system({"net": net}, model.noise(jax.random.key(3), 4))
    assert all(seen[:3] == (-1, -1, -1) for seen in system.last_seen)
    answer = in_order(system)
    solution = solve(system, GSJacobi(2))
    assert solution.exact
    np.testing.assert_allclose(solution.value, answer, atol=1e-5)


def test_densenet_is_torchvisions(tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.DenseNet(4, (2, 3), 6, bn_size=2, num_classes=5).eval()
    for value in theirs.buffers():
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.5, 1.5)
    torch.save(theirs.state_dict(), tmp_path / "densenet.pth")
    ours, x = checkpoints.load(tmp_path / "densenet.pth"), np.float32(DRAW.normal(size=(2, 32, 40, 3)))
    assert ours.model == DenseNet(classes=5, growth=4, blocks=(2, 3), features=6, bottleneck=2)
    with torch.no_grad():
        expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(jax.jit(ours.model.logits)(ours.params, x), expected, atol=1e-4)
    white = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]  # as torchvision's networks are trained
    np.testing.assert_allclose(preprocess(np.full((1, 1, 1, 1), 255, np.uint8))[0, 0, 0], white, rtol=1e-5)


def test_densenets_state_has_the_sides_of_its_sweep_and_takes_no_image_that_is_too_small():
    def shapes(model, side):
        system = jax.eval_shape(model.system, model.shapes(), jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32))
        return system.size, jax.eval_shape(lambda system: (s := system.initial(), system.sweep(s)), system)

    for side in (30, 32):
        _, (first, swept) = shapes(DenseNet(classes=3, growth=2, blocks=(1, 1), features=4), side)
        assert first == swept
    size, (first, _) = shapes(DenseNet(classes=10), 32)
    assert (size, [leaf.shape[2] for leaf in first]) == (98, [8, 4, 2, 1])
    with pytest.raises(FFCError, match="16 pixels a side are too small for 4 dense blocks"):
        shapes(DenseNet(classes=10), 16)


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.kind)
def fresh(request):
    """A small model of each kind, its fresh weights, seven images of noise and their labels; and the loss."""
    model = request.param
    images = DRAW.integers(0, 256, (7, *getattr(model, "shape", (8, 8, 3))), np.uint8)
    batch = Batch(jnp.asarray(images), jnp.arange(7) % 3)
    return model, jax.jit(model.init)(jax.random.key(0)), batch, jax.jit(model.loss)


def test_an_images_loss_is_its_own_whatever_the_batch(fresh):
    """With statistics of the images themselves, it is that of training; of noise no model knows a bit."""
    model, params, batch, loss = fresh
    finished = model.finish(params, batch.images)
    reported = mean_loss(model, finished, jax.tree.map(np.asarray, batch), 3)
    assert reported == pytest.approx(float(loss(params, batch)), rel=1e-4)
    assert model.unit == "nats" or 8 <= reported < 20


def test_bfloat16_is_for_products_and_changes_the_loss_a_little(fresh):
    _, params, batch, loss = fresh
    coarse = replace(batch, dtype=jnp.bfloat16)
    rounded = loss.lower(params, coarse)
    products = [line for line in rounded.as_text().splitlines() if re.search("dot_general|convolution", line)]
    assert products
    assert not [line for line in products if "f32>" in line]
    exact, near = float(loss(params, batch)), float(rounded.compile()(params, coarse))
    assert exact != near == pytest.approx(exact, rel=0.03)
    gradient = jax.eval_shape(jax.grad(lambda params: loss(params, coarse)), params)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(jnp.float32)}


BYTES, TERNARY = MADE((1, 2, 1), hidden=(8, 8)), Transformer((1, 4, 1), levels=3, width=8, depth=1, heads=2)


@pytest.mark.parametrize(("model", "levels", "exact"), [(BYTES, 256, 0.02), (TERNARY, 3, 1e-4)], ids=repr)
def test_the_likelihoods_of_all_images_sum_to_one(model, levels, exact):
    every = np.array(list(itertools.product(range(levels), repeat=model.size)), np.uint8).reshape(-1, 1, *model.shape)
    params = weights(model)
    bits = jax.jit(jax.vmap(lambda image: model.loss(params, Batch(image))))(every)
    assert float(jnp.exp2(-model.size * bits).sum()) == pytest.approx(1, abs=exact)


def test_an_image_of_few_levels_costs_the_bits_within_them():
    """An untrained network spreads 8 bits evenly, whatever its levels."""
    images, flat = DRAW.integers(0, 256, (8, 3, 4, 1), np.uint8), jax.tree.map(np.zeros_like, weights(IMAGE))
    assert float(jax.jit(IMAGE.loss)(flat, Batch(images))) == pytest.approx(8, abs=1e-4)


def test_training_teaches_the_cheap_model_and_tells_of_the_network():
    images, params = np.zeros((2, *TEXT.shape), np.uint8), weights(TEXT)
    loss, gradient = jax.jit(jax.value_and_grad(TEXT.loss))(params, Batch(images, key=key_of(0)))
    assert float(loss) == pytest.approx(float(jax.jit(TEXT.loss)(params, Batch(images))))
    assert float(jnp.abs(gradient["cheap"]["out"]).max()) > 0


def test_a_fresh_flow_is_a_standard_normal_density():
    images = DRAW.integers(0, 256, (5, *FLOW.shape), np.uint8)
    density = np.exp(-(((images + 0.5) / 128 - 1) ** 2) / 2) / math.sqrt(2 * math.pi)
    loss = jax.jit(lambda images: FLOW.loss(FLOW.init(key_of(0)), Batch(images)))(images)
    assert float(loss) == pytest.approx(np.mean(-np.log2(density / 128)), rel=1e-5)


def test_a_flows_log_scale_is_the_determinant_of_its_jacobian_and_bounded():
    params, x, forward = weights(FLOW), jax.random.normal(key_of(2), (1, *FLOW.sizes[:2])), jax.jit(FLOW.forward)
    assert abs(float(forward(jax.tree.map(lambda leaf: 100 * leaf, params), x)[1][0])) <= FLOW.blocks * LIMIT * x.size
    log_scale = forward(params, x)[1]
    jacobian = jax.jit(jax.jacobian(lambda x: FLOW.forward(params, x)[0]))(x).reshape(x.size, x.size)
    sign, logarithm = np.linalg.slogdet(np.asarray(jacobian, np.float64))
    assert (abs(sign), -float(log_scale[0])) == (1, pytest.approx(logarithm, abs=1e-3))


def test_a_flows_inverse_and_forward_agree_and_fixed_point_numbers_change_a_sample_by_little():
    small, count = SAMPLERS["flow"], FLOW.sizes.patches
    system = small.system(quantize="none")
    x, rounded = in_order(system), in_order(small.system())
    again, _ = jax.jit(FLOW.forward)(weights(FLOW), x[:, -count:])
    np.testing.assert_allclose(again, system.u, atol=1e-4)
    np.testing.assert_array_equal(rounded * 2**12, np.round(rounded * 2**12))
    np.testing.assert_allclose(rounded, x, atol=0.02)


def test_a_tie_of_a_flow_is_a_number_half_way_between_two_fixed_point_numbers():
    """Of blocks that change nothing: the last number of patch 2, in the first row alone, for that is rounded."""
    steps = np.zeros((3, *FLOW.sizes[:2]), np.float32)
    steps[0, 2, -1], steps[0, 3, 0] = 0.501, 0.51
    system = FLOW.system(jax.jit(FLOW.init)(key_of(0)), steps / 2**12, "12bit")
    np.testing.assert_array_equal(ties(system, in_order(system))[0], np.arange(system.size) == 2)


def test_dropout_keeps_the_mean():
    kept = Training(4, 4, key_of(0), 0.2).drop(jnp.ones((64, 64)))
    assert float(kept.mean()) == pytest.approx(1, abs=0.02)
    assert {*np.unique(kept).round(4).tolist()} == {0.0, 1.25}


def test_masks_that_let_an_output_see_its_own_input_are_refused():
    model = MADE((1, 3, 1), hidden=(4, 4))
    params = jax.device_get(jax.jit(model.init)(key_of(0)))
    model.check(params)
    masks = [np.zeros_like(layer["mask"]) for layer in params["net"].values()]
    masks[0][0, 1] = masks[1][0, 0] = masks[2][1, 0] = 1  # from input 1 to output 1
    net = {name: layer | {"mask": mask} for (name, layer), mask in zip(params["net"].items(), masks, strict=True)}
    with pytest.raises(FFCError, match="see its own or a later input"):
        model.check({"net": net})
