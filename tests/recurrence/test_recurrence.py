"""Any recurrence: every solver and Newton's method find the states that a loop in order finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import GSJacobi, Jacobi, JacobiGS, Sequential, Status, check, solve
from ffc.recurrence import Recurrence, chunked_states, diagonal_jacobian, full_jacobian, newton_states

BATCH, LENGTH, WIDTH = 2, 24, 3


def gru(weights, h, inputs):
    """A gated recurrent unit without biases; `inputs` is a dict of one array."""
    x = inputs["x"]
    update, reset = jax.nn.sigmoid(h @ weights["z"] + x), jax.nn.sigmoid(h @ weights["r"] - x)
    return (1 - update) * h + update * jnp.tanh((reset * h) @ weights["h"] + x)


def halving(weights, h, inputs):
    """Whole numbers: no rounding, whatever the order."""
    return jnp.floor(h / 2) + inputs


@pytest.fixture(scope="module")
def recurrence() -> Recurrence:
    keys = jax.random.split(jax.random.key(0), 4)
    weights = {name: 0.5 * jax.random.normal(key, (WIDTH, WIDTH)) for name, key in zip("zrh", keys, strict=False)}
    inputs = {"x": jax.random.normal(keys[3], (BATCH, LENGTH, WIDTH))}
    return Recurrence(gru, weights, inputs, jnp.ones((BATCH, WIDTH)))


def in_order(recurrence: Recurrence) -> np.ndarray:
    state, states = recurrence.start, []
    for t in range(recurrence.size):
        inputs = jax.tree.map(lambda leaf, t=t: leaf[:, t], recurrence.inputs)
        state = recurrence.step(recurrence.weights, state, inputs)
        states.append(state)
    return np.stack(states, axis=1)


@pytest.mark.parametrize("solver", [Sequential(), Sequential(cached=True), Jacobi(), GSJacobi(5), JacobiGS(4)], ids=str)
def test_every_solver_finds_the_states_in_order(solver):
    inputs = jnp.floor(10 * jax.random.normal(jax.random.key(1), (BATCH, LENGTH, WIDTH)))
    recurrence = Recurrence(halving, (), inputs, jnp.full((BATCH, WIDTH), 7.0))
    solution = solve(recurrence, solver)
    assert solution.exact
    np.testing.assert_array_equal(solution.value, in_order(recurrence))


def test_it_is_triangular(recurrence):
    check(recurrence, blocks=(0, 1, LENGTH - 1))


@pytest.mark.parametrize("chunk", [None, 7])
@pytest.mark.parametrize("jacobian", [full_jacobian, diagonal_jacobian])
def test_newton_finds_the_states_of_any_differentiable_step(recurrence, jacobian, chunk):
    found = newton_states(recurrence, jacobian(gru), chunk)
    assert set(np.asarray(found.status)) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    assert found.iterations < LENGTH
    np.testing.assert_allclose(found.states, in_order(recurrence), atol=1e-5)


def test_jacobians_by_forward_derivatives_are_those_of_reverse_mode(recurrence):
    h, inputs = jnp.array([0.3, -0.2, 0.9]), {"x": jnp.array([0.1, 0.5, -1.0])}
    exact = jax.jacrev(lambda x: gru(recurrence.weights, x, inputs))(h).T  # row k: derivatives along entry k
    for jacobian, expected in ((full_jacobian(gru), exact), (diagonal_jacobian(gru), jnp.diagonal(exact))):
        at = jacobian.linearise(recurrence.weights, h, inputs)
        found = jacobian.matrix(recurrence.weights, at.factors)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(at.product, h @ found if found.ndim == 2 else h * found, rtol=1e-5)


def test_newton_says_where_it_was_stopped_short(recurrence):
    found = newton_states(recurrence, diagonal_jacobian(gru), max_iterations=1, tolerance=0.0)
    assert found.iterations == 1
    assert set(np.asarray(found.status)) <= {Status.CERTIFIED, Status.ITERATION_LIMIT}


@pytest.mark.parametrize("chunk", [1, 5, 24])
def test_chunks_find_the_states_in_order(recurrence, chunk):
    found = chunked_states(gru, recurrence.weights, recurrence.inputs, recurrence.start, chunk, warmup=chunk)
    np.testing.assert_allclose(found.states, in_order(recurrence), atol=1e-5)
