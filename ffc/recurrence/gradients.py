"""Gradients through a recurrence: the adjoints are a recurrence in reversed time, whichever way the states were found.

With a_t = ∂L/∂x_t in all and g_t = ∂L/∂x_t where L reads it, J_t the Jacobian of the step at x_t:

    a_t = g_t + a_{t+1} J_t,   a_T = g_T

It is affine, so Newton's method takes one iteration, and chunks work where influence fades.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.recurrence.methods import Derivative, Method, Newton, QuasiNewton
from ffc.recurrence.system import Recurrence, Step


class _At(NamedTuple):
    """What an adjoint step reads at its time."""

    state: jax.Array  # x_t [..., H]
    inputs: Any  # of the step from x_t
    cotangent: jax.Array  # g_t [..., H]


@dataclass(frozen=True)
class _Adjoint:
    """a_t from a_{t+1}; equal where the steps are, so that programs are kept."""

    step: Step

    def __call__(self, weights: Any, later: jax.Array, at: _At) -> jax.Array:
        pulled = jax.vjp(lambda x: self.step(weights, x, at.inputs), at.state)[1]
        return at.cotangent + pulled(later)[0]


@dataclass(frozen=True)
class _Transposed:
    """A derivative given by hand, for the adjoint step: the same diagonal, or the transposed matrix."""

    given: Derivative
    matrix: bool

    def __call__(self, weights: Any, later: jax.Array, at: _At) -> jax.Array:
        found = self.given(weights, at.state, at.inputs)
        return jnp.swapaxes(found, -1, -2) if self.matrix else found


def adjoint_recurrence(recurrence: Recurrence, states: jax.Array, cotangents: jax.Array) -> Recurrence:
    """a_T … a_1 as the states of a recurrence, from g [batch, T, H] = `cotangents` of x_1 … x_T = `states`."""
    # The first step reads a_{T+1} = 0: any inputs serve it, and the last ones are at hand.
    inputs = jax.tree.map(lambda leaf: jnp.concatenate([leaf[:, 1:], leaf[:, -1:]], axis=1), recurrence.inputs)
    at = jax.tree.map(lambda leaf: leaf[:, ::-1], _At(states, inputs, cotangents))
    return Recurrence(_Adjoint(recurrence.step), recurrence.weights, at, jnp.zeros_like(recurrence.start))


def adjoint_method(method: Method) -> Method:
    """The same method for the adjoints, which need no damping."""
    if isinstance(method, QuasiNewton):
        given = None if method.diagonal is None else _Transposed(method.diagonal, matrix=False)
        return replace(method, damping=None, diagonal=given)
    if isinstance(method, Newton):
        given = None if method.jacobian is None else _Transposed(method.jacobian, matrix=True)
        return replace(method, damping=None, jacobian=given)
    return method


def unit_of(adjoint: Recurrence) -> jax.Array:
    """[batch, 1, 1] a power of two near each sample's largest g, so that tolerances mean what they do for states."""
    largest = jnp.max(jnp.abs(adjoint.inputs.cotangent), axis=(1, 2), keepdims=True)
    exponent = jnp.ceil(jnp.log2(jnp.maximum(largest, jnp.finfo(largest.dtype).tiny)))
    return jnp.where(largest > 0, jnp.exp2(exponent), 1).astype(largest.dtype)


def scaled(adjoint: Recurrence, factor: jax.Array) -> Recurrence:
    """The recurrence of the adjoints times `factor` [batch, 1, 1]."""
    return replace(adjoint, inputs=adjoint.inputs._replace(cotangent=adjoint.inputs.cotangent * factor))


def cotangents(recurrence: Recurrence, states: jax.Array, adjoints: jax.Array) -> Recurrence:
    """∂L/∂(weights, inputs, start), in the shape of the recurrence."""

    def evaluate(weights: Any, inputs: Any, before: jax.Array) -> jax.Array:
        return recurrence.step(weights, before, inputs)

    pulled = jax.vjp(evaluate, recurrence.weights, recurrence.inputs, recurrence.before(states))[1]
    weights, inputs, before = pulled(adjoints)
    return Recurrence(recurrence.step, weights, inputs, before[:, 0])
