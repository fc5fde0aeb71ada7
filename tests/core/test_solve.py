"""solve(): each iteration of every schedule is that of a loop in plain NumPy, and the last is the sequential answer."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import plain
import pytest
import zoo
from drafting import Mixture, Told

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Status, history_of, solve
from ffc.core import programs

N = 12
ROWS = zoo.crowd(row_length=4)
ANSWER = zoo.in_order(ROWS)
WILD = np.random.default_rng(1).integers(0, 7, ANSWER.shape).astype(np.float32)
#: What makes every other system overflow, and is the answer elsewhere.
LARGE = Told(jnp.where(jnp.arange(24)[:, None] % 2, 1e30, ANSWER))
#: A system, and a solver of it: each is a way of its own through the loop.
WAYS = {
    "in order": (ROWS, Sequential()),
    "in order, cached": (ROWS, Sequential(cached=True)),
    "everything": (ROWS, Jacobi()),
    "in a row": (zoo.like(zoo.crowd(row_length=6), initial=lambda self: self.u[::-1]), GSJacobi(3)),
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
CASES = [(way, WILD, None) for way in WAYS]
CASES += [(way, RowAbove(), None) for way in ("in a row", "a row after the other", "rows", "across rows")]
CASES += [
    (way, WILD, Mixture()) for way in ("everything", "rows", "rows by sweeps", "together", "a row after the other")
]


def drafted(way, draft):
    system, solver = WAYS[way]
    return system, replace(solver, draft=draft) if draft else solver


def assert_run(solution, run):
    """A solution is that of plain NumPy, in every bit and every number, and what it certifies is the answer."""
    np.testing.assert_array_equal(solution.value, run.value)
    np.testing.assert_array_equal(solution.certified, run.certified)
    np.testing.assert_array_equal(solution.iterations, run.iterations)
    assert solution.status == run.status
    assert solution.undrafted is None or np.array_equal(solution.undrafted, run.undrafted)
    held = np.arange(N) < run.certified[:, None]
    np.testing.assert_array_equal(np.where(held, solution.value, 0), np.where(held, ANSWER, 0))


def assert_answer(solution, block=1):
    """Certified whole within N iterations; or, of a sample that breaks, some of what stands before that."""
    end = np.where(np.asarray(ROWS.breaks) < 0, N, ROWS.breaks)
    assert solution.status == [Status.CERTIFIED if whole else Status.NOT_FINITE for whole in end == N]
    assert np.all((solution.certified == N) | (end < N) & (solution.certified <= end))
    assert np.all(solution.iterations <= N // block)
    assert not solution.exact
    assert solution.message.startswith("18 of 24 samples certified: every block equals the sequential answer; 6 of 24")


@pytest.mark.parametrize(("way", "guess", "draft"), CASES)
def test_every_iteration_is_that_of_plain_numpy(way, guess, draft):
    """Also with a draft, which is taken behind the first block that changed, where it is finite."""
    system, solver = drafted(way, draft)
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
        assert (Status.WITHIN_TOLERANCE in solution.status) == (tolerance != (0, 0))
        assert ("samples iterates agree within the tolerance" in solution.message) == (tolerance != (0, 0))


@pytest.mark.parametrize("way", ["everything", "across rows"])
def test_a_draft_that_is_wrong_everywhere_changes_no_answer_and_one_that_overflows_is_dropped(way):
    for draft in (*(Told(jnp.full(ANSWER.shape, value)) for value in (3.0, jnp.nan, -jnp.inf, 3e38)), LARGE):
        system, solver = drafted(way, draft)
        solution = solve(system, solver)
        assert_run(solution, plain.run(system, solver)[-1])
        assert_answer(solution)
    assert 0 < np.sum(solution.undrafted) < 24
    assert f"{np.sum(solution.undrafted)} of 24 samples went on without a draft" in solution.message
    assert_run(solve(system, solver, atol=1.0, rtol=0.25), plain.run(system, solver, tolerance=(1.0, 0.25))[-1])


CURVES = [("rows", RowAbove(), None), ("in order", RowAbove(), None), ("in order", WILD, None)]
CURVES += [("everything", WILD, Mixture())]


@pytest.mark.parametrize(("way", "guess", "draft"), CURVES)
def test_curves_are_those_of_all_iterates_by_the_programs_of_the_solve(way, guess, draft):
    system, solver = drafted(way, draft)
    system, guess = system.select_samples(jnp.arange(18)), guess[:18] if guess is WILD else guess
    runs, named = plain.run(system, solver, guess), (0, 1, 5, N)
    solution = solve(system, solver, x0=guess)
    before = programs.advance.programs()
    history = history_of(system, solver, solution, named, guess)
    assert programs.advance.programs() == before
    rows = max(solution.iterations) + 1
    certified, x = (np.array([getattr(run, name) for run in runs]) for name in ("certified", "x"))
    apart, moved = (x - ANSWER[:18])[:rows], np.diff(x, axis=0, prepend=x[:1])[:rows]
    np.testing.assert_allclose(history.l2, np.linalg.norm(apart, axis=2), rtol=1e-6)
    np.testing.assert_allclose(history.change, np.linalg.norm(moved, axis=2), rtol=1e-6)
    np.testing.assert_array_equal(history.largest, np.abs(apart).max(axis=2))
    np.testing.assert_array_equal(history.certified, certified[:rows])
    np.testing.assert_array_equal(history.snapshots, x[list(named)])
    early = history_of(system, solver, solve(system, solver, x0=guess, max_iterations=3), (), guess)
    assert len(early.l2) == min(3, rows - 1) + 1


@pytest.mark.parametrize(("way", "draft"), [("in order", None), ("rows", LARGE)])
def test_after_a_sample_broke_or_began_anew_its_curves_end_with_it(way, draft):
    system, solver = drafted(way, draft)
    solution = solve(system, solver)
    history, last = history_of(system, solver, solution), np.asarray(solution.iterations)
    after = np.arange(len(history.change))[:, None] > last
    assert not np.any(np.where(after, history.change, 0))
    for curve in (history.l2, history.largest, history.certified):
        np.testing.assert_array_equal(curve, np.where(after, curve[last, np.arange(24)], curve))
    np.testing.assert_array_equal(history.certified[-1], solution.certified)
    np.testing.assert_array_equal(history.largest[-1][:18], 0)
