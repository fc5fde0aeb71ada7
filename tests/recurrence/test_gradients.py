"""Gradients through a recurrence are those of backpropagation through a scan, whichever way the states were found."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import cells, gated, jacobian, tanh

from ffc import Jacobi
from ffc.recurrence import Chunks, Newton, QuasiNewton, Recurrence, solve_recurrence
from ffc.recurrence.gradients import adjoint_method


def loss(states):
    return jnp.mean(jnp.sin(3 * states) * jnp.cos(jnp.arange(states.size)).reshape(states.shape))


def gradients(recurrence, states_of, scales=(1.0,)):
    """By weights, inputs and start, as far as they are floating-point: of the loss times each of `scales`, over it."""

    def of(moving, scale):
        whole = [one if one is not None else leaf for one, leaf in zip(moving, leaves, strict=True)]
        return scale * loss(states_of(jax.tree.unflatten(tree, whole)))

    leaves, tree = jax.tree.flatten(recurrence)
    moving = [leaf if jnp.issubdtype(leaf.dtype, jnp.floating) else None for leaf in leaves]
    program = jax.jit(jax.grad(of))
    return [one / scale for scale in scales for one in jax.tree.leaves(program(moving, scale))]


def assert_gradients(recurrence, method, expected, scales=(1.0,), tolerance=1e-5, **options):
    """To `tolerance` of each array's largest entry."""
    found = gradients(recurrence, lambda one: solve_recurrence(one, method, **options).value, scales)
    for one, other in zip(found, expected * len(scales), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.fixture(scope="module")
def expected():
    """By JAX, through its scan."""
    return gradients(gated(), Recurrence.in_order)


@pytest.mark.parametrize(
    "method",
    [Chunks(8, 8), Newton(damping=1.0, chunk=7), QuasiNewton(), Jacobi()],
    ids=str,
)
def test_gradients_are_those_of_backpropagation(method, expected):
    assert_gradients(gated(), method, expected)


def test_gradients_of_any_size_are_as_true(expected):
    assert_gradients(gated(), Newton(), expected, (1.0, 1e-20, 1e10))


def test_a_known_jacobian_is_transposed_for_the_adjoints():
    weights = 0.5 * jax.random.normal(jax.random.key(0), (3, 3))
    recurrence = Recurrence(tanh, weights, jax.random.normal(jax.random.key(1), (2, 12, 3)), jnp.zeros((2, 3)))
    assert_gradients(recurrence, Newton(jacobian=jacobian), gradients(recurrence, Recurrence.in_order))


def test_inputs_and_weights_that_are_no_numbers_are_no_obstacle():
    assert_gradients(cells(), Newton(), gradients(cells(), Recurrence.in_order))


def test_where_the_adjoints_are_not_found_in_time_they_are_found_in_order():
    """The diagonal says nothing of a step that rotates, and 100 iterations do not reach 256 steps back."""
    turn = jnp.array([[jnp.cos(0.3), jnp.sin(0.3)], [-jnp.sin(0.3), jnp.cos(0.3)]])
    inputs = 0.01 * jax.random.normal(jax.random.key(0), (1, 256, 2))
    recurrence = Recurrence(lambda w, x, u: x @ w + u, turn, inputs, jnp.ones((1, 2)))
    assert solve_recurrence(recurrence, QuasiNewton()).iterations[0] == 100
    truth = gradients(recurrence, Recurrence.in_order)
    assert_gradients(recurrence, QuasiNewton(), truth, tolerance=2e-5, fallback=True)


def test_the_adjoints_method_has_the_transposed_jacobian():
    """Else they would be found all the same, in more iterations."""
    matrix = jnp.arange(4.0).reshape(2, 2)
    method = adjoint_method(Newton(jacobian=lambda weights, state, inputs: matrix))
    at = SimpleNamespace(state=None, inputs=None)
    np.testing.assert_array_equal(method.jacobian((), None, at), matrix.T)
