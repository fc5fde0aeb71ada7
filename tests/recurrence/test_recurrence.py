"""Any recurrence as a triangular system: every solver and every draft finds the states that a loop in order finds."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import BATCH, LENGTH, RECURRENCES, WIDTH, gated, in_order, jacobian, large_gain, tanh, whole, worst

from ffc import GSJacobi, Jacobi, Sequential, Status, solve
from ffc.recurrence import Chunks, Newton, Picard, QuasiNewton, Recurrence

ROUNDING = {"atol": 4e-6, "rtol": 4e-6}
GOOD = {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
WAYS = {
    "in order": Sequential(cached=True),
    "jacobi": Jacobi(),
    "windows": GSJacobi(5),
    "newton": Jacobi(draft=Newton(chunk=7)),
    "newton by windows": GSJacobi(9, draft=Newton()),
    "damped": Jacobi(draft=Newton(damping=1.0)),
    "diagonal": Jacobi(draft=QuasiNewton()),
    "damped diagonal": Jacobi(draft=QuasiNewton(damping=1.0)),
}
CHUNKS = [(5, 3), (5, 0), (40, 0)]


def states(recurrence, way, stop=ROUNDING):
    """The states [batch, T, ...] by a way, and their solution."""
    if isinstance(way, str):
        solution = solve(recurrence, WAYS[way], **stop)
        return solution.value, solution
    chunks = Chunks(recurrence, *way)
    solution = solve(chunks, Jacobi(), **stop)
    return chunks.states(solution), solution


@pytest.mark.parametrize("way", ["in order", "windows", "newton", "damped diagonal", *CHUNKS], ids=str)
def test_every_way_is_certified_to_the_bit_where_there_is_no_rounding(way):
    value, solution = states(whole(), way, {})
    assert solution.exact
    np.testing.assert_array_equal(value, in_order(whole()))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *(("gated", way) for way in (*WAYS, *CHUNKS)),
        *itertools.product(("memory", "space"), ("newton", "diagonal", (5, 3))),
    ],
    ids=str,
)
def test_every_way_finds_the_states_in_order_whatever_their_structure(name, way):
    recurrence = RECURRENCES[name]()
    value, solution = states(recurrence, way)
    assert set(solution.status) <= GOOD
    assert (np.asarray(solution.iterations) <= LENGTH).all()
    for one, other in zip(*map(jax.tree.leaves, (recurrence.unpack(value), in_order(recurrence))), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_newton_needs_fewer_iterations_than_its_diagonal_and_that_fewer_than_jacobi():
    newton, *others = (solve(gated(), WAYS[way], **ROUNDING) for way in ("newton", "diagonal", "jacobi"))
    iterations = [int(solution.iterations.max()) for solution in (newton, *others)]
    assert iterations == sorted(set(iterations))
    assert iterations[0] <= 5
    again = solve(gated(), WAYS["newton"], newton.value, **ROUNDING)
    np.testing.assert_array_equal(again.iterations, 1)  # a good guess saves all but a look


@pytest.mark.parametrize(
    ("draft", "most"), [(Newton(chunk=20), 30), (Newton(damping=1.0), 20), (QuasiNewton(), 90)], ids=str
)
def test_where_products_of_jacobians_overflow_the_prefix_still_grows(draft, most):
    """Those of 400 do from states of zero; damping takes less."""
    recurrence = large_gain()
    solution = solve(recurrence, Jacobi(draft=draft), **ROUNDING)
    assert solution.status == [Status.WITHIN_TOLERANCE]
    assert solution.iterations[0] <= most
    np.testing.assert_allclose(solution.value, recurrence.in_order(), atol=1e-4)


def test_an_iteration_solves_a_block_at_least_even_in_the_worst_case():
    """x' = 4 x (1 − x) doubles every error."""
    solution = solve(worst(), WAYS["damped"])
    assert solution.exact
    assert (np.asarray(solution.iterations) <= LENGTH).all()
    np.testing.assert_array_equal(solution.value, solve(worst(), Jacobi()).value)


@pytest.mark.parametrize(
    ("draft", "decay"),
    [(Picard(), 1.0), (Newton(), (0.5, 0.9, 0.99)), (QuasiNewton(elementwise=True), (0.5, 0.9, 0.99))],
    ids=str,
)
def test_an_affine_step_whose_matrix_the_draft_has_takes_one_iteration_and_a_look(draft, decay):
    inputs = jnp.arange(BATCH * LENGTH * WIDTH, dtype=jnp.float32).reshape(BATCH, LENGTH, WIDTH) % 7
    recurrence = Recurrence(lambda decay, x, u: decay * x + u, jnp.array(decay), inputs, jnp.ones((BATCH, WIDTH)))
    solution = solve(recurrence, Jacobi(draft=draft), **ROUNDING)
    np.testing.assert_array_equal(solution.iterations, 2)
    np.testing.assert_allclose(solution.value, in_order(recurrence), rtol=1e-5)


def test_samples_end_each_on_its_own():
    """The second sample forgets at once."""
    one = gated()
    one = replace(one, inputs={"x": one.inputs["x"].at[1].set(30.0)})
    first = replace(one, inputs={"x": one.inputs["x"][:1]}, start=one.start[:1])
    both, alone = (solve(r, WAYS["diagonal"], **ROUNDING) for r in (one, first))
    assert both.iterations[1] < both.iterations[0] == alone.iterations[0]


def test_a_derivative_that_is_known_may_be_given():
    weights = 0.5 * jax.random.normal(jax.random.key(0), (WIDTH, WIDTH))
    inputs = jax.random.normal(jax.random.key(1), (BATCH, LENGTH, WIDTH))
    recurrence = Recurrence(tanh, weights, inputs, jnp.zeros((BATCH, WIDTH)))

    def diagonal(*at):
        return jnp.diagonal(jacobian(*at), axis1=-2, axis2=-1)

    for known, draft in ((Newton(jacobian=jacobian), Newton()), (QuasiNewton(diagonal=diagonal), QuasiNewton())):
        one, other = (solve(recurrence, Jacobi(draft=d), **ROUNDING) for d in (known, draft))
        np.testing.assert_array_equal(one.iterations, other.iterations)
        np.testing.assert_allclose(one.value, other.value, atol=1e-6)


# What goes wrong on the way


@pytest.mark.parametrize("way", ["in order", "jacobi", "damped diagonal", (4, 0)], ids=str)
def test_states_that_are_not_finite_end_their_sample_alone(way):
    """The first sample squares its way to infinity."""
    recurrence = Recurrence(lambda w, x, u: x * x + u, (), jnp.zeros((2, LENGTH, 1)), jnp.array([[10.0], [0.5]]))
    value, solution = states(recurrence, way)
    assert solution.status[0] is Status.NOT_FINITE
    assert solution.status[1] in GOOD
    np.testing.assert_allclose(value[1], in_order(recurrence)[1], atol=1e-6)


def test_a_jacobian_that_is_not_finite_leaves_the_step_alone():
    """That of √|x| at 0, where the first sample alone is guessed."""
    inputs = jax.random.uniform(jax.random.key(0), (2, 12, 2), minval=0.5, maxval=1.0)
    recurrence = Recurrence(lambda w, x, u: jnp.sqrt(jnp.abs(x)) * 0.5 + u, (), inputs, jnp.ones((2, 2)))
    guess = jnp.stack([jnp.zeros((12, 2)), jnp.ones((12, 2))])
    solution = solve(recurrence, Jacobi(draft=Newton(damping=1.0, chunk=5)), guess, **ROUNDING)
    assert set(solution.status) <= GOOD
    np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-5)


def test_what_overflows_inside_a_chunk_is_not_hidden_by_its_end_and_its_filling_meets_no_zeros():
    """tanh(∞) is 1; and 1/u is not finite at the zeros that a lesser filling would use."""
    hidden = Recurrence(
        lambda w, x, u: jnp.where(u > 1, jnp.inf, jnp.tanh(x) + u),
        (),
        jnp.ones((1, 8, 1)).at[0, 2].set(2),
        jnp.zeros((1, 1)),
    )
    assert states(hidden, (4, 0))[1].status == [Status.NOT_FINITE]
    recurrence = Recurrence(lambda w, x, u: 0.5 * x + 1 / u, (), jnp.ones((1, 7, 1)), jnp.zeros((1, 1)))
    for way in ((4, 0), "newton"):
        assert states(recurrence, way)[1].status[0] in GOOD
