"""Pre-normalised blocks of a causal transformer (arXiv 1706.03762): row i sees the rows 0 … i.

One function, `extend`, evaluates some rows after those that a cache holds; from an empty cache, these are all rows.
Sums of a part and of all rows may run in another order.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import indices
from ffc.models.base import Normal, Params

#: Of rotary positions: the longest wavelength is about this many rows (arXiv 2104.09864).
_LONGEST = 10_000.0
_EPSILON = 1e-6
#: Stands for minus infinity, which would make a row of no tokens NaN.
_NEVER = -1e30


class KeyValues(NamedTuple):
    """Keys and values of the rows that were evaluated so far, [batch, heads, rows, width / heads] each."""

    keys: jax.Array
    values: jax.Array


def fresh(width: int, depth: int) -> Params:
    """Return weights of `depth` blocks, with `Normal` for each that is random.

    Positions are rotary, or learned where "positions" [rows, width] is added to the weights.
    """
    spread = width**-0.5
    block = {
        "norm": jnp.ones(width, jnp.float32),
        "qkv": Normal((width, 3 * width), spread),
        "out": Normal((width, width), spread * (2 * depth) ** -0.5),
        "norm_up": jnp.ones(width, jnp.float32),
        "up": Normal((width, 4 * width), spread),
        "down": Normal((4 * width, width), spread / 2 * (2 * depth) ** -0.5),
    }
    return {"norm": jnp.ones(width, jnp.float32)} | {f"block_{i}": block for i in range(depth)}


def init_cache(params: Params, heads: int, batch: int, size: int) -> list[KeyValues]:
    """Return room for the keys and values of `size` rows in each block."""
    width, depth = len(params["norm"]), sum(name.startswith("block_") for name in params)
    room = jnp.zeros((batch, heads, size, width // heads), params["norm"].dtype)
    return [KeyValues(room, room)] * depth


def extend(
    params: Params, heads: int, cache: list[KeyValues], x: jax.Array, start: jax.Array
) -> tuple[jax.Array, list[KeyValues]]:
    """`x` [batch, w, width] of the rows from `start` [batch] on through all blocks, and the cache that holds them."""
    rows = start[:, None] + indices(x.shape[1])
    learned = "positions" in params
    if learned:
        x = x + params["positions"][rows]
    extended = []
    for i, layer in enumerate(cache):
        block = params[f"block_{i}"]
        query, key, value = _split(_normalised(x, block["norm"]) @ block["qkv"], heads)
        if not learned:
            query, key = (_rotated(part, rows) for part in (query, key))
        layer = KeyValues(*(_put(kept, new, start) for kept, new in zip(layer, (key, value), strict=True)))
        x = x + _mixed(query, layer, rows) @ block["out"]
        x = x + jax.nn.gelu(_normalised(x, block["norm_up"]) @ block["up"]) @ block["down"]
        extended.append(layer)
    return _normalised(x, params["norm"]), extended


def _normalised(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Divided by its root mean square (arXiv 1910.07467)."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + _EPSILON) * scale


def _split(qkv: jax.Array, heads: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Split `qkv` [batch, w, 3 · width] into queries, keys, values, [batch, heads, w, width / heads] each."""
    parts = qkv.reshape(*qkv.shape[:2], 3, heads, qkv.shape[2] // (3 * heads))
    queries, keys, values = jnp.moveaxis(parts, (2, 3), (0, 2))
    return queries, keys, values


def _rotated(x: jax.Array, rows: jax.Array) -> jax.Array:
    """`x` [batch, heads, w, d] with pairs of entries turned by angles that grow with their row [batch, w]."""
    half = x.shape[-1] // 2
    angle = rows[:, None, :, None] * _LONGEST ** (-jnp.arange(half, dtype=jnp.float32) / half)
    sin, cos = jnp.sin(angle).astype(x.dtype), jnp.cos(angle).astype(x.dtype)
    one, two = x[..., :half], x[..., half:]
    return jnp.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1)


def _mixed(queries: jax.Array, cache: KeyValues, rows: jax.Array) -> jax.Array:
    """[batch, w, width]: values by softmax, of the rows up to each of `rows` [batch, w]."""
    mask = rows[:, None, :, None] >= indices(cache.keys.shape[2])
    scores = jnp.einsum("bhid,bhjd->bhij", queries, cache.keys) / math.sqrt(queries.shape[-1])
    weights = jax.nn.softmax(jnp.where(mask, scores.astype(jnp.float32), _NEVER), axis=-1).astype(queries.dtype)
    mixture = jnp.einsum("bhij,bhjd->bihd", weights, cache.values)
    return mixture.reshape(*mixture.shape[:2], -1)


def _put(x: jax.Array, new: jax.Array, start: jax.Array) -> jax.Array:
    """`x` [batch, heads, rows, d] with `new` from each sample's row `start` [batch] on.

    In place, sample by sample: a batched update would be a scatter, which copies.
    """
    if new.shape[2] == x.shape[2]:
        return new
    zero = jnp.int32(0)

    def one(i: jax.Array, x: jax.Array) -> jax.Array:
        sample = jax.lax.dynamic_slice_in_dim(new, i, 1)
        return jax.lax.dynamic_update_slice(x, sample, (i, zero, start[i], zero))

    return one(zero, x) if len(x) == 1 else jax.lax.fori_loop(zero, jnp.int32(len(x)), one, x)
