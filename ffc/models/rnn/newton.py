"""The states h_t of all time steps at once: by Newton's method, or in chunks; checked, and in order where that fails.

Newton's method on h_{t+1} = f(h_t, x_t) solves, in each iteration, the recurrence linearised around the iterate,
by an associative scan. With the whole Jacobian it is DEER (Lim, Zhu, Selfridge, Kasim: Parallelizing non-linear
sequential models over the sequence length, 2024); with the Jacobian's diagonal alone, quasi-DEER (Gonzalez,
Warrington, Smith, Linderman: Towards scalable and stable parallelization of nonlinear RNNs, 2024): more
iterations of less work each.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solution import Status
from ffc.core.solve import Tolerance, solve
from ffc.core.solvers import Jacobi
from ffc.core.system import State, System
from ffc.models.rnn.network import Forward, Params, before, forward, forward_of, preactivation, start, step
from ffc.recurrence.chunks import TOLERANCE, affine_states, chunked_states

#: Steps in a chunk and steps that guess the state which enters it, as for the adjoints.
CHUNK, WARMUP = 200, 100
#: Where Newton's method ends, and how many sweeps may follow.
_NEAR, _POLISH = 1e-4, 20


class Parallel(NamedTuple):
    """A forward pass that was found in parallel, or, where it could not be, in order."""

    run: Forward
    status: jax.Array  # [batch] Status of the parallel solution, whatever was returned
    iterations: jax.Array  # scalar: Newton's iterations, or runs through all chunks
    in_order: jax.Array  # scalar bool: some sample missed the tolerance, and the pass in order was returned


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HiddenSystem(System):
    """The states as unknowns: block i is h_{i+1}, a vector of H entries; h_0 is zero."""

    params: Params
    x: jax.Array  # [batch, T]: x_0 … x_{T−1}, for h_1 … h_T
    guess: jax.Array  # [batch, T, H]

    @property
    def size(self) -> int:
        return self.x.shape[1]

    def initial(self) -> State:
        return self.guess

    def sweep(self, x: State) -> State:
        return step(self.params, before(x), self.x)


def forward_by_newton(
    params: Params,
    x: jax.Array,
    diagonal: bool = False,
    chunk: int | None = None,
    max_iterations: int = 100,
    tolerance: float = TOLERANCE,
) -> Parallel:
    """DEER, or quasi-DEER (`diagonal`), over `x` [batch, T] from states of zero, as one device program.

    Newton stops when no state is off the step of the one before by more than `_NEAR`; `_POLISH` Jacobi sweeps at
    most then take off the rounding of the linearisation, until none moves by more than `tolerance`. Where that
    fails, for Newton diverges, meets a value that is not finite or reaches `max_iterations`, the pass in order is
    returned. Memory: 4·chunk·H² numbers or so, `chunk` steps being composed at a time (all T unless given); a few
    times T·H with `diagonal`.
    """
    states = jnp.zeros((*x.shape, params["b_h"].shape[0]), x.dtype)
    weight = jnp.diagonal(params["W_h"]) if diagonal else params["W_h"].T

    def running(carry):
        _, residual, k = carry
        return (residual > _NEAR) & (k < max_iterations)  # NaN ends it: it is not greater

    def iterate(carry):
        states, _, k = carry
        h = before(states)
        z = preactivation(params, h, x)
        slope = jax.nn.sigmoid(z)
        onto = jax.nn.softplus(z)
        jacobian_h = slope * (h * weight if diagonal else h @ weight)
        matrix = (lambda s: s * weight) if diagonal else (lambda s: weight * s[..., None, :])
        states = affine_states(slope, onto - jacobian_h, start(params, x), chunk, matrix)
        return states, _residual(params, x, states), k + 1

    guess, _, iterations = jax.lax.while_loop(running, iterate, (states, jnp.asarray(jnp.inf, x.dtype), jnp.int32(0)))
    check = solve(HiddenSystem(params, x, guess), Jacobi(), Tolerance(tolerance, max_iterations=_POLISH))
    return _or_in_order(params, x, check.value, check.status_codes, iterations)


def forward_by_chunks(params: Params, x: jax.Array, chunk: int = CHUNK, warmup: int = WARMUP) -> Parallel:
    """The states of `x` [batch, T] by `chunked_states`."""
    found = chunked_states(step, params, x, start(params, x), chunk, warmup)
    return _or_in_order(params, x, found.states, found.status, found.passes)


def _residual(params: Params, x: jax.Array, states: jax.Array) -> jax.Array:
    return jnp.abs(states - step(params, before(states), x)).max()


def _or_in_order(params: Params, x: jax.Array, states: jax.Array, status: jax.Array, iterations: jax.Array) -> Parallel:
    good = jnp.all((status == Status.CERTIFIED) | (status == Status.WITHIN_TOLERANCE))
    run = jax.lax.cond(good, lambda: forward_of(params, x, states), lambda: forward(params, x))
    return Parallel(run, status, iterations, ~good)
