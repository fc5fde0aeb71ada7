"""Drafts of tokens: the network's choice where what a cheap model looks at kept its value, else the cheap model's own.

This is speculative decoding with a fixed answer: the cheap model chooses by the network's own noise, so that it chooses
the network's token wherever their logits are alike enough.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.drafts import Draft, Evaluated
from ffc.core.mesh import varying
from ffc.core.system import State, System, indices, put_blocks, take_blocks
from ffc.models.tokens.choice import Choice


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Cheap:
    """A network of one hidden layer that sees the tokens at some places before its own, and nothing else.

    logits = relu(bias + Σ_k tables[k, x[i − places[k]]]) @ out: K rows of tables, and one small product. A table's
    last row stands for the places before the first token.
    """

    tables: jax.Array  # [K, vocabulary + 1, hidden]
    bias: jax.Array  # [hidden]
    out: jax.Array  # [hidden, vocabulary]
    places: tuple[int, ...] = field(metadata={"static": True})  # K distances, 1 or more

    def __repr__(self) -> str:
        return f"{type(self).__name__}(places={self.places})"

    def everywhere(self, tokens: jax.Array) -> jax.Array:
        """Logits [batch, N, vocabulary] for `tokens` [batch, N], by matrix products: those have fast gradients."""
        none = self.tables.shape[1] - 1
        hidden = self.bias
        for place, table in zip(self.places, self.tables, strict=True):
            near = jnp.pad(tokens, ((0, 0), (place, 0)), constant_values=none)[:, : tokens.shape[1]]
            hidden = hidden + jax.nn.one_hot(near, none + 1, dtype=table.dtype) @ table
        return jax.nn.relu(hidden) @ self.out

    def at(self, x: jax.Array, block: jax.Array) -> jax.Array:
        """Logits [batch, vocabulary] for `block` [batch] of `x` [batch, N]."""
        near = self._near(block)
        token = jnp.where(near < 0, self.tables.shape[1] - 1, jnp.take_along_axis(x, jnp.maximum(near, 0), axis=1))
        rows = self.tables[indices(len(self.places)), token]
        return jax.nn.relu(self.bias + rows.sum(axis=1)) @ self.out

    def same(self, x: jax.Array, y: jax.Array, block: jax.Array) -> jax.Array:
        """[batch] bool: all that is looked at for `block` [batch] is the same in `x` and `y`."""
        near = self._near(block)
        at = jnp.maximum(near, 0)
        return jnp.all((near < 0) | (jnp.take_along_axis(x, at, axis=1) == jnp.take_along_axis(y, at, axis=1)), axis=1)

    def _near(self, block: jax.Array) -> jax.Array:
        """[batch, K] the blocks that are looked at; negative where there is none."""
        return block[:, None] - jnp.asarray(self.places, jnp.int32)


def chain(cheap: Cheap, choice: Choice, noise: jax.Array, prompt: jax.Array) -> jax.Array:
    """[batch, N] int32: what the cheap model alone makes of the noise, after those of the `prompt` (≥ 0)."""

    def step(i: jax.Array, x: jax.Array) -> jax.Array:
        token = choice.tokens(cheap.at(x, jnp.full(len(x), i, jnp.int32)), noise[:, i])
        return x.at[:, i].set(jnp.where(prompt[:, i] >= 0, prompt[:, i], token))

    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(noise.shape[1]), step, varying(jnp.maximum(prompt, 0), noise))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class KeptOrGuessed(Draft):
    """The draft of `TokenSampling`."""

    cheap: Cheap

    def redraft(self, system: System, evaluated: Evaluated) -> State:
        count = evaluated.after.shape[1]
        sampling: Any = system
        noise, prompt = (take_blocks(array, evaluated.start, count) for array in (sampling.noise, sampling.prompt))

        def step(k: jax.Array, x: jax.Array) -> jax.Array:
            """`x` [batch, N] with the k-th block of the window drafted."""
            block = evaluated.start + k
            guess = sampling.choice.tokens(self.cheap.at(x, block), noise[:, k])
            fixed = (k <= evaluated.first) | (prompt[:, k] >= 0) | self.cheap.same(x, evaluated.x, block)
            token = jnp.where(fixed, evaluated.after[:, k], guess)
            return x.at[indices(len(x)), block].set(token)

        first = jnp.clip(jnp.min(evaluated.first) + 1, 0, count)
        whole = put_blocks(evaluated.x, evaluated.after, evaluated.start)
        drafted = jax.lax.fori_loop(first, jnp.int32(count), step, varying(whole, evaluated))
        return take_blocks(drafted, evaluated.start, count)
