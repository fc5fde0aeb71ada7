"""The linear systems of derivatives: what a change of a system does to its solution, and the adjoints of a loss."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.system import State, System


class Linear:
    """J, the Jacobian of a system's `sweep` at its solution `x`, and the triangular systems that it makes.

    J is strictly lower triangular in blocks. A system whose linear systems have a form of their own returns a subclass
    from `System.linear`. The sweep is linearised once.
    """

    def __init__(self, system: Any, x: State) -> None:
        self.system, self.x = system, x
        self.times = jax.linearize(lambda x: system.sweep(x), x)[1]  # y ↦ J y
        self._transposed = jax.linear_transpose(self.times, x)

    def tangent(self, source: State) -> System:
        """Return the system of y = source + J y."""
        return Affine(source, self.times)

    def adjoint(self, source: State) -> System:
        """Return the system of y = source + Jᵀ y with blocks in reversed order, as in its `source`."""

        def earlier(later: State) -> State:
            return backwards(self._transposed(backwards_like(self.x, later))[0])

        return Affine(source, earlier)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Affine(System):
    """y = source + A y, with A strictly lower triangular in blocks."""

    source: State
    matrix: Callable[[State], State] = field(metadata={"static": True})  # y ↦ A y

    @property
    def size(self) -> int:
        return sum(leaf.shape[1] for leaf in jax.tree.leaves(self.source))

    def initial(self) -> State:
        return self.source

    def sweep(self, x: State) -> State:
        return jax.tree.map(jnp.add, self.source, self.matrix(x))


def backwards(x: State) -> State:
    """Return the state with its last block first: one array as one, several as a tuple."""
    leaves = tuple(leaf[:, ::-1] for leaf in reversed(jax.tree.leaves(x)))
    return leaves if len(leaves) > 1 else leaves[0]


def backwards_like(like: State, x: State) -> State:
    """Return what `backwards` was called with, a state of the structure of `like`."""
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(backwards(x)))
