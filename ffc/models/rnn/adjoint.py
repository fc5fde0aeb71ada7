"""The adjoints a_t = ∂loss/∂h_t, found in order, by an associative scan, in chunks, or by any solver."""

import jax
import jax.numpy as jnp

from ffc.core.solution import Solution
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi
from ffc.models.rnn.network import Forward, Params, forward, gradients
from ffc.models.rnn.parallel import CHUNK, TOLERANCE, WARMUP
from ffc.recurrence import Chunks, Recurrence, affine_states


def adjoint_system(params: Params, run: Forward) -> Recurrence:
    """∂loss/∂h_t as unknowns: block i is time T − 1 − i, a vector of H entries. Linear, so Jacobi is exact in T."""
    inputs = (_source(params, run)[:, ::-1], run.slope[:, ::-1])
    return Recurrence(_earlier_of_source, params["W_h"], inputs, jnp.zeros_like(run.slope[:, 0]))


def adjoint_in_order(params: Params, run: Forward) -> jax.Array:
    """∂loss/∂h_t [batch, T, H] by ordinary backpropagation: one time step after the other."""

    def one(later, at):
        now = _earlier(params, later, at)
        return now, now

    steps = (run.residual.T, jnp.swapaxes(run.slope, 0, 1))
    _, adjoint = jax.lax.scan(one, jnp.zeros_like(run.slope[:, 0]), steps, reverse=True)
    return jnp.swapaxes(adjoint, 0, 1)


def adjoint_by_scan(params: Params, run: Forward, chunk: int | None = None) -> jax.Array:
    """∂loss/∂h_t [batch, T, H], exactly, by an associative scan of the affine maps a_{t+1} ↦ a_t.

    Depth T / chunk · log chunk, at the price of 2·T products of H×H matrices; `chunk` steps (None: all T)
    are composed at a time, in 4·chunk·H² numbers or so.
    """
    later = jnp.zeros_like(run.slope[:, 0])
    # The matrices are made from the slopes chunk by chunk: all T of them would be T·H² numbers.
    adjoint = affine_states(
        run.slope[:, ::-1], _source(params, run)[:, ::-1], later, chunk, lambda slope: slope[..., None] * params["W_h"]
    )
    return adjoint[:, ::-1]


def adjoint_by_chunks(
    params: Params, run: Forward, chunk: int = CHUNK, warmup: int = WARMUP
) -> tuple[jax.Array, Solution]:
    """∂loss/∂h_t [batch, T, H] in chunks, and how they were solved.

    Tolerances are relative to the largest ∂loss/∂o_t, rounded up to a power of two.
    """
    # A power of two brings the adjoints to order 1, where the tolerance counts, and changes no other bit.
    unit = jnp.exp2(jnp.ceil(jnp.log2(jnp.maximum(jnp.abs(run.residual).max(), jnp.finfo(run.slope.dtype).tiny))))
    inputs = (run.residual[:, ::-1] / unit, run.slope[:, ::-1])
    chunks = Chunks(Recurrence(_earlier, params, inputs, jnp.zeros_like(run.slope[:, 0])), chunk, warmup)
    solution = solve(chunks, Jacobi(), atol=TOLERANCE)
    return chunks.states(solution)[:, ::-1] * unit, solution


def adjoint_of(params: Params, run: Forward, iterations: int | None) -> tuple[jax.Array, Solution | None]:
    """∂loss/∂h_t [batch, T, H] by ordinary backpropagation; or after at most `iterations` Jacobi sweeps from zero, and
    how these ended."""
    if iterations is None:
        return adjoint_in_order(params, run), None
    solution = solve(adjoint_system(params, run), Jacobi(), max_iterations=iterations)
    return solution.value[:, ::-1], solution


def loss_and_gradients(params: Params, x: jax.Array, iterations: int | None = None) -> tuple[jax.Array, Params]:
    """Loss (a scalar) and gradients for sequences `x` [batch, T].

    By ordinary backpropagation, or with the adjoints after `iterations` Jacobi sweeps from zero.
    """
    run = forward(params, x)
    return run.loss, gradients(x, run, adjoint_of(params, run, iterations)[0])


def _earlier(params: Params, later: jax.Array, at: tuple[jax.Array, jax.Array]) -> jax.Array:
    """a_t [..., H] from a_{t+1} [..., H] and ∂loss/∂o_t [...], softplus'(z_t) [..., H]."""
    residual, slope = at
    return _earlier_of_source(params["W_h"], later, (residual[..., None] * params["W_o"][0], slope))


def _earlier_of_source(weight: jax.Array, later: jax.Array, at: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Return the same from W_oᵀ ∂loss/∂o_t [..., H] and softplus'(z_t) [..., H]."""
    source, slope = at
    return source + (slope * later) @ weight


def _source(params: Params, run: Forward) -> jax.Array:
    """W_oᵀ ∂loss/∂o_t [batch, T, H]: what does not depend on later adjoints."""
    return run.residual[..., None] * params["W_o"][0]
