"""A decoder-only transformer: pre-normalised blocks, causal attention, tied embeddings (arXiv 1706.03762).

Row i sees the tokens before i: its input is the token at i − 1, and a vector of its own at i = 0. One function,
`extend`, evaluates some rows after those that a cache holds; from an empty cache, these are all rows.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, indices
from ffc.models import attention
from ffc.models.base import Normal
from ffc.models.tokens.system import tokens_before

Params = Any
#: Of rotary positions: the longest wavelength is about this many tokens (arXiv 2104.09864).
_LONGEST = 10_000.0
_EPSILON = 1e-6


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Decoder:
    """The network as `ffc.models.tokens` takes it: tokens [batch, N] int32 → logits [batch, N, vocabulary]."""

    params: Params
    heads: int = field(metadata={"static": True})

    def __call__(self, tokens: jax.Array) -> jax.Array:
        start = jnp.zeros(len(tokens), jnp.int32)
        return self.extend(self.init_cache(*tokens.shape), tokens_before(tokens), start)[0]

    @property
    def depth(self) -> int:
        return sum(name.startswith("block_") for name in self.params)

    def init_cache(self, batch: int, size: int) -> Cache:
        """Keys and values of each block."""
        embedding = self.params["embedding"]
        return [attention.keep(batch, size, embedding.shape[1], self.heads, embedding.dtype)] * self.depth

    def extend(self, cache: Cache, before: jax.Array, start: jax.Array) -> tuple[jax.Array, Cache]:
        """Logits [batch, w, vocabulary] of the rows from `start` [batch] on, and the cache that holds them, too."""
        params, rows = self.params, start[:, None] + indices(before.shape[1])
        x = jnp.where((before < 0)[..., None], params["begin"], params["embedding"][jnp.maximum(before, 0)])
        if "positions" in params:
            x = x + params["positions"][rows]
        extended = []
        for i, layer in enumerate(cache):
            block = params[f"block_{i}"]
            added, layer = self._attended(block, _normalised(x, block["norm"]), layer, rows)
            x = x + added
            x = x + jax.nn.gelu(_normalised(x, block["norm_up"]) @ block["up"]) @ block["down"]
            extended.append(layer)
        return _normalised(x, params["norm"]) @ params["embedding"].T, extended

    def _attended(self, block: Params, x: jax.Array, cache: Any, rows: jax.Array) -> tuple[jax.Array, Any]:
        """Return what attention adds to `rows` [batch, w], and the keys and values with theirs."""
        query, key, value = attention.split(x @ block["qkv"], self.heads)
        if "positions" not in self.params:
            query, key = (_rotated(part, rows) for part in (query, key))
        cache = attention.put(cache, key, value, rows[:, 0])
        mask = attention.causal_mask(rows[:, 0], rows.shape[1], cache)
        return attention.mixed(query, cache, mask) @ block["out"], cache


def fresh(vocabulary: int, size: int, width: int, depth: int, learned: bool) -> Params:
    """Return the tree of fresh weights, with `Normal` for each that is random."""
    spread = width**-0.5
    tree: Params = {
        "embedding": Normal((vocabulary, width), spread),
        "begin": Normal((width,), spread),
        "norm": jnp.ones(width, jnp.float32),
    }
    for i in range(depth):
        tree[f"block_{i}"] = {
            "norm": jnp.ones(width, jnp.float32),
            "qkv": Normal((width, 3 * width), spread),
            "out": Normal((width, width), spread * (2 * depth) ** -0.5),
            "norm_up": jnp.ones(width, jnp.float32),
            "up": Normal((width, 4 * width), spread),
            "down": Normal((4 * width, width), spread / 2 * (2 * depth) ** -0.5),
        }
    return tree | ({"positions": Normal((size, width), spread)} if learned else {})


def _normalised(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Divided by its root mean square (arXiv 1910.07467)."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + _EPSILON) * scale


def _rotated(x: jax.Array, rows: jax.Array) -> jax.Array:
    """`x` [batch, heads, w, d] with pairs of entries turned by angles that grow with their row [batch, w]."""
    half = x.shape[-1] // 2
    angle = rows[:, None, :, None] * _LONGEST ** (-jnp.arange(half, dtype=jnp.float32) / half)
    sin, cos = jnp.sin(angle).astype(x.dtype), jnp.cos(angle).astype(x.dtype)
    one, two = x[..., :half], x[..., half:]
    return jnp.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1)
