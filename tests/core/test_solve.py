"""solve(): each iteration of every schedule is that of a loop in plain NumPy, and the last is the sequential answer."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import plain
import pytest
import zoo
from drafting import Mixture, Picard, Told, plain_mixture, plain_told

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Status, history_of, solve
from ffc.core import programs

N = 12
ROWS = zoo.crowd(row_length=4)
ANSWER = zoo.in_order(ROWS)
WILD = np.random.default_rng(1).integers(0, 7, ANSWER.shape).astype(np.float32)
#: What makes every other system overflow, and is the answer elsewhere.
LARGE = np.where(np.arange(24)[:, None] % 2, np.float32(1e30), ANSWER)
#: A system, and a solver of it: each is a way of its own through the loop.
WAYS = {
    "in order": (ROWS, Sequential()),
    "in order, cached": (ROWS, Sequential(cached=True)),
    "everything": (ROWS, Jacobi()),
    "in a row": (zoo.crowd(row_length=6), GSJacobi(3)),
    "in a row, which is entered": (zoo.by_rows(zoo.crowd(row_length=6)), GSJacobi(3)),
    "a row, which is entered": (zoo.by_rows(ROWS), GSJacobi(4, together=True)),
    "a row after the other": (zoo.waiting(zoo.crowd(row_length=6, mirrored=True), "row"), GSJacobi(3)),
    "rows": (ROWS, GSJacobi(8)),
    "rows by sweeps": (zoo.crowd(row_length=4, has_windows=False), GSJacobi(8)),
    "across rows": (ROWS, GSJacobi(5)),
    "runs": (ROWS, JacobiGS(4)),
    "runs by sweeps": (ROWS, JacobiGS(3, cached=False)),
    "together": (ROWS, GSJacobi(4, together=True)),
    "half windows": (zoo.waiting(zoo.crowd(), "half a window"), GSJacobi(5)),
}
GUESSES = [*((way, WILD) for way in WAYS)]
GUESSES += [(way, RowAbove()) for way in ("in a row", "a row after the other", "rows", "across rows")]


def assert_run(solution, run):
    """A solution is that of plain NumPy, in every bit and every number."""
    np.testing.assert_array_equal(solution.value, run.value)
    np.testing.assert_array_equal(solution.certified, run.certified)
    np.testing.assert_array_equal(solution.iterations, run.iterations)
    assert solution.status == run.status
    if solution.undrafted is not None:
        np.testing.assert_array_equal(solution.undrafted, run.undrafted)


def assert_answer(solution, block=1):
    """The sequential answer, certified within N iterations; of a sample that breaks, what stands before that."""
    end = np.where(np.asarray(ROWS.breaks) < 0, N, ROWS.breaks)
    certified = np.asarray(solution.certified)
    assert np.all(certified[end == N] == N)
    assert np.all(certified <= end)
    held = np.arange(N) < certified[:, None]
    np.testing.assert_array_equal(np.where(held, solution.value, 0), np.where(held, ANSWER, 0))
    assert np.all(np.asarray(solution.iterations) <= N // block)
    assert solution.status == [Status.CERTIFIED if whole else Status.NOT_FINITE for whole in end == N]
    assert not solution.exact
    assert solution.message.startswith("18 of 24 samples certified: every block equals the sequential answer; 6 of 24")


@pytest.mark.parametrize(("way", "guess"), GUESSES)
def test_every_iteration_is_that_of_plain_numpy(way, guess):
    system, solver = WAYS[way]
    runs = plain.run(system, solver, guess)
    for limit in range(N + 1):
        assert_run(solve(system, solver, max_iterations=limit, x0=guess), runs[limit])
    solution = solve(system, solver, x0=guess)
    assert_run(solution, runs[-1])
    assert_answer(solution, solver.schedule(N).block)
    assert solution.evaluations == max(runs[-1].iterations) * solver.schedule(N).block


@pytest.mark.parametrize("way", ["everything", "rows", "runs"])
def test_a_tolerance_accepts_what_moves_by_little_and_certifies_no_more_than_is_exact(way):
    system, solver = WAYS[way]
    for tolerance in ((0, 0), (1, 0), (0, 0.5), (2, 0.25)):
        runs = plain.run(system, solver, tolerance=tolerance)
        for limit in (0, 1, 4, None):
            solution = solve(system, solver, atol=tolerance[0], rtol=tolerance[1], max_iterations=limit)
            assert_run(solution, runs[N if limit is None else limit])
            held = np.arange(N) < np.asarray(solution.certified)[:, None]
            np.testing.assert_array_equal(np.where(held, solution.value, 0), np.where(held, ANSWER, 0))
        assert (Status.WITHIN_TOLERANCE in solution.status) == (tolerance != (0, 0))
        assert ("samples iterates agree within the tolerance" in solution.message) == (tolerance != (0, 0))


# Drafts


@pytest.mark.parametrize("way", ["everything", "rows", "rows by sweeps", "together", "a row after the other"])
def test_a_draft_decides_how_many_iterations_and_no_bit_of_what_is_certified(way):
    """It is given all that an iteration found, and is taken behind the first block that changed, where it is finite."""
    system, solver = WAYS[way]
    runs, drafted = plain.run(system, solver, WILD, draft=plain_mixture), replace(solver, draft=Mixture())
    for limit in range(N + 1):
        assert_run(solve(system, drafted, max_iterations=limit, x0=WILD), runs[limit])
    assert_answer(solve(system, drafted, x0=WILD))


@pytest.mark.parametrize("way", ["everything", "across rows"])
def test_a_draft_that_is_wrong_everywhere_changes_no_answer_and_one_that_overflows_is_dropped(way):
    system, solver = WAYS[way]
    for values in (ANSWER + 1, 3.0, np.nan, -np.inf, 3e38, LARGE):
        told = np.broadcast_to(np.float32(values), ANSWER.shape)
        drafted = replace(solver, draft=Told(jnp.asarray(told)))
        solution = solve(system, drafted)
        assert_run(solution, plain.run(system, solver, draft=plain_told(told))[-1])
        assert_answer(solution)
    assert 0 < np.sum(solution.undrafted) < 24
    assert f"{np.sum(solution.undrafted)} of 24 samples went on without a draft" in solution.message
    near = solve(system, drafted, atol=1.0, rtol=0.25)
    assert_run(near, plain.run(system, solver, tolerance=(1.0, 0.25), draft=plain_told(told))[-1])


# Curves


def assert_curves(history, runs, reference, named):
    """The curves of these iterates."""
    length = len(history.l2)
    states, certified = (np.array([getattr(run, name) for run in runs]) for name in ("x", "certified"))
    states, certified = (np.concatenate([array, array[-1:], array[-1:]]) for array in (states, certified))
    with np.errstate(all="ignore"):
        apart, moved = states - reference, np.diff(states, axis=0, prepend=states[:1])
        np.testing.assert_allclose(history.l2, np.linalg.norm(apart, axis=2)[:length], rtol=1e-6)
        np.testing.assert_allclose(history.change, np.linalg.norm(moved, axis=2)[:length], rtol=1e-6)
    np.testing.assert_array_equal(history.largest, np.abs(apart).max(axis=2)[:length])
    np.testing.assert_array_equal(history.certified, certified[:length])
    np.testing.assert_array_equal(history.snapshots, states[list(named)])


CURVES = [("rows", RowAbove(), None), ("in order", RowAbove(), None), ("in order", WILD, None)]
CURVES += [("everything", WILD, Mixture())]


@pytest.mark.parametrize(("way", "guess", "draft"), CURVES)
def test_curves_are_those_of_all_iterates_by_the_programs_of_the_solve(way, guess, draft):
    system, solver = WAYS[way]
    system, guess = system.select_samples(jnp.arange(18)), guess[:18] if guess is WILD else guess
    runs = plain.run(system, solver, guess, draft=draft and plain_mixture)
    solver = replace(solver, draft=draft) if draft else solver
    solution, named = solve(system, solver, x0=guess), (0, 1, 5, N)
    before = programs.advance.programs()
    history = history_of(system, solver, solution, named, guess)
    assert programs.advance.programs() == before
    assert len(history.l2) == max(solution.iterations) + 1
    assert_curves(history, runs, ANSWER[:18], named)
    early = history_of(system, solver, solve(system, solver, x0=guess, max_iterations=3), (), guess)
    assert len(early.l2) == min(3, max(solution.iterations)) + 1


@pytest.mark.parametrize(("way", "drafted"), [("in order", {}), ("rows", {"draft": Told(jnp.asarray(LARGE))})])
def test_after_the_end_of_a_sample_its_curves_are_level_and_nothing_changes(way, drafted):
    """Also where it broke, or began anew without its draft."""
    system, solver = WAYS[way]
    solver = replace(solver, **drafted)
    solution = solve(system, solver)
    history, last = history_of(system, solver, solution), np.asarray(solution.iterations)
    after = np.arange(len(history.change))[:, None] > last
    assert not np.any(np.where(after, history.change, 0))
    for curve in (history.l2, history.largest, history.certified):
        np.testing.assert_array_equal(curve, np.where(after, curve[last, np.arange(24)], curve))
    np.testing.assert_array_equal(history.certified[-1], solution.certified)
    np.testing.assert_array_equal(history.largest[-1][:18], 0)


# Nothing but the solve


@pytest.mark.parametrize("solver", [JacobiGS(2), Jacobi(draft=Picard())], ids=str)
def test_a_state_may_be_several_arrays(solver):
    system = zoo.Leaves(jnp.array([1.0, 3.0]))
    answer, solution = system.initial(), solve(system, solver, verify=True)
    for _ in range(system.size):
        answer = system.sweep(answer)
    jax.tree.map(np.testing.assert_array_equal, solution.value, answer)
    assert solution.exact
