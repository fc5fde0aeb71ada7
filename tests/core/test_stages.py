"""Finished samples leave the batch: the same answers, for less work."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import Exact, FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Status, Tolerance, Trace, solve
from ffc.core import programs
from ffc.core.solve import history_of
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP

N = 12
SOLVERS = [Sequential(cached=True), Jacobi(), GSJacobi(6), GSJacobi(5, cached=False), JacobiGS(4)]


def uneven(batch):
    """Chains of which the first guess is right about b blocks of sample b, so that all end at different times."""
    return replace(zoo.chain(batch), u=jnp.where(jnp.arange(N) < jnp.arange(batch)[:, None], 0.0, 1.0))


def assert_same(one, other):
    """Two solutions agree in every bit of every field."""
    jax.tree.map(np.testing.assert_array_equal, one.value, other.value)
    for field in ("status_codes", "iterations", "certified"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    jax.tree.map(np.testing.assert_array_equal, one.history, other.history)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("system", [zoo.whole_numbers(3, batch=7, row_length=3), zoo.chain(1)], ids=["seven", "one"])
def test_nothing_changes_but_the_work(system, solver):
    plain = solve(system, solver)
    assert_same(solve(system, solver, retire=True), plain)
    trace = Trace(plain.value, N + 2, (0, 2, N))
    assert_same(solve(system, solver, trace=trace, retire=True), solve(system, solver, trace=trace))


@pytest.mark.parametrize("guess", [None, RowAbove()], ids=["zeros", "row above"])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_curves_are_had_by_a_stop_after_each_iteration(solver, guess):
    system = zoo.whole_numbers(3, batch=7, row_length=3)
    plain = solve(system, solver, guess=guess)
    compiled = programs.advance.programs()
    found = history_of(system, solver, plain, (0, 2, N), guess)
    assert programs.advance.programs() == compiled
    trace = Trace(plain.value, int(plain.iterations.max()), (0, 2, N))
    jax.tree.map(np.testing.assert_array_equal, found, solve(system, solver, trace=trace, guess=guess).history)


@pytest.mark.parametrize("stop", [Exact(max_iterations=0), Exact(max_iterations=4), Tolerance(1.0)], ids=str)
def test_limits_and_tolerances_hold(stop):
    system = zoo.whole_numbers(4, batch=5)
    assert_same(solve(system, Jacobi(), stop, retire=True), solve(system, Jacobi(), stop))


def test_guesses_and_broken_samples_are_kept():
    sound = zoo.whole_numbers(6, batch=4, row_length=3)
    system = zoo.Breaking(sound.weights, sound.u, row_length=3, breaks=jnp.array([-1, 7, 0, -1]))
    guess = jnp.full((4, N), 5.0)
    solution = solve(system, GSJacobi(6), guess=guess, retire=True)
    assert_same(solution, solve(system, GSJacobi(6), guess=guess))
    assert solution.status[2] == Status.NOT_FINITE
    assert_same(solve(sound, GSJacobi(3), guess=RowAbove(), retire=True), solve(sound, GSJacobi(3), guess=RowAbove()))


def test_the_batch_halves_while_samples_finish():
    sizes = []

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Watched(zoo.WholeNumbers):
        def select_samples(self, index):
            sizes.append(len(index))
            return super().select_samples(index)

    chains = uneven(8)
    solution = solve(Watched(chains.weights, chains.u), Jacobi(), retire=True)
    assert sizes == [4, 2, 1]
    np.testing.assert_array_equal(solution.iterations, solve(chains, Jacobi()).iterations)


def test_a_system_whose_samples_cannot_be_selected_is_named():
    with pytest.raises(FFCError, match=r"Tanh has no select_samples\(index\); write it, or leave retire out"):
        solve(zoo.tanh(0), Jacobi(), retire=True)


SAMPLERS = {
    "pixelcnnpp": (PixelCNNPP((4, 4, 1), filters=4, resnets=0, mixtures=3), {"quantize": "8bit"}, 0),
    "made": (MADE((3, 4, 1), hidden=(16, 16)), {}, 1e-5),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_let_their_samples_go(name):
    model, options, tolerance = SAMPLERS[name]
    system = model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(3), 4), **options)
    plain, retired = solve(system, Jacobi()), solve(system, Jacobi(), retire=True)
    assert retired.exact
    np.testing.assert_allclose(retired.value, plain.value, atol=tolerance)
