"""verify=True: plain sweeps have the last word, whatever windows and caches made of the system."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import GSJacobi, Jacobi, Sequential, Status, solve
from ffc.core.verify import verified

N, SOUND = 12, 18
ROWS = zoo.crowd(row_length=4)


def windowed(function, fault=None):
    """Of real numbers, or rounded to eighths."""
    smooth = zoo.tanh(0)
    return zoo.flawed(replace(smooth, weights=3 * smooth.weights, has_windows=True, function=function), fault)


def moved(system, x):
    return np.abs(np.asarray(system.sweep(x)) - x).max(axis=1)


def test_one_sweep_proves_each_sample_that_is_right():
    """Each on its own: those that break are measured, and stay."""
    solution, plainly = solve(ROWS, GSJacobi(8), verify=True), solve(ROWS, GSJacobi(8))
    np.testing.assert_array_equal(solution.value, plainly.value)
    proven = [True] * SOUND + [False] * 6
    assert [array.tolist() for array in solution.verification] == [proven, [0] * 24, [1] * 24, [0] * 24]
    assert (solution.residual == 0).tolist() == proven
    assert "; 18 of 24 samples proven to be the plain sequential answer; 6 of 24 samples measured" in solution.message
    assert plainly.residual is None
    assert plainly.message.endswith("; not verified")


def test_any_state_of_discrete_values_is_led_to_the_plain_answer():
    """Ties are counted there: here those of blocks behind a number that is less than the first of their sample."""
    ties = {"ties": lambda self, x: jnp.pad(x[:, :-1] < x[:, :1], ((0, 0), (1, 0)))}
    system = zoo.like(ROWS.select_samples(jnp.arange(SOUND)), **ties)
    answer, wild = zoo.in_order(system), np.random.default_rng(0).integers(0, 7, (SOUND, N)).astype(np.float32)
    solution = verified(system, replace(solve(system, Jacobi()), value=jnp.asarray(wild)))
    np.testing.assert_array_equal(solution.value, answer)
    proven, corrected, sweeps, counted = solution.verification
    assert proven.all()
    np.testing.assert_array_equal(corrected, np.sum(answer != wild, axis=1))
    np.testing.assert_array_equal(counted, np.sum(answer[:, :-1] < answer[:, :1], axis=1))
    assert sweeps[:2].tolist() == [N, 2]  # the worst case, and the best


@pytest.mark.parametrize("function", [zoo.eighths, jnp.tanh])
def test_a_fault_of_windows_is_corrected_and_told_or_shows_in_the_residual(function):
    """And sound windows leave rounding errors alone."""
    solver, discrete = GSJacobi(5), function is zoo.eighths
    sound = solve(windowed(function), solver, verify=True)
    assert np.all(sound.residual < 1e-6)
    assert sound.verification.proven.all() or not discrete
    system = windowed(function, "a wrong value")
    faulty, solution = solve(system, solver), solve(system, solver, verify=True)
    assert faulty.exact
    plain = solve(system, Jacobi()).value if discrete else faulty.value
    np.testing.assert_array_equal(solution.value, plain)
    changed = np.sum(faulty.value != plain, axis=1)
    np.testing.assert_array_equal(solution.verification.corrected, changed)
    message = f"3 of 3 samples measured: a plain sweep moves them by {np.max(solution.residual):.2g} at most"
    if discrete:
        message = (
            f"3 of 3 samples proven to be the plain sequential answer; {np.sum(changed > 0)} of them corrected, as "
        )
        message += f"plain sweeps disagreed with the solver in {changed.sum()} "
        assert changed.sum() > 3
    else:
        np.testing.assert_allclose(solution.residual, moved(system, faulty.value), atol=1e-6)
        assert np.all(solution.residual > 0.1)
        assert ("more than rounding" in sound.message, "ffc.check" in solution.message) == (False, True)
    assert message in solution.message


@pytest.mark.parametrize("stop", [{"max_iterations": 2}, {"atol": 0.5}], ids=str)
def test_what_was_left_off_stays_and_is_measured(stop):
    system = windowed(zoo.eighths)
    left, solution = solve(system, Jacobi(), **stop), solve(system, Jacobi(), **stop, verify=True)
    np.testing.assert_array_equal(solution.value, left.value)
    np.testing.assert_allclose(solution.residual, moved(system, left.value))
    assert not left.exact
    assert solution.residual.max() > 0.1
    np.testing.assert_array_equal(solution.verification.proven, solution.residual == 0)
    assert solution.verification.sweeps.tolist() == [1] * 3


def test_a_sweep_that_is_not_finite_proves_nothing_and_changes_nothing():
    system = windowed(zoo.eighths, "an infinite sweep")
    solution = solve(system, GSJacobi(5), verify=True)
    np.testing.assert_array_equal(solution.value, solve(system, GSJacobi(5)).value)
    assert solution.exact
    assert not (np.isfinite(solution.residual) | solution.verification.proven).any()


def test_an_answer_that_plain_sweeps_refute_is_not_exact():
    """N finite sweeps settle every triangular system: where they do not, there is no sequential answer."""
    peeking = zoo.variant(zoo.Line, sweep=lambda self, x: (zoo.Line.sweep(self, x) + x) % 100)
    solution = solve(peeking(jnp.arange(1, 25).reshape(2, 12), zoo.add), Sequential(), verify=True)
    assert not solution.exact
    assert (solution.status, solution.certified.tolist()) == ([Status.REFUTED] * 2, [0, 0])
    assert "ffc.check" in solution.message
