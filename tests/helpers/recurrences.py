"""Recurrences that several test files solve, and a loop in Python that evaluates any of them."""

import jax
import jax.numpy as jnp
import numpy as np

from ffc.recurrence import Recurrence

BATCH, LENGTH, WIDTH = 2, 24, 3


def gru(weights, h, inputs):
    """A gated recurrent unit without biases; `inputs` is a dict of one array."""
    x = inputs["x"]
    update, reset = jax.nn.sigmoid(h @ weights["z"] + x), jax.nn.sigmoid(h @ weights["r"] - x)
    return (1 - update) * h + update * jnp.tanh((reset * h) @ weights["h"] + x)


def gated() -> Recurrence:
    keys = jax.random.split(jax.random.key(0), 4)
    weights = {name: 0.5 * jax.random.normal(key, (WIDTH, WIDTH)) for name, key in zip("zrh", keys, strict=False)}
    inputs = {"x": jax.random.normal(keys[3], (BATCH, LENGTH, WIDTH))}
    return Recurrence(gru, weights, inputs, jnp.ones((BATCH, WIDTH)))


def halving(weights, h, inputs):
    """Whole numbers: no rounding, whatever the order."""
    return jnp.floor(h / 2) + inputs


def whole() -> Recurrence:
    inputs = jnp.floor(10 * jax.random.normal(jax.random.key(1), (BATCH, LENGTH, WIDTH)))
    return Recurrence(halving, (), inputs, jnp.full((BATCH, WIDTH), 7.0))


def logistic(weights, x, inputs):
    return 4 * x * (1 - x) + inputs


def worst() -> Recurrence:
    """The chaotic logistic map."""
    start = jnp.linspace(0.1, 0.4, BATCH * WIDTH).reshape(BATCH, WIDTH)
    return Recurrence(logistic, (), jnp.zeros((BATCH, LENGTH, WIDTH)), start)


def tanh(weights, x, inputs):
    return jnp.tanh(x @ weights + inputs)


def known() -> Recurrence:
    weights = 0.5 * jax.random.normal(jax.random.key(0), (WIDTH, WIDTH))
    inputs = jax.random.normal(jax.random.key(1), (BATCH, LENGTH // 2, WIDTH))
    return Recurrence(tanh, weights, inputs, jnp.zeros((BATCH, WIDTH)))


def jacobian(weights, x, inputs):
    """Of `tanh`: entry (i, k) is ∂step_i / ∂x_k."""
    return (1 - tanh(weights, x, inputs) ** 2)[..., :, None] * weights.T


def lookup(weights, x, token):
    return tanh(weights["state"], x, weights["table"][token])


def cells() -> Recurrence:
    """A network over tokens: among its leaves are whole numbers, and a key, which is no number at all."""
    draw = np.random.default_rng(0)
    weights = {name: jnp.float32(draw.normal(0, 0.5, (3, 3))) for name in ("state", "table")}
    tokens = jnp.asarray(draw.integers(0, 3, (2, 10)), jnp.int32)
    return Recurrence(lookup, weights | {"key": jax.random.key(0)}, tokens, jnp.zeros((2, 3)))


def large_gain(length: int = 400, width: int = 8) -> Recurrence:
    """A tanh network whose weights have the gain 1.5: inputs tame it, but from states of zero Jacobians grow."""
    keys = jax.random.split(jax.random.key(0), 3)
    weights = 1.5 * jax.random.normal(keys[0], (width, width)) / width**0.5
    return Recurrence(tanh, weights.T, jax.random.normal(keys[1], (1, length, width)), jnp.zeros((1, width)))


def pair(weights, state, inputs):
    """A state of two arrays, hidden numbers and their cells."""
    h, c = state
    c = c / 2 + jnp.tanh(h @ weights + inputs)
    return jnp.tanh(c), c


def memory() -> Recurrence:
    keys = jax.random.split(jax.random.key(2), 2)
    weights, inputs = jax.random.normal(keys[0], (2, 2)), jax.random.normal(keys[1], (BATCH, LENGTH, 2))
    return Recurrence(pair, weights, inputs, (jnp.zeros((BATCH, 2)), jnp.ones((BATCH, 2))))


def selective(decay, state, inputs):
    """A state-space model: each of D channels keeps N numbers."""
    return decay * state + jnp.tanh(inputs + state.sum(-1))[..., None] / 5


def space() -> Recurrence:
    inputs = jax.random.normal(jax.random.key(3), (BATCH, LENGTH, 3))
    return Recurrence(selective, jnp.array([0.3, 0.6]), inputs, jnp.zeros((BATCH, 3, 2)))


def square(weights, x, inputs):
    """From beyond 1, soon infinity."""
    return x * x + inputs


#: Whole numbers; states of one array, of several, of two axes; and of a step whose Jacobian is known.
RECURRENCES = {"whole": whole, "gated": gated, "memory": memory, "space": space, "tanh": known}


def in_order(recurrence: Recurrence):
    state, states = recurrence.start, []
    for t in range(recurrence.size):
        inputs = jax.tree.map(lambda leaf, t=t: leaf[:, t], recurrence.inputs)
        state = recurrence.step(recurrence.weights, state, inputs)
        states.append(state)
    return jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *states)
