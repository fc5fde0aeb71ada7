"""The recurrent network: its weights, one step, the pass in order, and gradients from adjoints."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.keys import reproducible

Params = dict[str, jax.Array]


class Forward(NamedTuple):
    """What the backward pass needs of the forward pass."""

    loss: jax.Array  # scalar
    hidden: jax.Array  # [batch, T, H], h_0 … h_{T−1}
    slope: jax.Array  # [batch, T, H], softplus'(z_t)
    residual: jax.Array  # [batch, T], ∂loss/∂o_t


@reproducible
def init(key: jax.Array, hidden: int, scale: float) -> Params:
    """Weights N(0, scale²), biases 0: `W_h` [H, H], `W_x` [H, 1], `b_h` [H], `W_o` [1, H], `b_o` [1]."""
    keys = jax.random.split(key, 3)
    return {
        "W_h": scale * jax.random.normal(keys[0], (hidden, hidden), jnp.float32),
        "W_x": scale * jax.random.normal(keys[1], (hidden, 1), jnp.float32),
        "b_h": jnp.zeros(hidden, jnp.float32),
        "W_o": scale * jax.random.normal(keys[2], (1, hidden), jnp.float32),
        "b_o": jnp.zeros(1, jnp.float32),
    }


def preactivation(params: Params, h: jax.Array, x: jax.Array) -> jax.Array:
    """z_t [..., H], of which softplus is h_{t+1}, from h_t [..., H] and x_t [...]."""
    return h @ params["W_h"].T + x[..., None] * params["W_x"][:, 0] + params["b_h"]


def step(params: Params, h: jax.Array, x: jax.Array) -> jax.Array:
    """h_{t+1} [..., H] from h_t [..., H] and x_t [...]."""
    return jax.nn.softplus(preactivation(params, h, x))


def start(params: Params, x: jax.Array) -> jax.Array:
    """h_0 [batch, H] for sequences `x` [batch, T]: zeros."""
    return jnp.zeros((x.shape[0], params["b_h"].shape[0]), x.dtype)


def forward(params: Params, x: jax.Array) -> Forward:
    """Run the network in order over `x` [batch, T]."""

    def one(h, x_t):
        z = preactivation(params, h, x_t)
        return jax.nn.softplus(z), (h, jax.nn.sigmoid(z))

    _, (hidden, slope) = jax.lax.scan(one, start(params, x), x.T)
    return _with_loss(params, x, jnp.swapaxes(hidden, 0, 1), jnp.swapaxes(slope, 0, 1))


def before(states: jax.Array) -> jax.Array:
    """h_0 … h_{T−1} of h_1 … h_T [batch, T, H]."""
    return jnp.pad(states[:, :-1], ((0, 0), (1, 0), (0, 0)))


def forward_of(params: Params, x: jax.Array, states: jax.Array) -> Forward:
    """Return what `forward` returns, from h_1 … h_T [batch, T, H] however they were found."""
    return _with_loss(params, x, before(states), -jnp.expm1(-states))  # softplus' = 1 − exp(−softplus)


def _with_loss(params: Params, x: jax.Array, hidden: jax.Array, slope: jax.Array) -> Forward:
    error = hidden @ params["W_o"][0] + params["b_o"][0] - x
    return Forward(jnp.mean(error**2), hidden, slope, 2 * error / error.size)


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
