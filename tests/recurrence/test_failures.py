"""What goes wrong on the way is told for each sample; what is wrong from the start is one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import BATCH, LENGTH, WIDTH, gated, gru, in_order, large_gain

from ffc import Exact, FFCError, Jacobi, Status, Tolerance, solve
from ffc.recurrence import Chunks, InOrder, Newton, QuasiNewton, Recurrence, solve_recurrence


def test_newton_diverges_from_states_of_zero_where_the_damped_one_does_not():
    """The products of 400 Jacobians overflow; Jacobi would take 81 iterations."""
    recurrence = large_gain()
    plain = solve_recurrence(recurrence, Newton(chunk=20))
    assert plain.status == [Status.NOT_FINITE]
    assert np.isfinite(plain.value).all()
    tamed = solve_recurrence(recurrence, Newton(damping=1.0, chunk=20))
    assert tamed.status == [Status.WITHIN_TOLERANCE]
    assert tamed.iterations[0] <= 20
    np.testing.assert_allclose(tamed.value, recurrence.in_order(), atol=2e-5)


def test_who_asks_for_it_falls_back_to_order_and_is_told():
    recurrence = large_gain()
    solution = solve_recurrence(recurrence, Newton(chunk=20), fallback=True)
    assert solution.status == [Status.NOT_FINITE]  # of the method
    assert np.asarray(solution.in_order).all()
    assert "1 of 1 evaluated in order after all" in solution.message
    np.testing.assert_allclose(solution.value, recurrence.in_order(), atol=1e-6)
    good = solve_recurrence(gated(), Newton(), fallback=True)
    assert not np.asarray(good.in_order).any()


@pytest.mark.parametrize("method", [QuasiNewton(), Chunks(3), Jacobi()], ids=str)
def test_a_limit_ends_it_and_what_is_certified_stands(method):
    solution = solve_recurrence(gated(), method, Exact(max_iterations=1))
    assert set(solution.status) == {Status.ITERATION_LIMIT}
    for sample, certified in enumerate(np.asarray(solution.certified)):
        assert 1 <= certified < LENGTH
        np.testing.assert_allclose(solution.value[sample, :certified], in_order(gated())[sample, :certified], atol=1e-6)


def root(weights, x, u):
    """√|x|, whose derivative at 0 is infinite; the states of zero that Newton begins at are just there."""
    return jnp.sqrt(jnp.abs(x)) * 0.5 + u


@pytest.mark.parametrize("method", [Newton(chunk=5), QuasiNewton(), Newton(damping=1.0)], ids=str)
def test_where_a_jacobian_is_not_finite_the_step_alone_is_taken_and_the_sample_says_so(method):
    """The first sample alone is guessed where the derivative is infinite."""
    inputs = jax.random.uniform(jax.random.key(0), (2, 12, 2), minval=0.5, maxval=1.0)
    recurrence = Recurrence(root, (), inputs, jnp.ones((2, 2)))
    guess = jnp.stack([jnp.zeros((12, 2)), jnp.ones((12, 2))])
    solution = solve_recurrence(recurrence, method, guess=guess)
    np.testing.assert_array_equal(solution.jacobian_finite, [False, True])
    assert "1 of 2 met a Jacobian that is not finite" in solution.message
    assert set(solution.status) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-5)


@pytest.mark.parametrize("method", [InOrder(), Chunks(4), Newton(), QuasiNewton(damping=1.0), Jacobi()])
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
    for method in (Chunks(4), Newton(chunk=4), QuasiNewton()):
        assert solve_recurrence(recurrence, method).status[0] in (Status.CERTIFIED, Status.WITHIN_TOLERANCE)


def ones(*shape):
    return jnp.ones(shape)


def add(weights, x, u):
    return x + u


def callback(weights, x, u):
    return jax.pure_callback(lambda x: np.asarray(x), jax.ShapeDtypeStruct(x.shape, x.dtype), x)


WRONG = {
    "inputs: no array among them; give one with a time axis": Recurrence(add, (), (), ones(2, 3)),
    r"inputs: a leaf of the shape \(2,\) has no time axis": Recurrence(add, (), ones(2), ones(2, 3)),
    "inputs: leaves of the shapes .* differ in their length T": Recurrence(
        add, (), (ones(2, 5, 3), ones(2, 6, 3)), ones(2, 3)
    ),
    "inputs: their length T is 0; give one time step at least": Recurrence(add, (), ones(2, 0, 3), ones(2, 3)),
    r"inputs: batches of \[4\] samples, and start has 2": Recurrence(add, (), ones(4, 5, 3), ones(2, 3)),
    r"start: it has the shape \(3,\)": Recurrence(add, (), ones(2, 5, 3), ones(3)),
    r"step: it returns float32\[2, 1\] for states float32\[2, 3\]": Recurrence(
        lambda w, x, u: x[..., :1], (), ones(2, 5, 3), ones(2, 3)
    ),
    r"step: it returns int32\[2, 3\] for states float32\[2, 3\]": Recurrence(
        lambda w, x, u: jnp.int32(x), (), ones(2, 5, 3), ones(2, 3)
    ),
    "step: it returns tuple for states": Recurrence(lambda w, x, u: (x, u), (), ones(2, 5, 3), ones(2, 3)),
    r"step: it fails on states \[2, 3\] and inputs at one time \(add got incompatible shapes": Recurrence(
        add, (), ones(2, 5, 4), ones(2, 3)
    ),
}


@pytest.mark.parametrize("message", WRONG)
@pytest.mark.parametrize("solved", [solve_recurrence, lambda recurrence: solve(recurrence, Jacobi())])
def test_a_recurrence_that_does_not_fit_together_is_refused_in_one_sentence(message, solved):
    with pytest.raises(FFCError, match=message) as caught:
        solved(WRONG[message])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("recurrence", "message"),
    [
        (Recurrence(add, (), jnp.ones((2, 5, 3), int), jnp.ones((2, 3), int)), "start: states are int32, which have"),
        (Recurrence(callback, (), ones(2, 5, 3), ones(2, 3)), "step: it cannot be differentiated"),
    ],
)
def test_a_step_without_derivatives_is_refused_by_methods_that_need_them(recurrence, message):
    for method in (Newton(), QuasiNewton()):
        with pytest.raises(FFCError, match=message):
            solve_recurrence(recurrence, method)
    assert solve_recurrence(recurrence, InOrder()).exact


def test_methods_and_their_numbers_are_looked_at():
    recurrence = gated()
    with pytest.raises(FFCError, match=r"method: .* is no method; give"):
        solve_recurrence(recurrence, Newton)
    with pytest.raises(FFCError, match=r"stop: 0\.1 is no stopping rule"):
        solve_recurrence(recurrence, Newton(), 0.1)
    with pytest.raises(FFCError, match="guess: Chunks begins at the start alone"):
        solve_recurrence(recurrence, Chunks(3), guess=recurrence.initial())
    with pytest.raises(FFCError, match=r"guess: it has the shape \(3,\)"):
        solve_recurrence(recurrence, Newton(), guess=ones(3))
    with pytest.raises(FFCError, match="Chunks: chunk is 0"):
        Chunks(0)
    with pytest.raises(FFCError, match="Chunks: warmup is -1"):
        Chunks(3, -1)
    with pytest.raises(FFCError, match="Newton: chunk is 0"):
        Newton(chunk=0)
    with pytest.raises(FFCError, match="QuasiNewton: damping is -1"):
        QuasiNewton(damping=-1)


def test_a_length_of_one_is_a_step():
    recurrence = Recurrence(gru, gated().weights, {"x": jnp.ones((BATCH, 1, WIDTH))}, jnp.ones((BATCH, WIDTH)))
    for method in (InOrder(), Chunks(5), Newton(), Jacobi()):
        solution = solve_recurrence(recurrence, method, Tolerance(1e-6))
        assert solution.exact
        np.testing.assert_allclose(solution.value, in_order(recurrence), atol=1e-6)
