"""A recurrence as a triangular system: block t is the state x_{t+1} = step(weights, x_t, input_t)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, State, System
from ffc.recurrence import arguments

#: `(weights, states [..., H], inputs) → the next states [..., H]`, for any leading axes; a function of a module, for
#: programs are kept by it.
Step = Callable[[Any, jax.Array, Any], jax.Array]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Recurrence(System):
    """x_1 … x_T of a recurrence as unknowns, from x_0 = `start`; a state of this system is [batch, T, H].

    `step` takes states and inputs with any leading axes (`jax.numpy.vectorize` makes such a function of one that
    takes a single state), floating-point or whole numbers. Sequential evaluation is the recurrence in order; Jacobi
    steps all times at once. `solve`, `solve_recurrence` and `initial` raise `FFCError` where shapes or dtypes disagree.
    """

    step: Step = field(metadata={"static": True})
    weights: Any
    inputs: Any  # leaves [batch, T, ...]
    start: jax.Array  # [batch, H]

    @property
    def size(self) -> int:
        return arguments.time_length(self.inputs)

    def initial(self) -> State:
        arguments.check(self.step, self.weights, self.inputs, self.start)
        batch, width = self.start.shape
        return jnp.zeros((batch, self.size, width), self.start.dtype)

    def before(self, x: State) -> jax.Array:
        """x_0 … x_{T−1} of x_1 … x_T, [batch, T, H]."""
        return jnp.concatenate([self.start[:, None], x[:, :-1]], axis=1)

    def sweep(self, x: State) -> State:
        return self.step(self.weights, self.before(x), self.inputs)

    def in_order(self) -> jax.Array:
        """x_1 … x_T [batch, T, H], one step after the other: the recurrence as it is written."""

        def one(state: jax.Array, inputs: Any):
            state = self.step(self.weights, state, inputs)
            return state, state

        inputs = jax.tree.map(lambda leaf: jnp.moveaxis(jnp.asarray(leaf), 1, 0), self.inputs)
        return jnp.moveaxis(jax.lax.scan(one, self.start, inputs)[1], 0, 1)

    def select_samples(self, index: jax.Array) -> "Recurrence":
        inputs = jax.tree.map(lambda leaf: leaf[index], self.inputs)
        return Recurrence(self.step, self.weights, inputs, self.start[index])

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        def cut(leaf: jax.Array) -> jax.Array:
            return jax.vmap(lambda row, s: jax.lax.dynamic_slice_in_dim(row, s, count))(leaf, start)

        before = cut(jnp.concatenate([self.start[:, None], x], axis=1))
        return self.step(self.weights, before, jax.tree.map(cut, self.inputs)), cache
