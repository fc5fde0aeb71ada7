"""A decoder of tokens: embedded before its blocks, and compared with the embeddings behind them.

Row i sees the tokens before i: its input is the token at i − 1, and a vector of its own at i = 0.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from ffc.core.system import Cache
from ffc.models import decoder
from ffc.models.base import Normal, Params
from ffc.models.tokens.system import tokens_before


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Decoder:
    """The network as `ffc.models.tokens` takes it: tokens [batch, N] int32 → logits [batch, N, vocabulary]."""

    params: Params
    heads: int = field(metadata={"static": True})

    def __call__(self, tokens: jax.Array) -> jax.Array:
        start = jnp.zeros(len(tokens), jnp.int32)
        return self.extend(self.init_cache(*tokens.shape), tokens_before(tokens), start)[0]

    def init_cache(self, batch: int, size: int) -> Cache:
        return decoder.init_cache(self.params, self.heads, batch, size)

    def extend(self, cache: Cache, before: jax.Array, start: jax.Array) -> tuple[jax.Array, Cache]:
        """Logits [batch, w, vocabulary] of the rows from `start` [batch] on, and the cache that holds them, too."""
        embedding = self.params["embedding"]
        x = jnp.where((before < 0)[..., None], self.params["begin"], embedding[jnp.maximum(before, 0)])
        x, cache = decoder.extend(self.params, self.heads, cache, x, start)
        return x @ embedding.T, cache


def fresh(vocabulary: int, size: int, width: int, depth: int, learned: bool) -> Params:
    """Return the tree of fresh weights, with `Normal` for each that is random."""
    spread = width**-0.5
    tree = {"embedding": Normal((vocabulary, width), spread), "begin": Normal((width,), spread)}
    positions = {"positions": Normal((size, width), spread)} if learned else {}
    return decoder.fresh(width, depth) | tree | positions
