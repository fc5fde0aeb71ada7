"""What goes wrong on the way is told for each sample; what is wrong from the start is one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import LENGTH, gated, in_order, large_gain

from ffc import Exact, FFCError, Jacobi, Status, solve
from ffc.recurrence import Chunks, InOrder, Newton, QuasiNewton, Recurrence, solve_recurrence


def test_newton_diverges_from_states_of_zero_where_the_damped_one_does_not_and_falls_back_to_order_if_asked():
    """The products of 400 Jacobians overflow; Jacobi would take 81 iterations."""
    recurrence = large_gain()
    plain, repaired = (solve_recurrence(recurrence, Newton(chunk=20), fallback=asked) for asked in (False, True))
    assert plain.status == repaired.status == [Status.NOT_FINITE]  # of the method
    assert np.isfinite(plain.value).all()
    assert (plain.in_order.tolist(), repaired.in_order.tolist()) == ([False], [True])
    assert "1 of 1 evaluated in order after all" in repaired.message
    np.testing.assert_allclose(repaired.value, recurrence.in_order(), atol=1e-6)
    tamed = solve_recurrence(recurrence, Newton(damping=1.0, chunk=20), fallback=True)
    assert tamed.status == [Status.WITHIN_TOLERANCE]
    assert tamed.in_order.tolist() == [False]
    assert tamed.iterations[0] <= 20
    np.testing.assert_allclose(tamed.value, recurrence.in_order(), atol=2e-5)


@pytest.mark.parametrize("method", [QuasiNewton(), Chunks(3)], ids=str)
def test_a_limit_ends_it_and_what_is_certified_stands(method):
    solution = solve_recurrence(gated(), method, Exact(max_iterations=1))
    assert set(solution.status) == {Status.ITERATION_LIMIT}
    certified = np.asarray(solution.certified)
    assert np.all((certified >= 1) & (certified < LENGTH))
    held = (np.arange(LENGTH) < certified[:, None])[..., None]
    np.testing.assert_allclose(np.where(held, solution.value, 0), np.where(held, in_order(gated()), 0), atol=1e-6)


def test_where_a_jacobian_is_not_finite_the_step_alone_is_taken_and_the_sample_says_so():
    """That of √|x| at 0, where the first sample alone is guessed."""
    inputs = jax.random.uniform(jax.random.key(0), (2, 12, 2), minval=0.5, maxval=1.0)
    recurrence = Recurrence(lambda w, x, u: jnp.sqrt(jnp.abs(x)) * 0.5 + u, (), inputs, jnp.ones((2, 2)))
    guess = jnp.stack([jnp.zeros((12, 2)), jnp.ones((12, 2))])
    solution = solve_recurrence(recurrence, Newton(damping=1.0, chunk=5), guess=guess)
    np.testing.assert_array_equal(solution.jacobian_finite, [False, True])
    assert "1 of 2 met a Jacobian that is not finite" in solution.message
    assert set(solution.status) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-5)


@pytest.mark.parametrize("method", [InOrder(), Chunks(4), QuasiNewton(damping=1.0)], ids=str)
def test_states_that_are_not_finite_are_told_of_in_their_sample_alone(method):
    """The first sample squares its way to infinity."""
    recurrence = Recurrence(lambda w, x, u: x * x + u, (), jnp.zeros((2, LENGTH, 1)), jnp.array([[10.0], [0.5]]))
    solution = solve_recurrence(recurrence, method)
    assert solution.status[0] is Status.NOT_FINITE
    assert solution.status[1] in (Status.CERTIFIED, Status.WITHIN_TOLERANCE)
    np.testing.assert_allclose(solution.value[1], in_order(recurrence)[1], atol=1e-6)


def test_a_last_chunk_that_is_filled_up_meets_no_numbers_of_its_own():
    """1/u is not finite at the zeros that a lesser filling would use."""
    recurrence = Recurrence(lambda w, x, u: 0.5 * x + 1 / u, (), jnp.ones((1, 7, 1)), jnp.zeros((1, 1)))
    for method in (Chunks(4), Newton(chunk=4)):
        assert solve_recurrence(recurrence, method).status[0] in (Status.CERTIFIED, Status.WITHIN_TOLERANCE)


ones = jnp.ones


def callback(weights, x, u):
    return jax.pure_callback(lambda x: np.asarray(x), jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def of(inputs=ones((2, 5, 3)), start=ones((2, 3)), step=lambda w, x, u: jnp.add(x, u)):  # noqa: B008 - frozen arrays
    return Recurrence(step, (), inputs, start)


#: Of a recurrence, which `solve` refuses as well.
WRONG = [
    (of(()), "inputs: no array among them; give one with a time axis"),
    (of(ones(2)), r"inputs: a leaf of the shape \(2,\) has no time axis"),
    (of((ones((2, 5, 3)), ones((2, 6, 3)))), "inputs: leaves of the shapes .* differ in their length T"),
    (of(ones((2, 0, 3))), "inputs: their length T is 0; give one time step at least"),
    (of(ones((4, 5, 3))), r"inputs: batches of \[4\] samples, and start has 2"),
    (of(start={"h": ones((2, 3))}), "start: it is a dict; join its arrays to one"),
    (of(start=ones(3)), r"start: it has the shape \(3,\)"),
    (of(step=lambda w, x, u: x[..., :1]), r"step: it returns float32\[2, 1\] for states float32\[2, 3\]"),
    (of(step=lambda w, x, u: (x, u)), "step: it returns tuple for states"),
    (of(ones((2, 5, 4))), r"step: it fails on states \[2, 3\] and inputs at one time \(add got inc"),
]
MISTAKES = [
    *((lambda wrong=wrong: solve_recurrence(wrong), message) for wrong, message in WRONG),
    *((lambda wrong=wrong: solve(wrong, Jacobi()), message) for wrong, message in WRONG),
    (lambda: solve_recurrence(of(ones((2, 5, 3), int), ones((2, 3), int))), "start: states are int32, which have"),
    (lambda: solve_recurrence(of(step=callback), QuasiNewton()), "step: it cannot be differentiated"),
    (lambda: solve_recurrence(of(), Newton), r"method: .* is no method; give"),
    (lambda: solve_recurrence(of(), Newton(), 0.1), r"stop: 0\.1 is no stopping rule"),
    (lambda: solve_recurrence(of(), Chunks(3), guess=ones((2, 5, 3))), "guess: Chunks begins at the start alone"),
    (lambda: solve_recurrence(of(), Newton(), guess=ones(3)), r"guess: it has the shape \(3,\)"),
    (lambda: Chunks(0), "Chunks: chunk is 0"),
    (lambda: Chunks(3, -1), "Chunks: warmup is -1"),
    (lambda: Newton(chunk=0), "Newton: chunk is 0"),
    (lambda: QuasiNewton(damping=-1), "QuasiNewton: damping is -1"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_mistake_is_one_sentence_that_names_it(number):
    call, message = MISTAKES[number]
    with pytest.raises(FFCError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_step_without_derivatives_is_no_obstacle_to_the_order():
    assert solve_recurrence(of(step=callback), InOrder()).exact
