"""Drafts of any system whose state is one array: useful ones, and ones that are wrong on purpose."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ffc import Draft


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Same(Draft):
    """Jacobi's own: what was evaluated."""

    def redraft(self, system, seen):
        return seen.after


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Picard(Draft):
    """Each block moves by what the one before it moved by."""

    def redraft(self, system, seen):
        def leaf(before, after):
            moved = jnp.cumsum(after - before, axis=1)
            return after + jnp.pad(moved[:, :-1], ((0, 0), (1, 0)) + ((0, 0),) * (after.ndim - 2))

        return jax.tree.map(leaf, seen.before, seen.after)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Constant(Draft):
    """Every block the same number: a wrong one, NaN, infinity, or one that overflows where it is used."""

    value: jax.Array | float

    def redraft(self, system, seen):
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, self.value), seen.after)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Adversary(Draft):
    """Off by one in every block from the answer, which it knows: no iteration settles more than it must."""

    answer: jax.Array  # [batch, N, ...]

    def redraft(self, system, seen):
        width = seen.after.shape[1]
        index = jnp.minimum(seen.start[:, None] + jnp.arange(width), self.answer.shape[1] - 1)
        return jnp.take_along_axis(self.answer, index, axis=1) + 1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Noise(Draft):
    """Whole numbers from 0 to 6, others in every iteration, some of them not finite."""

    def redraft(self, system, seen):
        index = jnp.arange(seen.after.shape[1])
        numbers = (13 * seen.first + 29 * seen.start)[:, None] + 31 * index**2
        return jnp.where(numbers % 8 == 7, jnp.nan, numbers % 8).astype(seen.after.dtype)
