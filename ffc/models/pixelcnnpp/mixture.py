"""The mixture of discretized logistics: one reading of the network's outputs, its likelihood, its quantiles.

Outputs for a pixel: `mixtures` logits, then for each channel means, log-scales and, for RGB, coefficients,
`mixtures` of each. Green's mean takes tanh(c0)·red, blue's tanh(c1)·red + tanh(c2)·green.

A grid of `steps` steps has the levels −1, −1 + 2/steps … 1. A component's mass on a level is that of its
logistic between the edges half a step to either side; at −1 and 1 it includes the tail beyond.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

#: Steps of the grid of 8-bit images, and of one as fine as float32 is just below 1.
EIGHT_BIT, FINE = 255, 2**24
MIN_LOG_SCALE = -7.0


class Mixture(NamedTuple):
    """Arrays [..., mixtures] (logits) and [channels, ..., mixtures]; `coefficients` is None for gray."""

    logits: jax.Array
    means: jax.Array
    log_scales: jax.Array
    coefficients: jax.Array | None

    def component(self, choice: jax.Array) -> "Mixture":
        """Return the components of number `choice` [...] alone, without the axis of mixtures."""
        return jax.tree.map(lambda p: jnp.sum(jnp.where(choice[..., None] == jnp.arange(p.shape[-1]), p, 0), -1), self)

    def mean(self, channel: int, before: list[jax.Array]) -> jax.Array:
        """Return a channel's mean given the pixel's channels `before` it."""
        mean, coefficients = self.means[channel], self.coefficients
        if coefficients is None or channel == 0:
            return mean
        if channel == 1:
            return mean + coefficients[0] * before[0]
        return mean + coefficients[1] * before[0] + coefficients[2] * before[1]


def read(outputs: jax.Array, channels: int) -> Mixture:
    """Return the parameters in the network's outputs [..., mixtures·(1 + 2 or 3 · channels)]."""
    parts = 2 if channels == 1 else 3
    mixtures = outputs.shape[-1] // (1 + parts * channels)
    rest = outputs[..., mixtures:].reshape(*outputs.shape[:-1], channels, parts, mixtures)
    means, log_scales, *more = jnp.moveaxis(rest, (-2, -3), (0, 1))
    coefficients = jnp.tanh(more[0]) if more else None
    return Mixture(outputs[..., :mixtures], means, jnp.maximum(log_scales, MIN_LOG_SCALE), coefficients)


def log_likelihood(outputs: jax.Array, x: jax.Array) -> jax.Array:
    """log P(pixel) in nats, [...]: `x` [..., channels] on the grid of 256 levels in [−1, 1]."""
    channels = x.shape[-1]
    mixture = read(outputs, channels)
    values = [x[..., channel, None] for channel in range(channels)]
    total = jax.nn.log_softmax(mixture.logits)
    for channel, value in enumerate(values):
        total += log_mass(value, mixture.mean(channel, values), mixture.log_scales[channel], EIGHT_BIT)
    return jax.nn.logsumexp(total, axis=-1)


def log_mass(x: jax.Array, mean: jax.Array, log_scale: jax.Array, steps: int) -> jax.Array:
    """log of a logistic's mass on the level `x` of a grid of `steps` steps."""
    inverse, half = jnp.exp(-log_scale), 1 / steps
    upper, lower, middle = (inverse * (x - mean + shift) for shift in (half, -half, 0.0))
    mass = jax.nn.sigmoid(upper) - jax.nn.sigmoid(lower)
    # Where float32 cannot tell the two cumulatives apart, density × width stands in: on a fine grid everywhere.
    density = middle - log_scale - 2 * jax.nn.softplus(middle) + jnp.log(2 * half)
    inside = jnp.where((mass > 1e-5) & (steps < FINE), jnp.log(jnp.maximum(mass, 1e-12)), density)
    return jnp.where(x < -1 + half, -jax.nn.softplus(-upper), jnp.where(x > 1 - half, -jax.nn.softplus(lower), inside))


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def quantile(
    log_weights: jax.Array, mean: jax.Array, log_scale: jax.Array, uniform: jax.Array, steps: int
) -> jax.Array:
    """Return the lowest level x of a grid with P(≤ x) ≥ `uniform`, [...]; not a number where the mixture is none.

    P(≤ x) = Σ_k weight_k · σ((x + 1/steps − mean_k) / scale_k), over arrays [..., mixtures]; the weights may
    lack a common factor. It rises with x, so a binary search counts the edges at which it is less than
    `uniform`: `steps.bit_length()` evaluations, 8 for 256 levels, and nothing that could fail to converge.

    On a grid as fine as float32, the derivative is that of the equation P(≤ x) = `uniform`; 0 at −1 and 1, where x
    rests, and on coarser grids.
    """
    below = _cumulative(log_weights, mean, log_scale)
    bits = steps.bit_length()

    def search(i, index):
        ahead = index + (1 << (bits - 1) >> i)
        edge = (2 * ahead - 1 - steps).astype(uniform.dtype) * (1 / steps)
        return jnp.where((ahead <= steps) & (below(edge[..., None]) < uniform), ahead, index)

    index = jax.lax.fori_loop(0, bits, search, jnp.zeros(uniform.shape, jnp.int32))
    return jnp.where(jnp.isnan(below(0.0)), jnp.nan, level(index, steps, uniform.dtype))


@quantile.defjvp
def _quantile_jvp(steps: int, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    *logistics, uniform = primals
    *changes, uniform_change = tangents
    x = quantile(*logistics, uniform, steps)
    edge = (x + 1 / steps)[..., None]
    rise = jax.jvp(lambda *logistics: _cumulative(*logistics)(edge), logistics, changes)[1]
    density = jax.jvp(_cumulative(*logistics), (edge,), (jnp.ones_like(edge),))[1]
    moves = (jnp.abs(x) < 1) & (steps >= FINE)
    return x, jnp.where(moves, (uniform_change - rise) / jnp.where(moves, density, 1), 0)


def _cumulative(log_weights: jax.Array, mean: jax.Array, log_scale: jax.Array) -> Callable[..., jax.Array]:
    """Of the whole mixture: from edges [..., 1] or a number to the mass below, [...]."""
    weights, inverse = jax.nn.softmax(log_weights), jnp.exp(-log_scale)
    return lambda edge: jnp.sum(weights * jax.nn.sigmoid(inverse * (edge - mean)), axis=-1)


def likely_level(weights: jax.Array, mean: jax.Array, log_scale: jax.Array, uniform: jax.Array) -> jax.Array:
    """Return the `quantile` of 8-bit images for few pixels at a time, from `weights` [..., mixtures], no logarithms.

    The three rounds look at 7, 7 and 3 edges at once: more arithmetic than a binary search, in fewer operations.
    """
    inverse, goal = jnp.exp(-log_scale), (uniform * jnp.sum(weights, axis=-1))[..., None]
    index, span = jnp.zeros(uniform.shape, jnp.int32), EIGHT_BIT + 1
    for parts in (8, 8, 4):
        span //= parts
        ahead = index[..., None] + span * jnp.arange(1, parts)
        scaled = inverse[..., None, :] * (_edge_below(ahead)[..., None] - mean[..., None, :])
        cumulative = jnp.sum(weights[..., None, :] * jax.nn.sigmoid(scaled), axis=-1)
        index += span * jnp.sum(cumulative < goal, axis=-1, dtype=jnp.int32)
    return level(index, EIGHT_BIT, uniform.dtype)


def likely_mass(x: jax.Array, mean: jax.Array, log_scale: jax.Array) -> jax.Array:
    """exp(`log_mass`) on a level of 8-bit images, and hardly less than float32 can tell from zero."""
    inverse, half = jnp.exp(-log_scale), 1 / EIGHT_BIT
    upper = jnp.where(x > 1 - half, 1, jax.nn.sigmoid(inverse * (x - mean + half)))
    lower = jnp.where(x < -1 + half, 0, jax.nn.sigmoid(inverse * (x - mean - half)))
    return jnp.maximum(upper - lower, 1e-9)


def _edge_below(index: jax.Array) -> jax.Array:
    """Half a step below the level of number `index` of 8-bit images."""
    return (2 * index - 1 - EIGHT_BIT).astype(jnp.float32) * (1 / EIGHT_BIT)


def level(index: jax.Array, steps: int, dtype: Any = jnp.float32) -> jax.Array:
    """Return level number `index`, 0 … steps: a product rounded once, so that every program gets the same bits."""
    return (2 * index - steps).astype(dtype) * (1 / steps)
