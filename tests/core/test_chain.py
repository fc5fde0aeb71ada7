"""A chain of solves: each link by its own solver, and together the answer, the certificate and the curves of one."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from links import Links

from ffc import Chained, Exact, GSJacobi, Jacobi, RowAbove, Sequential, Status, Tolerance, Trace, solve
from ffc.core import tune
from ffc.core.named import entry_of, fitting, solver_by_name
from ffc.core.solve import history_of

LINKS, LENGTH, BATCH = 3, 6, 4
WHOLE = Links(tuple(zoo.whole_numbers(seed, BATCH, LENGTH, density=0.6) for seed in range(LINKS)))
REAL = Links(tuple(zoo.tanh(seed, BATCH, LENGTH) for seed in range(LINKS)))
ANSWER = zoo.in_order(WHOLE)
SOLVERS = [
    Chained((Jacobi(),) * LINKS),
    Chained((GSJacobi(2), Jacobi(), Sequential())),
    Chained((Sequential(cached=True), GSJacobi(4), GSJacobi(3)), above=(True, False, True)),
]


def alone(solver, guess=None):
    """The solutions of all links of `WHOLE`, each solved by itself."""
    parts, before = [], None
    for number, of_link in enumerate(solver.solvers):
        link = WHOLE.link(number, before)
        if isinstance(guess, RowAbove) or (guess is None and solver.begins_above(number)):
            first = WHOLE.link_above(number, before)
        else:
            first = None if guess is None else guess[:, number * LENGTH : (number + 1) * LENGTH]
        parts.append(solve(link, of_link, guess=first))
        before = parts[-1].value
    return parts


def assert_held(solution, answer):
    """What is certified is the answer."""
    held = np.arange(LINKS * LENGTH) < np.asarray(solution.certified)[:, None]
    np.testing.assert_array_equal(np.where(held, solution.value, 0), np.where(held, answer, 0))


@pytest.mark.parametrize(("number", "guess"), [(0, jnp.asarray(ANSWER)), (1, RowAbove()), (2, None)])
def test_a_chain_is_its_links_solved_one_after_the_other(number, guess):
    solver = SOLVERS[number]
    solution, parts = solve(WHOLE, solver, guess=guess), alone(solver, guess)
    assert solution.exact
    np.testing.assert_array_equal(solution.value, ANSWER)
    np.testing.assert_array_equal(solution.certified, LINKS * LENGTH)
    np.testing.assert_array_equal(solution.iterations, sum(part.iterations for part in parts))


def test_one_block_after_the_other_is_a_chain_by_itself():
    plain, cached = (solve(REAL, solver) for solver in (Sequential(), Sequential(cached=True)))
    np.testing.assert_array_equal(cached.value, plain.value)
    np.testing.assert_array_equal(cached.iterations, plain.iterations)


# What ends before its time


def test_a_limit_counts_the_iterations_of_all_links():
    ends = np.cumsum([part.iterations for part in alone(SOLVERS[1])], axis=0)
    for most in (0, 2, 5, 9, 14):
        solution = solve(WHOLE, SOLVERS[1], Exact(max_iterations=most))
        assert int(solution.iterations.max()) <= most
        assert (solution.certified >= np.minimum(solution.iterations, WHOLE.size)).all()
        assert_held(solution, ANSWER)
        if most < ends[0].min():
            assert set(solution.status) == {Status.ITERATION_LIMIT}
            assert (solution.certified < LENGTH).all()


def test_what_follows_an_uncertain_link_is_not_certified():
    """Link 0 stops within a tolerance: the others are exact for what it gave, and that proves nothing."""
    answer, loose = solve(REAL, Sequential()).value, solve(REAL, SOLVERS[0], Tolerance(1e-2))
    assert Status.WITHIN_TOLERANCE in loose.status
    np.testing.assert_allclose(loose.value, answer, atol=0.1)
    assert_held(loose, answer)
    assert np.all((loose.certified == REAL.size) == (loose.status_codes == Status.CERTIFIED))


def test_a_link_that_breaks_breaks_its_sample_alone():
    first, *others = WHOLE.parts
    broken = replace(WHOLE, parts=(replace(first, u=first.u.at[1, 3].set(jnp.inf)), *others))
    solution = solve(broken, SOLVERS[0])
    assert [status is Status.NOT_FINITE for status in solution.status] == [False, True, False, False]
    assert 1 <= solution.certified[1] <= 3
    assert_held(solution, ANSWER)


# Beside the solve


def test_curves_lead_from_the_guess_to_the_answer_link_after_link():
    plain = solve(WHOLE, SOLVERS[1])
    named = tuple(range(WHOLE.size + 1))
    history = solve(WHOLE, SOLVERS[1], trace=Trace(jnp.asarray(ANSWER), named[-1], named)).history
    certified, states = np.asarray(history.certified), np.asarray(history.snapshots)
    assert (np.diff(certified, axis=0) >= 0).all()
    np.testing.assert_array_equal(states[0], WHOLE.initial())
    np.testing.assert_array_equal(states[-1], ANSWER)
    moved = np.linalg.norm(np.diff(states, axis=0, prepend=states[:1]), axis=2)
    np.testing.assert_allclose(history.l2, np.linalg.norm(states - ANSWER, axis=2), rtol=1e-5)
    np.testing.assert_array_equal(history.largest, np.abs(states - ANSWER).max(axis=2))
    np.testing.assert_allclose(history.change, moved, rtol=1e-5)
    held = np.arange(WHOLE.size) < certified[..., None]
    np.testing.assert_array_equal(np.where(held, states - ANSWER, 0), 0)
    ends = np.cumsum([part.iterations for part in alone(SOLVERS[1])], axis=0)
    for link, end in enumerate(ends):
        assert (certified[end, np.arange(BATCH)] == (link + 1) * LENGTH).all()
    again = history_of(WHOLE, SOLVERS[1], plain, named)
    np.testing.assert_array_equal(again.l2, history.l2[: plain.iterations.max() + 1])


def test_a_chain_can_be_differentiated_compiled_and_verified():
    def loss(system, solver):
        return jnp.sum(solve(system, solver).value ** 2)

    found, wanted = (jax.jit(jax.grad(loss), static_argnums=1)(REAL, solver) for solver in (SOLVERS[1], Jacobi()))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, wanted)
    inside = jax.jit(lambda system: solve(system, SOLVERS[2], verify=True))(WHOLE)
    np.testing.assert_array_equal(inside.value, ANSWER)
    assert inside.verification.proven.all()


# Names and races


def test_a_race_finds_a_solver_for_each_link_and_names_it():
    named = solver_by_name("chained", WHOLE, [1, 2, LENGTH], above=[1])
    assert named == Chained((Sequential(cached=True), GSJacobi(2), Jacobi()), (False, True, False))
    assert "chained" in fitting(WHOLE)
    assert "chained" not in fitting(WHOLE.parts[0])
    for guess, above in ((None, {True, False}), (RowAbove(), {True}), (jnp.asarray(ANSWER), {False})):
        solver = tune.chained(WHOLE, guess)
        assert solve(WHOLE, solver).exact
        assert set(solver.above) <= above
        entry = entry_of(solver, WHOLE)
        assert solver_by_name(entry.pop("solver"), WHOLE, **entry) == solver
    assert solve(WHOLE, solver_by_name("auto", WHOLE)).exact
    nobody = Links(tuple(part.select_samples(jnp.arange(0)) for part in WHOLE.parts))
    for name in ("auto", "chained"):
        assert solve(nobody, solver_by_name(name, nobody)).value.shape == (0, WHOLE.size)
