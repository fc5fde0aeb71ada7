"""The network of one block of a flow: mean and log-scale of every patch, each from the patches before it.

A causal transformer. Token i embeds patch i − 1 (token 0 a learned start), and its output belongs to patch i.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, take_blocks
from ffc.models import attention
from ffc.models.base import Normal, Params

#: Log-scales lie in ±`LIMIT`: a bound by tanh, so that a block neither overflows nor loses the bits of its input.
LIMIT = 2.0
_EPSILON = 1e-5

#: Layer's number, its weights and its input [batch, tokens, width]: the outcome, and what is kept of it.
Attend = Callable[[int, Params, jax.Array], tuple[jax.Array, Any]]


class Sizes(NamedTuple):
    """Sizes of a block: `patches` of `entries` numbers each."""

    patches: int
    entries: int
    width: int
    layers: int
    heads: int


def shapes(sizes: Sizes) -> Params:
    """Return the weights of a block, as `ffc.models.base.draw` takes them; its outputs are zero at first."""
    width = sizes.width
    layer = {
        "norm_attention": _norm(width),
        "attention": attention.shapes(width, 2 * sizes.layers),
        "norm_mlp": _norm(width),
        "up": attention.dense(width, 4 * width),
        "down": attention.dense(4 * width, width, 1 / math.sqrt(2 * sizes.layers)),
    }
    return {
        "embed": attention.dense(sizes.entries, width),
        "positions": Normal((sizes.patches, width), 0.5),
        **{f"layer_{i}": layer for i in range(sizes.layers)},
        "norm": _norm(width),
        "outputs": {
            "kernel": jnp.zeros((width, 2 * sizes.entries), jnp.float32),
            "bias": jnp.zeros(2 * sizes.entries, jnp.float32),
        },
    }


def whole(params: Params, x: jax.Array, heads: int) -> tuple[jax.Array, jax.Array]:
    """Mean and log-scale [batch, patches, entries] float32 of all patches of `x`, in the dtype of `x` up to there."""
    before = jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
    tokens = _tokens(params, before, params["positions"])

    def attend(_, layer, h):
        return attention.whole(layer, h, heads), ()

    return _outputs(params, tokens, attend)[0]


def window(
    params: Params, cache: Cache, x: jax.Array, start: jax.Array, count: int, heads: int
) -> tuple[tuple[jax.Array, jax.Array], Cache]:
    """`whole` for `count` patches from `start` [batch] on; the `cache` has `KeyValues` for each layer."""
    before = take_blocks(jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0))), start, count)
    places = jax.vmap(lambda s: jax.lax.dynamic_slice_in_dim(params["positions"], s, count))(start)
    tokens = _tokens(params, before, places)

    def attend(i, layer, h):
        return attention.window(layer, cache[i], h, start, heads)

    return _outputs(params, tokens, attend)


def init_cache(params: Params, batch: int, heads: int) -> Cache:
    """Return what `window` keeps of the patches: nothing yet."""
    patches, width = params["positions"].shape
    return tuple(attention.keep(batch, patches, width, heads, params["positions"].dtype) for _ in _layers(params))


def _layers(params: Params) -> list[Params]:
    return [params[f"layer_{i}"] for i in range(sum(name.startswith("layer_") for name in params))]


def _tokens(params: Params, before: jax.Array, places: jax.Array) -> jax.Array:
    return attention.affine(params["embed"], before) + places


def _outputs(params: Params, h: jax.Array, attend: Attend) -> tuple[tuple[jax.Array, jax.Array], Cache]:
    caches = []
    for i, layer in enumerate(_layers(params)):
        mixed, of_layer = attend(i, layer["attention"], _normalised(layer["norm_attention"], h))
        caches.append(of_layer)
        h = h + mixed
        h = h + attention.affine(
            layer["down"], jax.nn.gelu(attention.affine(layer["up"], _normalised(layer["norm_mlp"], h)))
        )
    out = _wide(attention.affine(params["outputs"], _normalised(params["norm"], h)))
    mean, raw = jnp.split(out, 2, axis=-1)
    return (mean, LIMIT * jnp.tanh(raw / LIMIT)), tuple(caches)


def _norm(width: int) -> Params:
    return {"scale": jnp.ones(width, jnp.float32), "bias": jnp.zeros(width, jnp.float32)}


def _normalised(layer: Params, h: jax.Array) -> jax.Array:
    """Layer normalisation of `h` [..., width]; sums in float32."""
    wide = _wide(h)
    centred = wide - jnp.mean(wide, axis=-1, keepdims=True)
    spread = jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + _EPSILON)
    return (centred * spread).astype(h.dtype) * layer["scale"] + layer["bias"]


def _wide(x: jax.Array) -> jax.Array:
    """`x` in float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
