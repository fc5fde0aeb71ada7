"""The mixture of discretized logistics: one reading of the network's outputs, its likelihood, its samples.

Outputs for a pixel: `mixtures` logits, then for each channel means, log-scales and, for RGB, coefficients,
`mixtures` of each. Green's mean takes tanh(c0)·red, blue's tanh(c1)·red + tanh(c2)·green.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_MIN_LOG_SCALE = -7.0


class Mixture(NamedTuple):
    """Arrays [..., mixtures] (logits) and [..., channels, mixtures]; `coefficients` is None for gray."""

    logits: jax.Array
    means: jax.Array
    log_scales: jax.Array
    coefficients: jax.Array | None


def read(outputs: jax.Array, channels: int) -> Mixture:
    """The parameters in the network's outputs [..., mixtures·(1 + 2 or 3 · channels)]."""
    parts = 2 if channels == 1 else 3
    mixtures = outputs.shape[-1] // (1 + parts * channels)
    rest = outputs[..., mixtures:].reshape(*outputs.shape[:-1], channels, parts, mixtures)
    coefficients = None if channels == 1 else jnp.tanh(rest[..., 2, :])
    return Mixture(outputs[..., :mixtures], rest[..., 0, :], jnp.maximum(rest[..., 1, :], _MIN_LOG_SCALE), coefficients)


def mean_of_channel(
    channel: int, mean: jax.Array, coefficients: jax.Array | None, before: list[jax.Array]
) -> jax.Array:
    """A channel's mean given the pixel's channels `before` it; `coefficients` are those of the pixel, channel first."""
    if channel == 0:
        return mean
    if channel == 1:
        return mean + coefficients[0] * before[0]
    return mean + coefficients[1] * before[0] + coefficients[2] * before[1]


def sample(outputs: jax.Array, gumbel: jax.Array, logistic: jax.Array) -> jax.Array:
    """Pixels [..., channels] in [−1, 1] from Gumbel noise [..., mixtures] and logistic noise [..., channels]."""
    channels = logistic.shape[-1]
    mixture = read(outputs, channels)
    choice = jnp.argmax(mixture.logits + gumbel, axis=-1)[..., None, None]

    def chosen(parameter):
        return jnp.take_along_axis(parameter, choice, axis=-1)[..., 0]

    means, scales = chosen(mixture.means), jnp.exp(chosen(mixture.log_scales))
    coefficients = None if channels == 1 else jnp.moveaxis(chosen(mixture.coefficients), -1, 0)
    pixel: list[jax.Array] = []
    for channel in range(channels):
        mean = mean_of_channel(channel, means[..., channel], coefficients, pixel)
        pixel.append(jnp.clip(mean + scales[..., channel] * logistic[..., channel], -1.0, 1.0))
    return jnp.stack(pixel, axis=-1)


def log_likelihood(outputs: jax.Array, x: jax.Array) -> jax.Array:
    """log P(pixel) in nats, [...]: `x` [..., channels] on the grid of 256 levels in [−1, 1]."""
    channels = x.shape[-1]
    mixture = read(outputs, channels)
    coefficients = None if channels == 1 else jnp.moveaxis(mixture.coefficients, -2, 0)
    values = [x[..., channel, None] for channel in range(channels)]
    total = jax.nn.log_softmax(mixture.logits)
    for channel, value in enumerate(values):
        mean = mean_of_channel(channel, mixture.means[..., channel, :], coefficients, values)
        total += _log_level(value, mean, mixture.log_scales[..., channel, :])
    return jax.nn.logsumexp(total, axis=-1)


def _log_level(x: jax.Array, mean: jax.Array, log_scale: jax.Array) -> jax.Array:
    """log of a logistic's mass on the level of `x`, which at −1 and 1 includes the tail beyond."""
    inverse, half = jnp.exp(-log_scale), 1 / 255
    upper, lower, middle = (inverse * (x - mean + shift) for shift in (half, -half, 0.0))
    mass = jax.nn.sigmoid(upper) - jax.nn.sigmoid(lower)
    # Where float32 cannot tell the two cumulatives apart, density × width stands in.
    density = middle - log_scale - 2 * jax.nn.softplus(middle) + jnp.log(2 * half)
    inside = jnp.where(mass > 1e-5, jnp.log(jnp.maximum(mass, 1e-12)), density)
    return jnp.where(x < -0.999, -jax.nn.softplus(-upper), jnp.where(x > 0.999, -jax.nn.softplus(lower), inside))
