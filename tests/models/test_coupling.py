"""PixelCNN++'s mixtures and couplings: uniforms become the pixels that the likelihood says, and move with them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc.models.pixelcnnpp import mixture
from ffc.models.pixelcnnpp.coupling import COUPLINGS, Gumbel, InverseCDF

LEVELS = mixture.level(jnp.arange(256), mixture.EIGHT_BIT)
likelihood = jax.jit(lambda outputs, pixels: jnp.exp(mixture.log_likelihood(outputs, pixels)))


def shares(probabilities):
    """[n] where each level's share of the uniforms begins, and where it ends."""
    ends = np.cumsum(np.asarray(probabilities, np.float64))
    return np.concatenate([[0.0], ends[:-1]]) / ends[-1], ends / ends[-1]


@functools.partial(jax.jit, static_argnums=0)
def _numbers(cls, outputs, uniforms):
    choice = jnp.full((len(uniforms), outputs.shape[-1] // {1: 3, 3: 10}[uniforms.shape[1]]), 0.5)
    pixels = cls.of(choice, uniforms, eight_bit=True).pixels(jnp.broadcast_to(outputs, (len(uniforms), len(outputs))))
    return jnp.round((pixels + 1) * 127.5).astype(int)


def assert_drawn_by(cls, outputs, probabilities, *uniforms, margin):
    """The last channel, whose uniform is None, has each level at both ends of its share of the uniforms."""
    begin, end = shares(probabilities)
    wide = np.tile(end - begin > 3 * margin, 2)
    ends = np.where(wide, np.concatenate([begin + margin, end - margin]), 0.5)
    channel, wanted = uniforms.index(None), np.tile(np.arange(256), 2)
    columns = [np.broadcast_to(ends if u is None else np.float64(u), 512) for u in uniforms]
    numbers = _numbers(cls, outputs, jnp.asarray(np.stack(columns, axis=1), jnp.float32))
    assert wide.sum() > (250 if channel == 0 else 40)
    np.testing.assert_array_equal(numbers[wide, channel], wanted[wide])
    return numbers[0]


@pytest.mark.parametrize(("cls", "mixtures"), [(InverseCDF, 3), (Gumbel, 1)])
def test_the_uniforms_that_give_a_level_have_its_probability(cls, mixtures):
    """In gray, where they sum to 1; and green and blue given the channels before, to whose probability they sum."""
    gray, outputs = (jax.random.normal(jax.random.key(4), (entries * mixtures,)) for entries in (3, 10))
    probabilities = likelihood(gray, LEVELS[:, None])
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-4)
    assert_drawn_by(cls, gray, probabilities, None, margin=1e-5)
    for red_uniform in (0.03, 0.5):
        red = int(_numbers(cls, outputs, jnp.tile(jnp.float32([red_uniform, 0.5, 0.5]), (512, 1)))[0, 0])
        pixels = jnp.stack(jnp.broadcast_arrays(LEVELS[red], LEVELS[:, None], LEVELS), axis=-1)
        joint = np.asarray(likelihood(outputs, pixels))  # [green, blue]
        alone = likelihood(outputs[: 3 * mixtures], LEVELS[:, None])[red]  # logits, means and scales of red
        assert joint.sum() == pytest.approx(float(alone), rel=1e-3)
        drawn = assert_drawn_by(cls, outputs, joint.sum(axis=1), red_uniform, None, 0.5, margin=1e-4)
        green = int(np.searchsorted(shares(joint.sum(axis=1))[1], 0.4))
        middle = np.mean([end[green] for end in shares(joint.sum(axis=1))])
        again = assert_drawn_by(cls, outputs, joint[green], red_uniform, middle, None, margin=1e-4)
        assert [drawn[0], *again[:2]] == [red, red, green]


def test_a_pixel_is_drawn_from_its_likelihood():
    """The share of samples by Gumbel's choice in the lower half of the levels is the likelihood's."""
    outputs = jax.random.normal(jax.random.key(2), (9,))
    choice, draw = jax.random.split(jax.random.key(3))
    gumbel, logistic = jax.random.gumbel(choice, (40_000, 3)), jax.random.logistic(draw, (40_000, 1))
    x = jax.jit(lambda noise: noise.pixels(jnp.broadcast_to(outputs, (40_000, 9))))(Gumbel(gumbel, logistic))
    expected = likelihood(outputs, LEVELS[:, None])[:128].sum()
    assert np.mean(np.asarray(x) < 0) == pytest.approx(float(expected), abs=0.01)


def test_a_continuous_inverse_cdf_solves_its_equation():
    """Against the mixture's cumulative in double precision, with weights by Bayes' rule channel after channel."""
    outputs, uniform = jax.random.normal(jax.random.key(1), (200, 30)), jax.random.uniform(jax.random.key(2), (200, 3))
    coupling = InverseCDF.of(jnp.zeros((200, 3)), uniform, eight_bit=False)
    pixels = np.asarray(jax.jit(lambda noise, values: noise.pixels(values))(coupling, outputs), np.float64)
    parameters = mixture.Mixture(*(np.asarray(p, np.float64) for p in mixture.read(outputs, 3)))
    weights = np.exp(parameters.logits)
    for channel in range(3):
        x = pixels[:, channel, None]
        scale = np.exp(parameters.log_scales[channel])
        mean = parameters.mean(channel, [pixels[:, before, None] for before in range(channel)])
        below = 1 / (1 + np.exp(-(x - mean) / scale))
        weights /= weights.sum(axis=1, keepdims=True)
        error = np.sum(weights * below, axis=1) - uniform[:, channel]
        assert np.all(np.abs(error[np.abs(x[:, 0]) < 1]) < 1e-5)
        assert np.all(error[x[:, 0] == -1] >= -1e-5)
        assert np.all(error[x[:, 0] == 1] <= 1e-5)
        weights *= np.where(x == -1, below, np.where(x == 1, 1 - below, below * (1 - below) / scale))
    assert 0.05 < np.mean(pixels == 1) < np.mean(np.abs(pixels) < 1)


def test_a_tie_is_a_pixel_that_rounding_errors_could_move():
    """Near the edge between two levels of a logistic around 0.1; or by a component that is nearly chosen."""
    ties = jax.jit(lambda coupling, outputs: coupling.ties(outputs, 1e-5))
    outputs = jnp.array([0.0, 0.1, -1.0])
    _, end = shares(likelihood(outputs, LEVELS[:, None]))
    uniforms = jnp.float32([end[100] - 1e-4, end[100] - 1e-7, end[100] + 1e-7, end[100] + 1e-4])[:, None]
    for cls in (Gumbel, InverseCDF):
        coupling = cls.of(jnp.full((4, 1), 0.5), uniforms, eight_bit=True)
        assert ties(coupling, jnp.broadcast_to(outputs, (4, 3))).tolist() == [False, True, True, False]
    far_apart = jnp.array([[1.0, 1.0, -0.5, 0.5, -3.0, -3.0]] * 2)
    coupling = Gumbel(jnp.array([[0.0, 1e-6], [0.0, 1e-3]]), jnp.zeros((2, 1)))
    assert ties(coupling, far_apart).tolist() == [True, False]


def test_a_draft_searches_in_fewer_operations_for_the_same_levels():
    noise = InverseCDF(jax.random.uniform(jax.random.key(5), (500, 3)), mixture.EIGHT_BIT)
    outputs = jax.random.normal(jax.random.key(6), (500, 50)).at[:, 5:].multiply(1.5)
    likely, pixels = jax.jit(lambda noise, values: (noise.likely(values), noise.pixels(values)))(noise, outputs)
    assert jnp.mean(likely != pixels) < 0.01


@pytest.mark.parametrize(("cls", "eight_bit"), [(Gumbel, True), (InverseCDF, False)])
def test_a_coupling_keeps_its_dtype_its_bits_and_what_is_no_number(cls, eight_bit):
    """Where 64 bits are enabled, too."""
    draws = np.random.default_rng(0)
    outputs, *uniforms = draws.normal(size=(50, 30)), *(draws.uniform(0.01, 0.99, (50, 3)) for _ in range(2))
    outputs[0], outputs[1, 0] = np.nan, np.nan  # all of a pixel's outputs, and one component's logit

    def pixels(dtype):
        noise, values = cls.of(*(jnp.asarray(u, dtype) for u in uniforms), eight_bit), jnp.asarray(outputs, dtype)
        return jax.jit(lambda noise, values: (noise.pixels(values), noise.ties(values, 1e-5)))(noise, values)

    here = pixels(jnp.float32)
    with jax.enable_x64(True):
        there, wide = pixels(jnp.float32), pixels(jnp.float64)
    assert wide[0].dtype == jnp.float64
    np.testing.assert_array_equal(np.isnan(here[0]).all(axis=1), np.arange(50) < 2)
    for one, two in zip(here, there, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cls", COUPLINGS.values())
def test_pixels_move_with_outputs_and_noise_as_differences_say(cls):
    """All three channels, each given those before it; at −1 and 1 they rest, and so do the levels of 8-bit images."""
    draws = np.random.default_rng(0)
    noise = [jnp.float32(draws.uniform(0.2, 0.8, (300, entries))) for entries in (2, 3)]
    at = cls.of(*noise, eight_bit=False), jnp.float32(draws.normal(size=(300, 20)))
    along = jax.tree.map(lambda leaf: jnp.float32(draws.normal(size=leaf.shape)) / 4, at)
    pixels = jax.jit(lambda noise, values: noise.pixels(values))
    derivative = jax.jit(lambda at, along: jax.jvp(lambda *at: at[0].pixels(at[1]), at, along)[1])
    changes = np.asarray(derivative(at, along))
    moved = [jax.tree.map(lambda leaf, by, step=step: leaf + step * by, at, along) for step in (-1e-3, 0, 1e-3)]
    low, middle, high = (np.asarray(pixels(*one)) for one in moved)
    inside = np.all(np.abs([low, middle, high]) < 1, axis=(0, 2)) & np.all(np.abs(high - low) < 0.1, axis=1)
    assert inside.sum() > 20
    np.testing.assert_allclose(changes[inside], (high - low)[inside] / 2e-3, rtol=0.01, atol=0.01)
    assert not changes[np.abs(middle) == 1].any()
    rounded = cls.of(*noise, eight_bit=True), at[1]
    tangent = jax.tree.unflatten(jax.tree.structure(rounded), jax.tree.leaves(along))
    assert not np.asarray(derivative(rounded, tangent)).any()


def test_a_mass_that_float32_cannot_tell_from_zero_has_a_logarithm_all_the_same():
    x, mean, log_scale, half = 0.0, 0.9, -3.0, 1 / 255
    upper, lower = (1 / (1 + np.exp(-np.exp(-log_scale) * (x - mean + shift))) for shift in (half, -half))
    found = mixture.log_mass(jnp.float32(x), jnp.float32(mean), jnp.float32(log_scale), 255)
    assert float(found) == pytest.approx(np.log(upper - lower), abs=0.01)
