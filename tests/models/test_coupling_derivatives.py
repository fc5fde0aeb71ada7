"""Derivatives of PixelCNN++'s samples: couplings without rounding have them, 8-bit images have none."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, Jacobi, System, solve
from ffc.models.pixelcnnpp import PixelCNNPP, mixture
from ffc.models.pixelcnnpp.coupling import COUPLINGS, Coupling, InverseCDF
from ffc.models.pixelcnnpp.system import PixelSampling


def test_the_quantile_of_one_logistic_moves_as_its_closed_form_says():
    """x = mean + scale · logit(u), inside −1 … 1; at an end it rests, and so does a level of 256."""
    uniform = jnp.array([0.2, 0.5, 0.9, 1e-6])
    parameters = (jnp.zeros((4, 1)), jnp.full((4, 1), 0.1), jnp.full((4, 1), -1.2), uniform)

    def derivatives(steps):
        total = lambda *parameters: jnp.sum(mixture.quantile(*parameters, steps))  # noqa: E731
        return jax.jit(jax.grad(total, argnums=(1, 2, 3)))(*parameters)

    scale, logit = np.exp(-1.2), np.log(uniform) - np.log1p(-uniform)
    moves = np.array([1, 1, 1, 0])
    expected = (moves, moves * scale * logit, moves * scale / (uniform * (1 - uniform)))
    for found, value in zip(derivatives(mixture.FINE), expected, strict=True):
        np.testing.assert_allclose(found.reshape(4), value, rtol=1e-5, atol=1e-5)
    for found in derivatives(mixture.EIGHT_BIT):
        assert not np.any(found)


def test_pixels_of_an_inverse_cdf_move_as_differences_say():
    """All three channels, each given those before it; differences of 1e-3 are right to a percent."""
    keys = jax.random.split(jax.random.key(0), 3)
    outputs, along = (jax.random.normal(key, (300, 20)) for key in keys[:2])
    uniform = jax.random.uniform(keys[2], (300, 3), minval=0.2, maxval=0.8)

    @jax.jit
    def pixels(outputs):
        return InverseCDF.of(jnp.zeros((300, 2)), uniform, eight_bit=False).pixels(outputs)

    found = jax.jvp(pixels, (outputs,), (along,))[1]
    low, middle, high = (pixels(outputs + step * along) for step in (-1e-3, 0, 1e-3))
    inside = np.all(np.abs([low, middle, high]) < 1, axis=(0, 2))
    assert inside.sum() > 20
    difference = (high - low) / 2e-3
    np.testing.assert_allclose(found[inside], difference[inside], rtol=0.01, atol=0.01)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pixels(System):
    """The couplings' pixels of a network that is linear in the pixel before."""

    weights: jax.Array  # [3, outputs]
    bias: jax.Array  # [outputs]
    coupling: Coupling  # noise [batch, N, ...]

    @property
    def size(self):
        return self.coupling.shape[1]

    @property
    def discrete(self):
        return self.coupling.discrete

    def initial(self):
        return jnp.zeros(self.coupling.shape)

    def sweep(self, x):
        before = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        return self.coupling.pixels(before @ self.weights + self.bias)


def by_sweeps(system):
    return jax.lax.scan(lambda x, _: (system.sweep(x), None), system.initial(), length=2 * system.size)[0]


def assert_close(found, expected):
    """To 1e-5 of each array's largest entry, which is not 0 in all."""
    assert any(np.any(leaf) for leaf in jax.tree.leaves(expected))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_gray_samples_move_as_the_sequential_evaluation_says(coupling):
    keys = jax.random.split(jax.random.key(1), 3)
    uniform = jax.random.uniform(keys[0], (2, 6, 3), minval=0.1, maxval=0.9)
    weights, bias = 0.3 * jax.random.normal(keys[1], (1, 6)), jax.random.normal(keys[2], (6,)) - 0.5
    system = Pixels(weights, bias, COUPLINGS[coupling].of(uniform[..., :2], uniform[..., 2:], eight_bit=False))

    def change(way):
        return jax.jit(lambda system: jax.jvp(way, (system,), (jax.tree.map(jnp.sin, system),))[1])(system)

    assert_close(change(lambda system: solve(system, Jacobi()).value), change(by_sweeps))


@pytest.mark.stress
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_whole_network_has_the_gradient_of_the_sequential_evaluation(coupling):
    model = PixelCNNPP((4, 4, 3), filters=2, resnets=1, mixtures=2)
    system = model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(1), 2), coupling=coupling)

    def gradient(way):
        loss = lambda layers, noise: jnp.sum(jnp.sin(3 * way(PixelSampling(layers, noise))))  # noqa: E731
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(system.layers, system.coupling)

    assert_close(gradient(lambda system: solve(system, Jacobi()).value), gradient(by_sweeps))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_8_bit_images_are_refused(coupling):
    model = PixelCNNPP((4, 4, 1), filters=2, resnets=0, mixtures=2)
    layers, noise = model.init(jax.random.key(0)), model.noise(jax.random.key(1), 1)
    system = model.system(layers, noise, quantize="8bit", coupling=coupling)
    assert not model.system(layers, noise, coupling=coupling).discrete
    with pytest.raises(FFCError, match="the values of PixelSampling are rounded"):
        jax.jvp(lambda system: solve(system, Jacobi()).value, (system,), (system,))
