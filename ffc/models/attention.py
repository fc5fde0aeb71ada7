"""Causal self-attention over a sequence: of all its tokens at once, and of a window of them beside what is kept.

Pure functions on a tree of weights, {"qkv": …, "out": …}, each {"kernel": [in, out], "bias": [out]}. Token i attends to
the tokens 0 … i. Both forms calculate the same; their sums may run in another order.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import indices
from ffc.models.base import Normal, Params

#: Stands for minus infinity, which would make a row of no tokens NaN.
_NEVER = -1e30


class KeyValues(NamedTuple):
    """Keys and values of the tokens that were evaluated so far, [batch, heads, tokens, width / heads] each."""

    keys: jax.Array
    values: jax.Array


def shapes(width: int, branches: int = 1) -> Params:
    """Return weights as `ffc.models.base.draw` takes them; `branches`: how many sums the outcome is one term of."""
    return {"qkv": dense(width, 3 * width), "out": dense(width, width, 1 / math.sqrt(branches))}


def dense(inputs: int, outputs: int, scale: float = 1.0) -> Params:
    """Return the weights of an affine layer: variance `scale`² / `inputs`, no bias."""
    return {
        "kernel": Normal((inputs, outputs), scale / math.sqrt(inputs)),
        "bias": jnp.zeros(outputs, jnp.float32),
    }


def affine(layer: Params, x: jax.Array) -> jax.Array:
    """`x` [..., in] through an affine layer, [..., out]."""
    return x @ layer["kernel"] + layer["bias"]


def keep(batch: int, tokens: int, width: int, heads: int, dtype: Any = jnp.float32) -> KeyValues:
    """Room for the keys and values of `tokens` tokens."""
    room = jnp.zeros((batch, heads, tokens, width // heads), dtype)
    return KeyValues(room, room)


def whole(layer: Params, x: jax.Array, heads: int) -> jax.Array:
    """`x` [batch, tokens, width], every token with those up to itself."""
    queries, keys, values = split(affine(layer["qkv"], x), heads)
    at = indices(x.shape[1])
    return affine(layer["out"], mixed(queries, KeyValues(keys, values), at[:, None] >= at))


def window(layer: Params, cache: KeyValues, x: jax.Array, start: jax.Array, heads: int) -> tuple[jax.Array, KeyValues]:
    """`x` [batch, count, width]: the tokens from `start` [batch] on, beside those in the `cache`."""
    queries, keys, values = split(affine(layer["qkv"], x), heads)
    cache = put(cache, keys, values, start)
    return affine(layer["out"], mixed(queries, cache, causal_mask(start, x.shape[1], cache))), cache


def split(qkv: jax.Array, heads: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Split `qkv` [batch, tokens, 3 · width] into queries, keys, values, [batch, heads, tokens, width / heads] each."""
    parts = qkv.reshape(*qkv.shape[:2], 3, heads, qkv.shape[2] // (3 * heads))
    queries, keys, values = jnp.moveaxis(parts, (2, 3), (0, 2))
    return queries, keys, values


def causal_mask(start: jax.Array, count: int, cache: KeyValues) -> jax.Array:
    """[batch, 1, count, tokens] bool: the tokens up to each of `count` from `start` [batch] on."""
    return (start[:, None] + indices(count))[:, None, :, None] >= indices(cache.keys.shape[2])


def mixed(queries: jax.Array, cache: KeyValues, mask: jax.Array) -> jax.Array:
    """[batch, tokens, width]: values by softmax, of those that the `mask` [..., tokens, keys] has."""
    scores = jnp.einsum("bhid,bhjd->bhij", queries, cache.keys) / math.sqrt(queries.shape[-1])
    weights = jax.nn.softmax(jnp.where(mask, scores.astype(jnp.float32), _NEVER), axis=-1).astype(queries.dtype)
    mixture = jnp.einsum("bhij,bhjd->bihd", weights, cache.values)
    return mixture.reshape(*mixture.shape[:2], -1)


def put(cache: KeyValues, keys: jax.Array, values: jax.Array, start: jax.Array) -> KeyValues:
    """`cache` with `keys` and `values` [batch, heads, count, width / heads] from each sample's `start` [batch] on."""
    return KeyValues(_put_rows(cache.keys, keys, start), _put_rows(cache.values, values, start))


def _put_rows(x: jax.Array, new: jax.Array, start: jax.Array) -> jax.Array:
    """In place, sample by sample: a batched update would be a scatter, which copies."""
    if new.shape[2] == x.shape[2]:
        return new
    zero = jnp.int32(0)

    def one(i: jax.Array, x: jax.Array) -> jax.Array:
        sample = jax.lax.dynamic_slice_in_dim(new, i, 1)
        return jax.lax.dynamic_update_slice(x, sample, (i, zero, start[i], zero))

    return one(zero, x) if len(x) == 1 else jax.lax.fori_loop(zero, jnp.int32(len(x)), one, x)
