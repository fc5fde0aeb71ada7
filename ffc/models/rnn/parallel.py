"""The states h_t of all times at once: by Newton's method or in chunks, and in order where that fails."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solution import Status
from ffc.models.rnn.network import Forward, Params, forward, forward_of, preactivation, start, step
from ffc.recurrence.chunks import TOLERANCE, chunked_states
from ffc.recurrence.newton import Jacobian, Linear, newton_states
from ffc.recurrence.system import Recurrence

#: Steps in a chunk and steps that guess the state which enters it, as for the adjoints.
CHUNK, WARMUP = 200, 100


class Parallel(NamedTuple):
    """A forward pass that was found in parallel, or, where it could not be, in order."""

    run: Forward
    status: jax.Array  # [batch] Status of the parallel solution, whatever was returned
    iterations: jax.Array  # scalar: Newton's iterations, or runs through all chunks
    in_order: jax.Array  # scalar bool: some sample missed the tolerance, and the pass in order was returned


def hidden_states(params: Params, x: jax.Array) -> Recurrence:
    """h_1 … h_T for sequences `x` [batch, T] as the unknowns of a triangular system."""
    return Recurrence(step, params, x, start(params, x))


def forward_by_newton(
    params: Params,
    x: jax.Array,
    diagonal: bool = False,
    chunk: int | None = None,
    max_iterations: int = 100,
    tolerance: float = TOLERANCE,
) -> Parallel:
    """DEER, or quasi-DEER (`diagonal`), over `x` [batch, T] from states of zero, as one device program.

    Where `newton_states` misses the tolerance, the pass in order is returned.
    """
    found = newton_states(hidden_states(params, x), _DIAGONAL if diagonal else _FULL, chunk, max_iterations, tolerance)
    return _or_in_order(params, x, found.states, found.status, found.iterations)


def forward_by_chunks(params: Params, x: jax.Array, chunk: int = CHUNK, warmup: int = WARMUP) -> Parallel:
    """The states of `x` [batch, T] by `chunked_states`."""
    found = chunked_states(step, params, x, start(params, x), chunk, warmup)
    return _or_in_order(params, x, found.states, found.status, found.passes)


def _linearised(params: Params, h: jax.Array, x: jax.Array, diagonal: bool) -> Linear:
    """The step's Jacobian is W_hᵀ with its columns scaled by softplus'(z): no derivative has to be taken."""
    z = preactivation(params, h, x)
    slope = jax.nn.sigmoid(z)
    product = h * jnp.diagonal(params["W_h"]) if diagonal else h @ params["W_h"].T
    return Linear(jax.nn.softplus(z), slope * product, slope)


_FULL = Jacobian(
    lambda params, h, x: _linearised(params, h, x, diagonal=False),
    lambda params, slope: params["W_h"].T * slope[..., None, :],
)
_DIAGONAL = Jacobian(
    lambda params, h, x: _linearised(params, h, x, diagonal=True),
    lambda params, slope: slope * jnp.diagonal(params["W_h"]),
)


def _or_in_order(params: Params, x: jax.Array, states: jax.Array, status: jax.Array, iterations: jax.Array) -> Parallel:
    good = jnp.all((status == Status.CERTIFIED) | (status == Status.WITHIN_TOLERANCE))
    run = jax.lax.cond(good, lambda: forward_of(params, x, states), lambda: forward(params, x))
    return Parallel(run, status, iterations, ~good)
