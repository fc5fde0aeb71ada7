"""The network of one block of a flow: mean and log-scale of every patch, each from the patches before it.

A causal transformer. Row i embeds patch i − 1 (zeros at i = 0), and its output belongs to patch i.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, take_blocks
from ffc.models import decoder
from ffc.models.base import Normal, Params

#: Log-scales lie in ±`LIMIT`: a bound by tanh, so that a block neither overflows nor loses the bits of its input.
LIMIT = 2.0


class Sizes(NamedTuple):
    """Sizes of a block: `patches` of `entries` numbers each."""

    patches: int
    entries: int
    width: int
    layers: int
    heads: int


def fresh(sizes: Sizes) -> Params:
    """Return the weights of a block, with `Normal` for each that is random; its outputs are zero at first."""
    patches, entries, width, layers, _ = sizes
    return decoder.fresh(width, layers) | {
        "embed": Normal((entries, width), entries**-0.5),
        "positions": Normal((patches, width), 0.5),
        "outputs": jnp.zeros((width, 2 * entries), jnp.float32),
        "bias": jnp.zeros(2 * entries, jnp.float32),
    }


def whole(params: Params, x: jax.Array, heads: int) -> tuple[jax.Array, jax.Array]:
    """Mean and log-scale [batch, patches, entries] float32 of all patches of `x`, in the dtype of `x` up to there."""
    batch, patches, _ = x.shape
    cache = decoder.init_cache(params, heads, batch, patches)
    return window(params, cache, x, jnp.zeros(batch, jnp.int32), patches, heads)[0]


def window(
    params: Params, cache: Cache, x: jax.Array, start: jax.Array, count: int, heads: int
) -> tuple[tuple[jax.Array, jax.Array], Cache]:
    """`whole` for `count` patches from `start` [batch] on, and the `cache` that holds them, too."""
    before = take_blocks(jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0))), start, count)
    h, cache = decoder.extend(params, heads, cache, before @ params["embed"], start)
    out = h @ params["outputs"] + params["bias"]
    mean, raw = jnp.split(out.astype(jnp.promote_types(out.dtype, jnp.float32)), 2, axis=-1)
    return (mean, LIMIT * jnp.tanh(raw / LIMIT)), cache
