"""Any recurrence as a triangular system: every solver and every draft finds the states that a loop in order finds."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import BATCH, LENGTH, RECURRENCES, WIDTH, in_order, jacobian, large_gain, square, worst

from ffc import GSJacobi, Jacobi, Status, solve
from ffc.recurrence import Chunks, Newton, Picard, QuasiNewton, Recurrence

ROUNDING = {"atol": 4e-6, "rtol": 4e-6}
GOOD = {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
#: Solvers of the recurrence; or chunks and warm-ups.
WAYS = {
    "jacobi": Jacobi(),
    "windows": GSJacobi(5),
    "newton": Jacobi(draft=Newton(chunk=7)),
    "newton by windows": GSJacobi(9, draft=Newton()),
    "diagonal": Jacobi(draft=QuasiNewton()),
    "damped": Jacobi(draft=Newton(chunk=7, damping=1.0)),
    "damped diagonal": Jacobi(draft=QuasiNewton(damping=1.0)),
    "chunks": (5, 3),
    "chunks without a warm-up": (4, 0),
    "one chunk": (40, 0),
}


def states(recurrence, way, stop=ROUNDING):
    """The states [batch, T, ...] by a way, and their solution."""
    if not isinstance(solver := WAYS[way], tuple):
        solution = solve(recurrence, solver, **stop)
        return solution.value, solution
    chunks = Chunks(recurrence, *solver)
    solution = solve(chunks, Jacobi(), **stop)
    return chunks.states(solution), solution


EXACT = [("whole", way) for way in ("windows", "newton", "chunks")]
CASES = [("gated", way) for way in WAYS if way not in ("jacobi", "windows", "damped", "chunks without a warm-up")]
CASES += [("memory", "chunks"), ("memory", "diagonal"), ("space", "newton")]


@pytest.mark.parametrize(("name", "way"), [*EXACT, *CASES])
def test_every_way_finds_the_states_in_order_whatever_their_structure(name, way):
    """Certified to the bit where there is no rounding."""
    recurrence = RECURRENCES[name]()
    value, solution = states(recurrence, way, {} if name == "whole" else ROUNDING)
    assert solution.exact or (name != "whole" and set(solution.status) <= GOOD)
    assert np.all(solution.iterations <= LENGTH)
    np.testing.assert_array_equal(solution.value[:, -1], value[:, -1])  # so ends the last chunk, too
    for one, other in zip(*map(jax.tree.leaves, (recurrence.unpack(value), in_order(recurrence))), strict=True):
        np.testing.assert_allclose(one, other, atol=0 if name == "whole" else 1e-5)


def test_newton_needs_fewer_iterations_than_its_diagonal_and_that_fewer_than_jacobi():
    """And each sample its own: the second one of `other` forgets at once. A good guess saves all but a look."""
    gated = RECURRENCES["gated"]()
    newton, *others = (solve(gated, WAYS[way], **ROUNDING) for way in ("newton", "diagonal", "jacobi"))
    iterations = [int(solution.iterations.max()) for solution in (newton, *others)]
    assert iterations == sorted(set(iterations))
    assert iterations[0] <= 5
    np.testing.assert_array_equal(solve(gated, WAYS["newton"], newton.value, **ROUNDING).iterations, 1)
    other = replace(gated, inputs={"x": gated.inputs["x"].at[1].set(30.0)})
    both = solve(other, WAYS["diagonal"], **ROUNDING).iterations
    assert both[1] < both[0] == others[0].iterations[0]


@pytest.mark.parametrize(("damping", "most"), [(None, 30), (1.0, 20)])
def test_where_products_of_jacobians_overflow_the_prefix_still_grows(damping, most):
    """Those of 400 do from states of zero; damping takes less."""
    recurrence = large_gain()
    solution = solve(recurrence, Jacobi(draft=Newton(chunk=20, damping=damping)), **ROUNDING)
    assert solution.status == [Status.WITHIN_TOLERANCE]
    assert solution.iterations[0] <= most
    np.testing.assert_allclose(solution.value, recurrence.in_order(), atol=1e-4)


def test_an_iteration_solves_a_block_at_least_even_in_the_worst_case():
    """x' = 4 x (1 − x) doubles every error."""
    solution = solve(worst(), WAYS["damped"])
    assert solution.exact
    assert np.all(solution.iterations <= LENGTH)
    np.testing.assert_array_equal(solution.value, solve(worst(), Jacobi()).value)


AFFINE = [(Picard(), 1.0), (Newton(chunk=7), (0.5, 0.9, 0.99)), (QuasiNewton(), (0.5, 0.9, 0.99))]


@pytest.mark.parametrize(("draft", "decay"), AFFINE)
def test_an_affine_step_whose_matrix_the_draft_has_takes_one_iteration_and_a_look(draft, decay):
    inputs = jnp.arange(BATCH * LENGTH * WIDTH, dtype=jnp.float32).reshape(BATCH, LENGTH, WIDTH) % 7
    recurrence = Recurrence(lambda decay, x, u: decay * x + u, jnp.array(decay), inputs, jnp.ones((BATCH, WIDTH)))
    solution = solve(recurrence, Jacobi(draft=draft), **ROUNDING)
    np.testing.assert_array_equal(solution.iterations, 2)
    np.testing.assert_allclose(solution.value, in_order(recurrence), rtol=1e-5)


def diagonal(*at):
    return jnp.diagonal(jacobian(*at), axis1=-2, axis2=-1)


@pytest.mark.parametrize(
    ("by_hand", "draft"),
    [(Newton(chunk=7, jacobian=jacobian), Newton(chunk=7)), (QuasiNewton(diagonal=diagonal), QuasiNewton())],
)
def test_a_derivative_that_is_known_may_be_given(by_hand, draft):
    one, other = (solve(RECURRENCES["tanh"](), Jacobi(draft=draft), **ROUNDING) for draft in (by_hand, draft))
    np.testing.assert_array_equal(one.iterations, other.iterations)
    np.testing.assert_allclose(one.value, other.value, atol=1e-6)


# What goes wrong on the way


@pytest.mark.parametrize("way", ["damped diagonal", "chunks without a warm-up"])
def test_states_that_are_not_finite_end_their_sample_alone(way):
    """The first sample squares its way to infinity."""
    recurrence = Recurrence(square, (), jnp.zeros((2, LENGTH, 1)), jnp.array([[10.0], [0.5]]))
    value, solution = states(recurrence, way)
    assert solution.status[0] is Status.NOT_FINITE
    assert solution.status[1] in GOOD
    np.testing.assert_allclose(value[1], in_order(recurrence)[1], atol=1e-6)


def test_a_jacobian_that_is_not_finite_leaves_the_step_alone_and_drafts_what_follows():
    """That of √|x| at 0, where an input leads the first sample."""
    inputs = jnp.ones((2, LENGTH, 2)).at[0, 3].set(0)
    recurrence = Recurrence(lambda w, x, u: u * (x / 2 + jnp.sqrt(jnp.abs(x)) / 5 + 1), (), inputs, jnp.ones((2, 2)))
    solution = solve(recurrence, Jacobi(draft=Newton(damping=1.0, chunk=5)), **ROUNDING)
    assert set(solution.status) <= GOOD
    assert np.all(solution.iterations <= 6), "Jacobi takes 20"
    np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-5)


def test_what_overflows_inside_a_chunk_is_not_hidden_by_its_end_and_its_filling_meets_no_zeros():
    """tanh(∞) is 1; and 1/u is not finite at the zeros that a lesser filling would use."""

    def hiding(w, x, u):
        return jnp.where(u > 1, jnp.inf, jnp.tanh(x) + u)

    hidden = Recurrence(hiding, (), jnp.ones((1, 8, 1)).at[0, 2].set(2), jnp.zeros((1, 1)))
    assert states(hidden, "chunks without a warm-up")[1].status == [Status.NOT_FINITE]
    recurrence = Recurrence(lambda w, x, u: 0.5 * x + 1 / u, (), jnp.ones((1, 7, 1)), jnp.zeros((1, 1)))
    assert states(recurrence, "chunks without a warm-up")[1].status[0] in GOOD
