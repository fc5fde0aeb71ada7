"""Any recurrence as a triangular system: every solver and every method finds the states that a loop in order finds."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import BATCH, LENGTH, WIDTH, diagonal, gated, in_order, jacobian, tanh, whole, worst

from ffc import Exact, GSJacobi, Jacobi, Status, Tolerance, solve
from ffc.recurrence import Chunks, InOrder, Newton, Picard, QuasiNewton, Recurrence, solve_recurrence

METHODS = [Chunks(5, 3), Jacobi(), Newton(), Newton(damping=1.0, chunk=7), QuasiNewton()]
EXACTLY = [InOrder(), Chunks(5), Chunks(40), Newton(chunk=7), QuasiNewton(damping=1.0), GSJacobi(5)]
GOOD = {Status.CERTIFIED, Status.WITHIN_TOLERANCE}


@pytest.mark.parametrize("method", EXACTLY, ids=str)
def test_every_method_is_certified_to_the_bit_where_there_is_no_rounding(method):
    solution = solve_recurrence(whole(), method, Exact())
    assert solution.exact
    assert (np.asarray(solution.certified) == LENGTH).all()
    np.testing.assert_array_equal(solution.value, in_order(whole()))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_method_finds_the_states_of_a_gated_unit(method):
    real = solve_recurrence(gated(), method)
    assert set(real.status) <= GOOD
    assert (np.asarray(real.iterations) <= LENGTH + 2).all()  # chunks are guessed and checked, too
    assert (np.asarray(real.residual) < 1e-5).all()
    assert np.asarray(real.jacobian_finite).all()
    assert not np.asarray(real.in_order).any()
    np.testing.assert_allclose(real.value, in_order(gated()), atol=1e-5)


def test_newton_needs_fewer_iterations_than_its_diagonal_and_that_fewer_than_jacobi():
    newton, *others = (solve_recurrence(gated(), method) for method in (Newton(), QuasiNewton(), Jacobi()))
    iterations = [int(solution.iterations.max()) for solution in (newton, *others)]
    assert iterations == sorted(set(iterations))
    assert iterations[0] <= 5
    again = solve_recurrence(gated(), Newton(), guess=newton.value)
    np.testing.assert_array_equal(again.iterations, 0)  # a good guess saves all
    assert set(again.status) <= GOOD


def test_picard_is_for_states_that_change_little():
    """x' = x + u, of which its matrix is the Jacobian."""
    inputs = jnp.arange(BATCH * LENGTH * WIDTH, dtype=jnp.float32).reshape(BATCH, LENGTH, WIDTH) % 7
    recurrence = Recurrence(lambda weights, x, u: x + u, (), inputs, jnp.ones((BATCH, WIDTH)))
    solution = solve_recurrence(recurrence, Picard(), Exact())
    assert solution.exact
    np.testing.assert_array_equal(solution.iterations, 1)
    np.testing.assert_array_equal(solution.value, 1 + jnp.cumsum(inputs, axis=1))


@pytest.mark.parametrize("method", [Newton(), QuasiNewton(elementwise=True)], ids=str)
def test_an_affine_step_takes_one_iteration(method):
    decay = jnp.array([0.5, 0.9, 0.99])
    inputs = jax.random.normal(jax.random.key(0), (BATCH, LENGTH, WIDTH))
    recurrence = Recurrence(lambda decay, x, u: decay * x + u, decay, inputs, jnp.ones((BATCH, WIDTH)))
    solution = solve_recurrence(recurrence, method)
    np.testing.assert_array_equal(solution.iterations, 1)
    np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-5)


def test_an_iteration_solves_a_block_at_least_even_in_the_worst_case():
    """x' = 4 x (1 − x) doubles every error."""
    solution = solve_recurrence(worst(), Newton(damping=1.0), Exact())
    assert solution.exact
    assert (np.asarray(solution.iterations) <= LENGTH).all()
    np.testing.assert_array_equal(solution.value, solve(worst(), Jacobi()).value)


def test_samples_end_each_on_its_own():
    """The second sample forgets at once."""
    one = gated()
    one = replace(one, inputs={"x": one.inputs["x"].at[1].set(30.0)})
    both, alone = (solve_recurrence(r, QuasiNewton()) for r in (one, one.select_samples(jnp.array([0]))))
    assert both.iterations[1] < both.iterations[0] == alone.iterations[0]


def test_a_derivative_that_is_known_may_be_given():
    weights = 0.5 * jax.random.normal(jax.random.key(0), (WIDTH, WIDTH))
    inputs = jax.random.normal(jax.random.key(1), (BATCH, LENGTH, WIDTH))
    recurrence = Recurrence(tanh, weights, inputs, jnp.zeros((BATCH, WIDTH)))
    for known, method in ((Newton(jacobian=jacobian), Newton()), (QuasiNewton(diagonal=diagonal), QuasiNewton())):
        one, other = solve_recurrence(recurrence, known), solve_recurrence(recurrence, method)
        np.testing.assert_array_equal(one.iterations, other.iterations)
        np.testing.assert_allclose(one.value, other.value, atol=1e-6)


def test_relative_tolerance_is_of_the_largest_entry_of_a_state():
    """States of 10⁶: an absolute tolerance below their rounding is out of reach, a relative one is not."""
    recurrence = Recurrence(lambda w, x, u: 0.9 * x + u, (), jnp.full((1, LENGTH, 1), 1.1e5), jnp.full((1, 1), 1e6))
    solution = solve_recurrence(recurrence, Jacobi(), Tolerance(0.0, relative=0.2))
    assert solution.status == [Status.WITHIN_TOLERANCE]
    assert 0 < float(solution.residual[0]) <= 0.2 * 1.1e6
