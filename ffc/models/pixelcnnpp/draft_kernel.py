"""The pass of a linear draft as one GPU kernel, for the coupling `Gumbel` on 256 levels.

As a loop, each column is a dozen small kernels. Here a warp takes a row. The parameters of a pixel are a tile, parts
(logits, then means, log-scales and coefficients of each channel) × mixtures; so is the change by a pixel to the left.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas
from jax.experimental.pallas import triton

from ffc.core.mesh import shape_of
from ffc.models.pixelcnnpp import mixture

#: What a component that is not there scores.
_NEVER = -1e30


def drafted_rows(
    left: jax.Array,
    outputs: jax.Array,
    gumbel: jax.Array,
    logistic: jax.Array,
    settled: jax.Array,
    x: jax.Array,
    y: jax.Array,
    interpret: bool = False,
) -> jax.Array:
    """Return the draft [rows, columns, channels] float32 of rows of pixels.

    `left` [K, channels, outputs] says how outputs change with the pixels to the left. `outputs` [rows, columns, …] are
    the network's for the pixels `x`; `gumbel` [rows, columns, mixtures] and `logistic` [rows, columns, channels] are
    the noise. Where `settled` [rows, columns], the pixel is that of `y`. `interpret` runs it without a GPU.
    """
    rows, _, channels = x.shape
    neighbours, mixtures = len(left), gumbel.shape[-1]
    pixels = _padded(jnp.concatenate([x, y, logistic, settled[..., None].astype(x.dtype)], axis=-1), 1)
    parameters = _tiles(outputs, mixtures)
    scores = jnp.pad(gumbel, ((0, 0), (0, 0), (0, parameters.shape[-1] - mixtures)), constant_values=_NEVER)
    parameters = parameters.at[:, :, 0].add(scores)
    tiles = _tiles(left.reshape(neighbours * channels, -1), mixtures)
    of_row = pallas.BlockSpec((None, *pixels.shape[1:]), lambda row: (row, 0, 0))
    drafted = pallas.pallas_call(
        partial(_row, channels=channels),
        grid=(rows,),
        in_specs=[
            pallas.BlockSpec((None, *parameters.shape[1:]), lambda row: (row, 0, 0, 0)),
            pallas.BlockSpec(tiles.shape, lambda row: (0, 0, 0)),
            of_row,
        ],
        out_specs=of_row,
        out_shape=shape_of(pixels),
        compiler_params=triton.CompilerParams(num_warps=1),
        interpret=interpret,
        name="drafted_rows",
    )(parameters, tiles, pixels)
    return drafted[..., :channels]


def _row(parameters: Any, tiles: Any, pixels: Any, drafted: Any, *, channels: int) -> None:
    """Draft a row, a pixel after the other; `pixels` [columns, …] hold x, y, the logistic noise and `settled`."""
    near = [tiles[j] for j in range(len(tiles))]
    part = jax.lax.broadcasted_iota(jnp.int32, near[0].shape, 0)
    place = jax.lax.broadcasted_iota(jnp.int32, near[0].shape[:1], 0)

    def pixel(i, changes):
        tile = sum((one * change for one, change in zip(near, changes, strict=True)), parameters[i])
        scores = jnp.sum(jnp.where(part == 0, tile, 0.0), axis=0)
        best = jnp.broadcast_to((scores == jnp.max(scores))[None], tile.shape)
        chosen = jnp.sum(jnp.where(best, tile, 0.0), axis=1)

        def parameter(number: int) -> jax.Array:
            return jnp.sum(jnp.where(place == number, chosen, 0.0))

        before: list[jax.Array] = []
        new = []
        for channel in range(channels):
            first = 1 + (2 if channels == 1 else 3) * channel
            coefficients = ((), (3,), (6, 9))[channel]
            mean = parameter(first) + sum(jnp.tanh(parameter(c)) * x for c, x in zip(coefficients, before, strict=True))
            scale = jnp.exp(jnp.maximum(parameter(first + 1), mixture.MIN_LOG_SCALE))
            before.append(_level(mean + scale * pixels[i, 2 * channels + channel]))
            settled = pixels[i, 3 * channels] > 0
            value = jnp.where(settled, pixels[i, channels + channel], before[-1])
            drafted[i, channel] = value
            new.append(value - pixels[i, channel])
        return (*new, *changes[:-channels])

    jax.lax.fori_loop(0, len(parameters), pixel, (jnp.float32(0),) * len(near))


def _level(x: jax.Array) -> jax.Array:
    """Return the level nearest to `x`, with the bits of `mixture.level`."""
    steps = mixture.EIGHT_BIT
    index = jnp.floor((jnp.clip(x, -1.0, 1.0) + 1.0) * (steps / 2) + 0.5)
    return (2.0 * index - steps) * jnp.float32(1 / steps)


def _tiles(outputs: jax.Array, mixtures: int) -> jax.Array:
    """Return outputs [..., parts · mixtures] as tiles [..., parts, mixtures], zeros beyond."""
    return _padded(outputs.reshape(*outputs.shape[:-1], -1, mixtures), 2)


def _padded(array: jax.Array, axes: int) -> jax.Array:
    """Return `array` with its last `axes` as long as the next power of two, which the compiler asks for."""
    more = [(1 << (size - 1).bit_length()) - size for size in array.shape[-axes:]]
    return jnp.pad(array, [(0, 0)] * (array.ndim - axes) + [(0, width) for width in more])
