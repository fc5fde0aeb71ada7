"""Systems with derivatives, and their sequential evaluation, which JAX differentiates."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from ffc import System


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chain(System):
    """x_i = tanh(u_i + 0.5 x_{i−1}), the README's example."""

    u: jax.Array  # [batch, N]

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return jnp.tanh(self.u + 0.5 * jnp.pad(x, ((0, 0), (1, 0)))[:, :-1])


def chain_in_order(system):
    def one(x, u):
        x = jnp.tanh(u + 0.5 * x)
        return x, x

    return jax.lax.scan(one, jnp.zeros_like(system.u[:, 0]), system.u.T)[1].T


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRU(System):
    """A gated recurrent unit over `tokens`; a block is the state after one of them."""

    weights: dict[str, jax.Array]  # leaves in a dict
    tokens: jax.Array  # [batch, T] whole numbers: an array without a derivative
    key: jax.Array  # of no use; an array that is no number
    scale: float = field(metadata={"static": True}, default=1.0)

    @property
    def size(self):
        return self.tokens.shape[1]

    def initial(self):
        return jnp.zeros((*self.tokens.shape, len(self.weights["state"])), self.weights["state"].dtype)

    def step(self, state, token):
        a, b = self.weights["table"][token], self.scale * state @ self.weights["state"]
        (a_update, a_reset, a_new), (b_update, b_reset, b_new) = (jnp.split(z, 3, axis=-1) for z in (a, b))
        update, reset = jax.nn.sigmoid(a_update + b_update), jax.nn.sigmoid(a_reset + b_reset)
        return update * state + (1 - update) * jnp.tanh(a_new + reset * b_new)

    def sweep(self, x):
        return self.step(jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1], self.tokens)


def gru(hidden=3, length=10):
    draw = np.random.default_rng(0)
    weights = {name: jnp.float32(draw.normal(0, 0.5, (hidden, 3 * hidden))) for name in ("state", "table")}
    return GRU(weights, jnp.asarray(draw.integers(0, hidden, (2, length)), jnp.int32), jax.random.key(0))


def gru_in_order(system):
    def one(state, token):
        state = system.step(state, token)
        return state, state

    return jnp.swapaxes(jax.lax.scan(one, system.initial()[:, 0], system.tokens.T)[1], 0, 1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Leaves(System):
    """A state of two arrays; blocks of the second see those of the first. 0 and 1 hold three numbers, 2 and 3 one."""

    u: jax.Array  # [batch]

    size = 4

    def initial(self):
        return {"a": jnp.zeros((len(self.u), 2, 3), self.u.dtype), "b": (jnp.zeros((len(self.u), 2), self.u.dtype),)}

    def sweep(self, x):
        a, (b,) = x["a"], x["b"]
        first = jnp.sin(self.u[:, None] * jnp.arange(1, 4, dtype=self.u.dtype))
        third = a[:, 0, 1] * a[:, 1, 2]
        return {
            "a": jnp.stack([first, jnp.cos(a[:, 0] * self.u[:, None])], axis=1),
            "b": (jnp.stack([third, jnp.exp(b[:, 0]) * a[:, 0, 0] + a[:, 1, 1]], axis=1),),
        }


def by_sweeps(system):
    """The solution by sweeps, that JAX differentiates one by one: N reach it, and N more its derivatives there."""
    return jax.lax.scan(lambda x, _: (system.sweep(x), None), system.initial(), length=2 * system.size)[0]
