"""The adjoints a_t = ∂loss/∂h_t, found in order, by an associative scan, in chunks, or by any solver."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ffc.core.solution import Solution
from ffc.core.solve import Exact, solve
from ffc.core.solvers import Jacobi, Solver
from ffc.core.system import Cache, State, System
from ffc.models.rnn.network import Forward, Params, forward, gradients
from ffc.recurrence.chunks import Chunked, affine_states, chunked_states

#: Steps in a chunk, and steps that guess the state which enters it: longer than an adjoint's influence lasts.
CHUNK, WARMUP = 200, 100


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AdjointSystem(System):
    """∂loss/∂h_t as unknowns: block i is time T − 1 − i, a vector of H entries. Linear, so Jacobi is exact in T."""

    weight: jax.Array  # W_h [H, H]
    slope: jax.Array  # [batch, T, H], latest time first
    source: jax.Array  # [batch, T, H], W_oᵀ ∂loss/∂o_t, latest time first

    @classmethod
    def of(cls, params: Params, run: Forward) -> "AdjointSystem":
        return cls(weight=params["W_h"], slope=run.slope[:, ::-1], source=_source(params, run)[:, ::-1])

    @property
    def size(self) -> int:
        return self.source.shape[1]

    def initial(self) -> State:
        return jnp.zeros_like(self.source)

    def sweep(self, x: State) -> State:
        later = jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return self.source + (self.slope * later) @ self.weight

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        def one(x, slope, source, s):
            later = jax.lax.dynamic_slice_in_dim(jnp.pad(x, ((1, 0), (0, 0))), s, count)
            slope, source = (jax.lax.dynamic_slice_in_dim(a, s, count) for a in (slope, source))
            return source, slope * later

        source, carried = jax.vmap(one)(x, self.slope, self.source, start)
        return source + carried @ self.weight, cache


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

    Depth T / chunk · log chunk, at the price of 2·T products of H×H matrices; `chunk` steps (all T unless given)
    are composed at a time, in 4·chunk·H² numbers or so.
    """
    later = jnp.zeros_like(run.slope[:, 0])
    # The matrices are made from the slopes chunk by chunk: all T of them would be T·H² numbers.
    adjoint = affine_states(
        run.slope[:, ::-1], _source(params, run)[:, ::-1], later, chunk, lambda slope: slope[..., None] * params["W_h"]
    )
    return adjoint[:, ::-1]


def adjoint_by_chunks(params: Params, run: Forward, chunk: int = CHUNK, warmup: int = WARMUP) -> Chunked:
    """∂loss/∂h_t by `chunked_states`; times run backwards in its states.

    Its jump is relative to the largest ∂loss/∂o_t, rounded up to a power of two.
    """
    # A power of two brings the adjoints to order 1, where the tolerance counts, and changes no other bit.
    unit = jnp.exp2(jnp.ceil(jnp.log2(jnp.maximum(jnp.abs(run.residual).max(), jnp.finfo(run.slope.dtype).tiny))))
    inputs = (run.residual[:, ::-1] / unit, run.slope[:, ::-1])
    found = chunked_states(_earlier, params, inputs, jnp.zeros_like(run.slope[:, 0]), chunk, warmup)
    return found._replace(states=found.states * unit)


def adjoint_by_solver(params: Params, run: Forward, solver: Solver, iterations: int | None = None) -> Solution:
    """The adjoint system's solution after at most `iterations` of any solver; times run backwards in its value."""
    return solve(AdjointSystem.of(params, run), solver, Exact(max_iterations=iterations))


def loss_and_gradients(params: Params, x: jax.Array, iterations: int | None = None) -> tuple[jax.Array, Params]:
    """Loss (a scalar) and gradients for sequences `x` [batch, T].

    By ordinary backpropagation, or with the adjoints after `iterations` Jacobi sweeps from zero.
    """
    run = forward(params, x)
    if iterations is None:
        adjoint = adjoint_in_order(params, run)
    else:
        adjoint = adjoint_by_solver(params, run, Jacobi(), iterations).value[:, ::-1]
    return run.loss, gradients(x, run, adjoint)


def _earlier(params: Params, later: jax.Array, at: tuple[jax.Array, jax.Array]) -> jax.Array:
    """a_t [..., H] from a_{t+1} [..., H] and ∂loss/∂o_t [...], softplus'(z_t) [..., H]."""
    residual, slope = at
    return residual[..., None] * params["W_o"][0] + (slope * later) @ params["W_h"]


def _source(params: Params, run: Forward) -> jax.Array:
    """W_oᵀ ∂loss/∂o_t [batch, T, H]: what does not depend on later adjoints."""
    return run.residual[..., None] * params["W_o"][0]
