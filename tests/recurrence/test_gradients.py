"""Gradients through a recurrence are those of backpropagation through a scan, whichever way the states were found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import gated, tanh

from ffc import Jacobi
from ffc.recurrence import Chunks, InOrder, Newton, QuasiNewton, Recurrence, solve_recurrence

METHODS = [
    InOrder(),
    Chunks(8, 8),
    Newton(),
    Newton(damping=1.0, chunk=7),
    QuasiNewton(),
    Jacobi(),
]


def loss(states):
    return jnp.mean(jnp.sin(3 * states) * jnp.cos(jnp.arange(states.size)).reshape(states.shape))


def gradients(recurrence, states_of):
    def of(weights, inputs, start):
        return loss(states_of(Recurrence(recurrence.step, weights, inputs, start)))

    return jax.jit(jax.grad(of, argnums=(0, 1, 2)))(recurrence.weights, recurrence.inputs, recurrence.start)


@pytest.fixture(scope="module")
def expected():
    """By JAX, through its scan."""
    return gradients(gated(), Recurrence.in_order)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_gradients_are_those_of_backpropagation(method, expected):
    """By weights, inputs and start, to 1e-5 of each array's largest entry."""
    found = gradients(gated(), lambda recurrence: solve_recurrence(recurrence, method).value)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("scale", [1e-20, 1e10])
def test_gradients_of_any_size_are_as_true(scale, expected):
    def of(weights):
        one = gated()
        return scale * loss(solve_recurrence(Recurrence(one.step, weights, one.inputs, one.start)).value)

    found = jax.grad(of)(gated().weights)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected[0]), strict=True):
        np.testing.assert_allclose(one / scale, other, rtol=0, atol=1e-5 * np.abs(other).max())


def test_a_known_jacobian_is_transposed_for_the_adjoints(expected):
    weights = 0.5 * jax.random.normal(jax.random.key(0), (3, 3))

    def jacobian(weights, x, u):
        return (1 - tanh(weights, x, u) ** 2)[..., :, None] * weights.T

    recurrence = Recurrence(tanh, weights, jax.random.normal(jax.random.key(1), (2, 12, 3)), jnp.zeros((2, 3)))
    truth = gradients(recurrence, Recurrence.in_order)
    found = gradients(recurrence, lambda r: solve_recurrence(r, Newton(jacobian=jacobian)).value)
    for one, other in zip(found, truth, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


def test_where_the_adjoints_are_not_found_in_time_they_are_found_in_order():
    """The diagonal says nothing of a step that rotates, and 100 iterations do not reach 300 steps back."""
    angle = 0.3
    turn = jnp.array([[jnp.cos(angle), jnp.sin(angle)], [-jnp.sin(angle), jnp.cos(angle)]])
    inputs = 0.01 * jax.random.normal(jax.random.key(0), (1, 300, 2))
    recurrence = Recurrence(lambda w, x, u: x @ w + u, turn, inputs, jnp.ones((1, 2)))
    method = QuasiNewton()
    assert solve_recurrence(recurrence, method).iterations[0] == 100
    found = gradients(recurrence, lambda r: solve_recurrence(r, method, fallback=True).value)
    truth = gradients(recurrence, Recurrence.in_order)
    for one, other in zip(found, truth, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * np.abs(other).max())


def test_inputs_of_whole_numbers_have_no_gradient_and_are_no_obstacle():
    table = jax.random.normal(jax.random.key(0), (5, 3))
    tokens = jax.random.randint(jax.random.key(1), (2, 10), 0, 5)

    def step(table, x, token):
        return jnp.tanh(0.5 * x + table[token])

    def of(table, way):
        return loss(way(Recurrence(step, table, tokens, jnp.zeros((2, 3)))))

    found = jax.grad(of)(table, lambda r: solve_recurrence(r).value)
    np.testing.assert_allclose(found, jax.grad(of)(table, Recurrence.in_order), atol=1e-6)
