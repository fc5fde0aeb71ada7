"""The states h_t of all times at once: by Newton's method or in chunks, and in order where that fails."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solution import Solution, Status
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi
from ffc.models.rnn.network import Forward, Params, forward, forward_of, preactivation, start, step
from ffc.recurrence import Chunks, Newton, QuasiNewton, Recurrence

#: Steps in a chunk, and steps that guess the state which enters it: longer than a state's influence lasts.
CHUNK, WARMUP = 200, 100
#: Residuals of states of order 1 that count as rounding: some tens of units in the last place of float32.
TOLERANCE = 4e-6
#: Where Newton's method ends, and how many Jacobi sweeps may follow: near the solution they do as well, for less.
_NEAR, _POLISH = 1e-4, 20


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

    Jacobi sweeps follow. If they miss the tolerance, the pass in order is returned.
    """
    draft = QuasiNewton(diagonal=_diagonal) if diagonal else Newton(chunk=chunk, jacobian=_jacobian)
    states = hidden_states(params, x)
    near = solve(states, Jacobi(draft=draft), atol=_NEAR, max_iterations=max_iterations)
    solved = solve(states, Jacobi(), near.value, atol=tolerance, max_iterations=_POLISH)
    return _or_in_order(params, x, solved.value, solved, near.iterations.max())


def forward_by_chunks(params: Params, x: jax.Array, chunk: int = CHUNK, warmup: int = WARMUP) -> Parallel:
    """Return the states of `x` [batch, T] in chunks."""
    chunks = Chunks(hidden_states(params, x), chunk, warmup)
    solved = solve(chunks, Jacobi(), atol=TOLERANCE)
    return _or_in_order(params, x, chunks.states(solved), solved, solved.iterations.max())


# Both derivatives are at hand; forward derivatives would find them, too, for H times a step.
def _jacobian(params: Params, h: jax.Array, x: jax.Array) -> jax.Array:
    """∂h_{t+1} / ∂h_t [..., H, H]."""
    return jax.nn.sigmoid(preactivation(params, h, x))[..., None] * params["W_h"]


def _diagonal(params: Params, h: jax.Array, x: jax.Array) -> jax.Array:
    """Its diagonal [..., H]."""
    return jax.nn.sigmoid(preactivation(params, h, x)) * jnp.diagonal(params["W_h"])


def _or_in_order(params: Params, x: jax.Array, states: jax.Array, solved: Solution, iterations: jax.Array) -> Parallel:
    status = solved.status_codes
    good = jnp.all((status == Status.CERTIFIED) | (status == Status.WITHIN_TOLERANCE))
    run = jax.lax.cond(good, lambda: forward_of(params, x, states), lambda: forward(params, x))
    return Parallel(run, status, iterations, ~good)
