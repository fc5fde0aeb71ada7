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
    noise = [logistic, gumbel, settled[..., None].astype(x.dtype)]
    pixels = jnp.concatenate([x, y, *noise], axis=-1)  # one array: each would take a launch
    return pallas.pallas_call(
        partial(_row, channels=channels, mixtures=gumbel.shape[-1]),
        grid=(rows,),
        in_specs=[pallas.BlockSpec(left.shape, lambda row: (0, 0, 0)), _of_row(outputs), _of_row(pixels)],
        out_specs=_of_row(x),
        out_shape=shape_of(x),
        compiler_params=triton.CompilerParams(num_warps=1),
        interpret=interpret,
        name="drafted_rows",
    )(left, outputs, pixels)


def _of_row(array: jax.Array) -> pallas.BlockSpec:
    return pallas.BlockSpec((None, *array.shape[1:]), lambda row: (row, 0, 0))


def _row(left: Any, outputs: Any, pixels: Any, drafted: Any, *, channels: int, mixtures: int) -> None:
    """Draft a row, a pixel after the other; `pixels` [columns, …] hold x, y, the noise and `settled`."""
    columns, parts = outputs.shape[0], outputs.shape[1] // mixtures
    shape = (pallas.next_power_of_2(parts), pallas.next_power_of_2(mixtures))  # which the compiler asks for
    part, component = (jax.lax.broadcasted_iota(jnp.int32, shape, axis) for axis in (0, 1))
    place = jax.lax.broadcasted_iota(jnp.int32, shape[:1], 0)
    number = jax.lax.broadcasted_iota(jnp.int32, shape[1:], 0)

    def tile(reference: Any, *index: Any) -> jax.Array:
        there = reference.at[(*index, part * mixtures + component)]
        return triton.load(there, mask=(part < parts) & (component < mixtures), other=0.0)

    near = [tile(left, k, channel) for k in range(len(left)) for channel in range(channels)]

    def pixel(i, changes):
        tiles = sum((one * change for one, change in zip(near, changes, strict=True)), tile(outputs, i))
        gumbel = triton.load(pixels.at[i, 3 * channels + number], mask=number < mixtures, other=_NEVER)
        scores = jnp.sum(jnp.where(part == 0, tiles, 0.0), axis=0) + gumbel
        best = jnp.broadcast_to((scores == jnp.max(scores))[None], shape)
        chosen = jnp.sum(jnp.where(best, tiles, 0.0), axis=1)

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
            settled = pixels[i, 3 * channels + mixtures] > 0
            value = jnp.where(settled, pixels[i, channels + channel], before[-1])
            drafted[i, channel] = value
            new.append(value - pixels[i, channel])
        return (*new, *changes[:-channels])

    jax.lax.fori_loop(0, columns, pixel, (jnp.float32(0),) * len(near))


def _level(x: jax.Array) -> jax.Array:
    """Return the level nearest to `x`, with the bits of `mixture.level`."""
    steps = mixture.EIGHT_BIT
    index = jnp.floor((jnp.clip(x, -1.0, 1.0) + 1.0) * (steps / 2) + 0.5)
    return (2.0 * index - steps) * jnp.float32(1 / steps)
