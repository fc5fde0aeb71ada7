"""The recurrent network whose backpropagation is solved as a linear triangular system (paper, section 4.1).

    h_0 = 0,   o_t = W_o h_t + b_o predicts x_t,   h_{t+1} = softplus(W_h h_t + W_x x_t + b_h)
    loss = 1/T Σ_t (o_t − x_t)²

The adjoints a_t = ∂loss/∂h_t obey a_t = W_oᵀ ∂loss/∂o_t + W_hᵀ (softplus'(z_t) ⊙ a_{t+1}) with z_t the
pre-activation of h_{t+1}. Sequences are [batch, T] float32; the loss is the mean over the batch.
"""

from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp

from ffc.solve import Exact, Solution, solve
from ffc.solvers import Jacobi, Solver
from ffc.system import System

Params = dict[str, jax.Array]


class Forward(NamedTuple):
    """What the backward pass needs of the forward pass."""

    loss: jax.Array  # scalar
    hidden: jax.Array  # [batch, T, H], h_0 … h_{T−1}
    slope: jax.Array  # [batch, T, H], softplus'(z_t)
    residual: jax.Array  # [batch, T], ∂loss/∂o_t


def init(key: jax.Array, hidden: int, scale: float) -> Params:
    """Weights N(0, scale²), biases 0: `W_h` [H, H], `W_x` [H, 1], `b_h` [H], `W_o` [1, H], `b_o` [1]."""
    keys = jax.random.split(key, 3)
    return {
        "W_h": scale * jax.random.normal(keys[0], (hidden, hidden)),
        "W_x": scale * jax.random.normal(keys[1], (hidden, 1)),
        "b_h": jnp.zeros(hidden),
        "W_o": scale * jax.random.normal(keys[2], (1, hidden)),
        "b_o": jnp.zeros(1),
    }


def forward(params: Params, x: jax.Array) -> Forward:
    """Run the network in order over `x` [batch, T]."""

    def step(h, x_t):
        z = h @ params["W_h"].T + x_t[:, None] * params["W_x"][:, 0] + params["b_h"]
        return jax.nn.softplus(z), (h, jax.nn.sigmoid(z))

    start = jnp.zeros((x.shape[0], params["b_h"].shape[0]), x.dtype)
    _, (hidden, slope) = jax.lax.scan(step, start, x.T)
    hidden, slope = jnp.swapaxes(hidden, 0, 1), jnp.swapaxes(slope, 0, 1)
    error = hidden @ params["W_o"][0] + params["b_o"][0] - x
    return Forward(jnp.mean(error**2), hidden, slope, 2 * error / error.size)


@flax.struct.dataclass
class AdjointSystem(System):
    """∂loss/∂h_t as unknowns: block i is time T − 1 − i, a vector of H entries. Linear, so Jacobi is exact in T."""

    weight: jax.Array  # W_h [H, H]
    slope: jax.Array  # [batch, T, H], latest time first
    source: jax.Array  # [batch, T, H], W_oᵀ ∂loss/∂o_t, latest time first

    @classmethod
    def of(cls, params: Params, run: Forward) -> "AdjointSystem":
        source = run.residual[:, ::-1, None] * params["W_o"][0]
        return cls(weight=params["W_h"], slope=run.slope[:, ::-1], source=source)

    @property
    def size(self) -> int:
        return self.source.shape[1]

    def initial(self):
        return jnp.zeros_like(self.source)

    def sweep(self, x):
        later = jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return self.source + (self.slope * later) @ self.weight

    def windowed(self, count, stride):
        return stride == 1 and count < self.size

    def window(self, cache, x, start, count, stride):
        def one(x, slope, source, s):
            later = jax.lax.dynamic_slice_in_dim(jnp.pad(x, ((1, 0), (0, 0))), s, count)
            slope, source = (jax.lax.dynamic_slice_in_dim(a, s, count) for a in (slope, source))
            return source, slope * later

        source, carried = jax.vmap(one)(x, self.slope, self.source, start)
        return source + carried @ self.weight, cache


def adjoint_in_order(params: Params, run: Forward) -> jax.Array:
    """∂loss/∂h_t [batch, T, H] by ordinary backpropagation: one time step after the other."""
    source = run.residual[..., None] * params["W_o"][0]

    def step(later, at):
        source_t, slope_t = at
        now = source_t + (slope_t * later) @ params["W_h"]
        return now, now

    steps = (jnp.swapaxes(source, 0, 1), jnp.swapaxes(run.slope, 0, 1))
    _, adjoint = jax.lax.scan(step, jnp.zeros_like(source[:, 0]), steps, reverse=True)
    return jnp.swapaxes(adjoint, 0, 1)


def adjoint_by_scan(params: Params, run: Forward) -> jax.Array:
    """∂loss/∂h_t [batch, T, H], exactly, by an associative scan of the affine maps a_{t+1} ↦ a_t.

    Logarithmic depth, at the price of T products of H×H matrices.
    """
    source = run.residual[..., None] * params["W_o"][0]
    matrix = run.slope[..., :, None] * params["W_h"]  # a_{t+1} (row vector) times this

    def after(first, second):
        (a, b), (c, d) = first, second
        return a @ c, (b[..., None, :] @ c)[..., 0, :] + d

    _, adjoint = jax.lax.associative_scan(after, (matrix[:, ::-1], source[:, ::-1]), axis=1)
    return adjoint[:, ::-1]


def adjoint_by_solver(params: Params, run: Forward, solver: Solver, iterations: int | None = None) -> Solution:
    """The adjoint system's solution after at most `iterations` of any solver; times run backwards in its value."""
    return solve(AdjointSystem.of(params, run), solver, Exact(max_iterations=iterations))


def gradients(x: jax.Array, run: Forward, adjoint: jax.Array) -> Params:
    """∂loss/∂parameter from the adjoints [batch, T, H]; exact where they are (`W_o` and `b_o` always)."""
    into = (run.slope * jnp.pad(adjoint[:, 1:], ((0, 0), (0, 1), (0, 0)))).reshape(-1, adjoint.shape[2])
    hidden = run.hidden.reshape(into.shape)
    return {
        "W_h": into.T @ hidden,
        "W_x": into.T @ x.reshape(-1, 1),
        "b_h": into.sum(axis=0),
        "W_o": run.residual.reshape(1, -1) @ hidden,
        "b_o": run.residual.sum().reshape(1),
    }


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
