"""A recurrence as a triangular system: block t is the state x_{t+1} = step(weights, x_t, input_t)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.linear import Linear
from ffc.core.system import Cache, State, System, take_blocks
from ffc.recurrence import arguments

#: `(weights, states, inputs) → the next states`, for any leading axes; a function of a module, for programs are kept
#: by it. States have the structure of `Recurrence.start`.
Step = Callable[[Any, Any, Any], Any]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Recurrence(System):
    """x_1 … x_T of a recurrence as unknowns, from x_0 = `start`.

    `start` has leaves [batch, ...] of one dtype, floating-point or whole numbers. A state of the system is
    [batch, T, ...] where that is one array, and else [batch, T, K], with its K numbers in one vector; `unpack`
    gives it the structure of `start`. `step` takes states and inputs with any leading axes (`jax.numpy.vectorize` makes
    such a function of one that takes a single state). `Sequential` is the recurrence in order, `Jacobi` steps all
    times at once; `Newton` and its kind are drafts (`ffc.recurrence.drafts`). Derivatives are solved for as
    recurrences. Raises `FFCError` where shapes or dtypes disagree.
    """

    step: Step = field(metadata={"static": True})
    weights: Any
    inputs: Any  # leaves [batch, T, ...]
    start: Any  # leaves [batch, ...]

    @property
    def size(self) -> int:
        return arguments.time_length(self.inputs)

    @property
    def packing(self) -> "Packing":
        return Packing.of(self.start)

    def initial(self) -> State:
        arguments.check(self.step, self.weights, self.inputs, self.start)
        first = self.packing.pack(self.start)
        return jnp.zeros((len(first), self.size, *first.shape[1:]), first.dtype)

    def before(self, x: State) -> jax.Array:
        """Return x_0 … x_{T−1}, of x_1 … x_T."""
        return jnp.concatenate([self.packing.pack(self.start)[:, None], x[:, :-1]], axis=1)

    def stepped(self, before: jax.Array, inputs: Any) -> jax.Array:
        """Return the next states of `before` [..., *a state], as this system keeps them."""
        return self.packing.step(self.step, self.weights, before, inputs)

    def unpack(self, x: State) -> Any:
        """Return the states `x` [batch, T, ...] in the structure of `start`: leaves [batch, T, ...]."""
        return self.packing.unpack(x)

    def sweep(self, x: State) -> State:
        return self.stepped(self.before(x), self.inputs)

    def in_order(self) -> jax.Array:
        """Return x_1 … x_T, one step after the other by a scan: the recurrence as it is written."""

        def one(state: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
            state = self.stepped(state, inputs)
            return state, state

        inputs = jax.tree.map(lambda leaf: jnp.moveaxis(jnp.asarray(leaf), 1, 0), self.inputs)
        return jnp.moveaxis(jax.lax.scan(one, self.packing.pack(self.start), inputs)[1], 0, 1)

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        before, inputs = jax.tree.map(lambda leaf: take_blocks(leaf, start, count), (self.before(x), self.inputs))
        return self.stepped(before, inputs), cache

    def linear(self, x: State) -> Linear:
        return _Linear(self, x)


class Packing(NamedTuple):
    """Turn the leaves of a state into one array, and back."""

    tree: Any
    shapes: tuple[tuple[int, ...], ...]  # of a state's leaves, without the batch

    @classmethod
    def of(cls, start: Any) -> "Packing":
        leaves, tree = jax.tree.flatten(start)
        return cls(tree, tuple(tuple(jnp.shape(leaf)[1:]) for leaf in leaves))

    def pack(self, state: Any) -> jax.Array:
        """Return leaves [..., *shape] as [..., K]; a state that is one array as it is."""
        leaves = jax.tree.leaves(state)
        if jax.tree_util.treedef_is_leaf(self.tree):
            return jnp.asarray(leaves[0])
        flat = [
            leaf.reshape(*leaf.shape[: leaf.ndim - len(shape)], math.prod(shape))
            for leaf, shape in zip(leaves, self.shapes, strict=True)
        ]
        return jnp.concatenate(flat, axis=-1)

    def unpack(self, packed: jax.Array) -> Any:
        """Return what `pack` was called with."""
        if jax.tree_util.treedef_is_leaf(self.tree):
            return packed
        sizes = [math.prod(shape) for shape in self.shapes]
        parts = jnp.split(packed, [sum(sizes[:i]) for i in range(1, len(sizes))], axis=-1)
        leaves = [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.tree, leaves)

    def step(self, step: Step, weights: Any, packed: jax.Array, inputs: Any) -> jax.Array:
        return self.pack(step(weights, self.unpack(packed), inputs))


class At(NamedTuple):
    """Hold what a step of a derivative reads at its time."""

    state: Any  # x_t, at which the step is linear
    inputs: Any  # of the step from x_t
    source: jax.Array  # what is added


@dataclass(frozen=True)
class _Tangent:
    """dx_{t+1} from dx_t, by the step's Jacobian at x_t; equal where the steps are, so that programs are kept."""

    step: Step
    packing: Packing

    def __call__(self, weights: Any, change: jax.Array, at: At) -> jax.Array:
        return at.source + jax.jvp(*self._at(weights, at), (change,))[1]

    def _at(self, weights: Any, at: At) -> tuple[Callable[[jax.Array], jax.Array], tuple[jax.Array]]:
        """Return the step as a function of the state alone, and that state."""
        return lambda x: self.packing.step(self.step, weights, x, at.inputs), (self.packing.pack(at.state),)


@dataclass(frozen=True)
class _Adjoint(_Tangent):
    """a_t from a_{t+1}, by the transposed Jacobian at x_t."""

    def __call__(self, weights: Any, later: jax.Array, at: At) -> jax.Array:
        step, states = self._at(weights, at)
        return at.source + jax.vjp(step, *states)[1](later)[0]


class _Linear(Linear):
    """The linear systems of a recurrence, which are recurrences; the adjoints run in reversed time.

    With g_t = ∂L/∂x_t where a loss L reads it, and J_t the Jacobian at x_t: a_t = g_t + a_{t+1} J_t, a_T = g_T. Both
    are affine, so that Newton's method takes one iteration.
    """

    def tangent(self, source: State) -> Recurrence:
        of = self.system
        at = At(of.unpack(of.before(self.x)), of.inputs, source)
        return Recurrence(_Tangent(of.step, of.packing), of.weights, at, jnp.zeros_like(source[:, 0]))

    def adjoint(self, source: State) -> Recurrence:
        of = self.system
        # The first step reads a_{T+1} = 0: any inputs serve it, and the last ones are at hand.
        inputs = jax.tree.map(lambda leaf: jnp.concatenate([leaf[:, 1:], leaf[:, -1:]], axis=1), of.inputs)
        state, inputs = jax.tree.map(lambda leaf: leaf[:, ::-1], (of.unpack(self.x), inputs))
        at = At(state, inputs, source)
        return Recurrence(_Adjoint(of.step, of.packing), of.weights, at, jnp.zeros_like(source[:, 0]))
