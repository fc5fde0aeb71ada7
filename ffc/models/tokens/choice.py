"""How a token is chosen from logits and noise: temperature, top-k, top-p.

    token = argmax over the tokens left of logits + temperature · noise

With standard Gumbel noise, that draws from softmax(logits / temperature); at temperature 0 it is the likeliest token.
"""

from dataclasses import dataclass
from numbers import Real

import jax
import jax.numpy as jnp

from ffc.core.errors import FFCError
from ffc.core.system import indices


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Choice:
    """Top-k leaves the k likeliest tokens; then top-p the fewest that have the probability p together.

    Tokens as likely as the last one left are left, too. Make it by `of`, which checks the numbers.
    """

    temperature: jax.Array  # scalar float32
    top_k: jax.Array | None  # scalar int32; None: all
    top_p: jax.Array | None  # scalar float32; None: all

    @classmethod
    def of(
        cls, vocabulary: int, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
    ) -> "Choice":
        """Return the choice among `vocabulary` tokens. Raises `FFCError` where a number is out of range."""
        most = float(jnp.finfo(jnp.float32).max)
        if not _is_number(temperature) or not 0 <= temperature <= most:
            raise FFCError(f"temperature: {temperature}; give 0 (always the likeliest token) … {most:.2g}")
        if top_k is not None and not (_is_number(top_k) and top_k in range(1, vocabulary + 1)):
            raise FFCError(f"top_k: {top_k} of {vocabulary} tokens cannot be left; give 1 … {vocabulary}, or none")
        if top_p is not None and not (_is_number(top_p) and 0 < top_p <= 1):
            raise FFCError(f"top_p: {top_p}; give a probability above 0, at most 1, or leave it out")
        return cls(
            jnp.float32(temperature),
            None if top_k is None else jnp.int32(top_k),
            None if top_p in (None, 1) else jnp.float32(top_p),
        )

    def tokens(self, logits: jax.Array, noise: jax.Array) -> jax.Array:
        """[...] int32 from `logits` and `noise` [..., vocabulary]."""
        scores = logits + self.temperature * noise
        if self.top_k is not None or self.top_p is not None:
            ordered = -jnp.sort(-logits, axis=-1)
            scores = jnp.where(logits >= _entry(ordered, self._count(ordered) - 1), scores, -jnp.inf)
        return jax.lax.argmax(scores, logits.ndim - 1, jnp.int32)

    def ties(self, logits: jax.Array, noise: jax.Array, tolerance: float) -> jax.Array:
        """[...] bool: errors of up to `tolerance` in the logits could have chosen another token."""
        scores, apart = logits + self.temperature * noise, 2 * tolerance
        ordered = -jnp.sort(-logits, axis=-1)
        fewest, most = (self._count(ordered, slack) for slack in (-apart, apart))
        possible = logits >= _entry(ordered, most - 1) - apart
        last = jnp.concatenate([ordered, jnp.full_like(ordered[..., :1], -jnp.inf)], axis=-1)
        certain = logits > _entry(last, fewest) + apart
        first, second = jnp.moveaxis(-jnp.sort(-jnp.where(possible, scores, -jnp.inf), axis=-1)[..., :2], -1, 0)
        return (first - second < apart) | (jnp.max(jnp.where(certain, scores, -jnp.inf), axis=-1) != first)

    def _count(self, ordered: jax.Array, slack: float = 0.0) -> jax.Array:
        """[...] how many tokens are left of logits in falling order; `slack` is added to the probability of top-p."""
        left = jnp.ones(ordered.shape, bool)
        if self.top_k is not None:
            left = left & (indices(ordered.shape[-1]) < self.top_k)
        if self.top_p is not None:
            sharp = ordered / jnp.where(self.temperature > 0, self.temperature, 1)
            chances = jax.nn.softmax(sharp, axis=-1, where=left)
            left = left & (jnp.cumsum(chances, axis=-1) - chances < self.top_p + slack)
        return jnp.maximum(jnp.sum(left, axis=-1, dtype=jnp.int32), 1)


def _entry(values: jax.Array, index: jax.Array) -> jax.Array:
    """[..., 1] the entry `index` [...] of the last axis of `values`."""
    return jnp.take_along_axis(values, index[..., None], axis=-1)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
