"""PixelCNN++'s mixtures and couplings: uniforms become the pixels that the likelihood says, and move with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc.models.pixelcnnpp import mixture
from ffc.models.pixelcnnpp.coupling import COUPLINGS, Gumbel, InverseCDF

LEVELS = mixture.level(jnp.arange(256), mixture.EIGHT_BIT)
#: Tests share these programs: of 512 pixels, and of two components where there are colours.
ROWS, DRAW = 512, np.random.default_rng(0)
likelihood = jax.jit(lambda outputs, pixels: jnp.exp(mixture.log_likelihood(outputs, pixels)))
pixels = jax.jit(lambda noise, outputs: noise.pixels(outputs))
ties = jax.jit(lambda noise, outputs: noise.ties(outputs, 1e-5))


def shares(probabilities):
    """[n] where each level's share of the uniforms begins, and where it ends."""
    ends = np.cumsum(np.asarray(probabilities, np.float64))
    return np.concatenate([[0.0], ends[:-1]]) / ends[-1], ends / ends[-1]


def levels_drawn(cls, outputs, uniforms):
    choice = np.full((ROWS, len(outputs) // {1: 3, 3: 10}[uniforms.shape[1]]), 0.5, np.float32)
    drawn = pixels(cls.of(choice, np.float32(uniforms), eight_bit=True), np.tile(outputs, (ROWS, 1)))
    return np.round((np.asarray(drawn) + 1) * 127.5).astype(int)


def assert_drawn_by(cls, outputs, probabilities, *uniforms, margin):
    """The last channel, whose uniform is None, has each level at both ends of its share of the uniforms."""
    begin, end = shares(probabilities)
    wide = np.tile(end - begin > 3 * margin, 2)
    ends = np.where(wide, np.concatenate([begin + margin, end - margin]), 0.5)
    channel, wanted = uniforms.index(None), np.tile(np.arange(256), 2)
    columns = [np.broadcast_to(ends if u is None else np.float64(u), ROWS) for u in uniforms]
    numbers = levels_drawn(cls, outputs, np.stack(columns, axis=1))
    assert wide.sum() > (250 if channel == 0 else 40)
    np.testing.assert_array_equal(numbers[wide, channel], wanted[wide])
    return numbers[0]


@pytest.mark.parametrize(("cls", "mixtures"), [(InverseCDF, 2), (Gumbel, 1)])
def test_the_uniforms_that_give_a_level_have_its_probability(cls, mixtures):
    """In gray, where they sum to 1; and green and blue given the channels before, to whose probability they sum."""
    gray, outputs = (jax.random.normal(jax.random.key(4), (entries * mixtures,)) for entries in (3, 10))
    probabilities = likelihood(gray, LEVELS[:, None])
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-4)
    assert_drawn_by(cls, gray, probabilities, None, margin=1e-5)
    for red_uniform in (0.03, 0.5):
        red = int(levels_drawn(cls, outputs, np.tile([red_uniform, 0.5, 0.5], (ROWS, 1)))[0, 0])
        every = np.stack(np.broadcast_arrays(LEVELS[red], LEVELS[:, None], LEVELS), axis=-1)
        joint = np.asarray(likelihood(outputs, every))  # [green, blue]
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
    noise = Gumbel(jax.random.gumbel(choice, (40_000, 3)), jax.random.logistic(draw, (40_000, 1)))
    share = np.mean(pixels(noise, np.tile(outputs, (40_000, 1))) < 0)
    assert share == pytest.approx(float(likelihood(outputs, LEVELS[:, None])[:128].sum()), abs=0.01)


def test_a_continuous_inverse_cdf_solves_its_equation():
    """Against the mixture's cumulative in double precision, with weights by Bayes' rule channel after channel."""
    outputs, uniform = np.float32(DRAW.normal(size=(ROWS, 20))), np.float32(DRAW.uniform(size=(ROWS, 3)))
    drawn = np.asarray(pixels(InverseCDF.of(None, uniform, eight_bit=False), outputs), np.float64)
    parameters = mixture.Mixture(*(np.asarray(p, np.float64) for p in mixture.read(outputs, 3)))
    weights = np.exp(parameters.logits)
    for channel in range(3):
        x = drawn[:, channel, None]
        scale = np.exp(parameters.log_scales[channel])
        mean = parameters.mean(channel, [drawn[:, before, None] for before in range(channel)])
        below = 1 / (1 + np.exp(-(x - mean) / scale))
        weights /= weights.sum(axis=1, keepdims=True)
        error = np.sum(weights * below, axis=1) - uniform[:, channel]
        assert np.all(np.abs(error[np.abs(x[:, 0]) < 1]) < 1e-5)
        assert np.all(error[x[:, 0] == -1] >= -1e-5)
        assert np.all(error[x[:, 0] == 1] <= 1e-5)
        weights *= np.where(x == -1, below, np.where(x == 1, 1 - below, below * (1 - below) / scale))
    assert 0.05 < np.mean(drawn == 1) < np.mean(np.abs(drawn) < 1)


def test_a_tie_is_a_pixel_that_rounding_errors_could_move():
    """Near the edge between two levels of a logistic around 0.1; or by a component that is nearly chosen."""
    outputs = np.float32([0, 0, 0.1, 0.1, -1, -1])
    _, end = shares(likelihood(outputs, LEVELS[:, None]))
    uniforms = np.float32([end[100] + by for by in (-1e-4, -5e-6, 1e-7, 1e-4)])[:, None]
    for cls in (Gumbel, InverseCDF):
        coupling = cls.of(np.tile(np.float32([0.5, 0.1]), (4, 1)), uniforms, eight_bit=True)
        assert ties(coupling, np.tile(outputs, (4, 1))).tolist() == [False, True, True, False]
    far_apart = np.tile(np.float32([1, 1, -0.5, 0.5, -3, -3]), (4, 1))
    coupling = Gumbel(jnp.array([[0.0, 1e-6], [0.0, 1e-3]] * 2), jnp.zeros((4, 1)), mixture.EIGHT_BIT)
    assert ties(coupling, far_apart).tolist() == [True, False] * 2


@pytest.mark.parametrize("cls", COUPLINGS.values())
def test_noise_at_its_median_gives_what_the_model_expects(cls):
    """The first component has the weight."""
    outputs = jnp.array([[9.0, 0, 0, 0.25, -0.5, 0.5, -3, -3, -3]])
    noise = cls.of(jnp.array([[0.1, 0.9, 0.2]]), jnp.array([[0.9]]), eight_bit=False)
    np.testing.assert_allclose(noise.with_median_noise().pixels(outputs), 0.25, atol=1e-3)


def test_a_draft_searches_in_fewer_operations_for_the_same_levels():
    noise = InverseCDF.of(None, np.float32(DRAW.uniform(size=(ROWS, 3))), eight_bit=True)
    outputs = np.float32(DRAW.normal(size=(ROWS, 20)) * np.where(np.arange(20) < 2, 1, 1.5))
    likely = jax.jit(lambda noise, outputs: noise.likely(outputs))(noise, outputs)
    assert np.mean(np.asarray(likely) != pixels(noise, outputs)) < 0.01


@pytest.mark.parametrize(("cls", "eight_bit"), [(Gumbel, True), (InverseCDF, False)])
def test_a_coupling_keeps_its_dtype_its_bits_and_what_is_no_number(cls, eight_bit):
    """Where 64 bits are enabled, too."""
    outputs, *uniforms = DRAW.normal(size=(ROWS, 20)), *(DRAW.uniform(0.01, 0.99, (ROWS, n)) for n in (2, 3))
    outputs[0], outputs[1, 0] = np.nan, np.nan  # all of a pixel's outputs, and one component's logit

    def drawn(dtype):
        return pixels(cls.of(*(jnp.asarray(u, dtype) for u in uniforms), eight_bit), jnp.asarray(outputs, dtype))

    here = drawn(jnp.float32)
    with jax.enable_x64(True):
        there, wide = drawn(jnp.float32), drawn(jnp.float64)
    assert (here.dtype, there.dtype, wide.dtype) == (jnp.float32, jnp.float32, jnp.float64)
    np.testing.assert_array_equal(np.isnan(here).all(axis=1), np.arange(ROWS) < 2)
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("cls", COUPLINGS.values())
def test_pixels_move_with_outputs_and_noise_as_differences_say(cls):
    """All three channels, each given those before it; at −1 and 1 they rest, and so do the levels of 8-bit images."""
    noise = [np.float32(DRAW.uniform(0.2, 0.8, (ROWS, entries))) for entries in (2, 3)]
    at = cls.of(*noise, eight_bit=False), np.float32(DRAW.normal(size=(ROWS, 20)))
    along = jax.tree.map(lambda leaf: np.float32(DRAW.normal(size=leaf.shape)) / 4, at)
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
    assert not np.any(derivative(rounded, tangent))


def test_a_mass_that_float32_cannot_tell_from_zero_has_a_logarithm_all_the_same():
    x, mean, log_scale, half = 0.0, 0.9, -3.0, 1 / 255
    upper, lower = (1 / (1 + np.exp(-np.exp(-log_scale) * (x - mean + shift))) for shift in (half, -half))
    mass = mixture.log_mass(jnp.float32(x), jnp.float32(mean), jnp.float32(log_scale), 255)
    assert float(mass) == pytest.approx(np.log(upper - lower), abs=0.01)
