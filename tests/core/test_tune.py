"""Names of solvers, and the race for the fastest, with a clock that counts evaluations in place of seconds."""

import jax.numpy as jnp
import pytest
import zoo

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, solve
from ffc.core import measure, tune
from ffc.core.arguments import schedule_of
from ffc.core.named import entry_of, is_chosen, label_of, solver_by_name
from ffc.core.solvers import CLASSES

N = 12
SYSTEM = zoo.whole_numbers(1, density=0.15, row_length=3)


@pytest.fixture
def cost(monkeypatch):
    """Seconds of an evaluation of so many blocks at once; a test sets it."""
    cost = {"of": lambda count: 1.0}

    def timed(function):
        _, solver, *_ = function.args
        solution = function()
        return solution, solution.evaluations * cost["of"](solver.schedule(solution.size).count)

    for module in (measure, tune):
        monkeypatch.setattr(module, "timed", timed)
    return cost


def test_the_winner_is_the_one_that_the_cost_of_an_evaluation_favours(cost):
    """The widest window where it costs the same whatever its size; else one block after the other."""
    assert tune.fastest(SYSTEM, tune.candidates(SYSTEM)) == Jacobi()
    cost["of"] = lambda count: count
    assert tune.fastest(SYSTEM, tune.candidates(SYSTEM)) == Sequential(cached=True)
    assert len(tune.race(SYSTEM, tune.candidates(SYSTEM), uses=0)) == 1, "where a race can save nothing, it ends"
    assert len(tune.race(SYSTEM, tune.candidates(SYSTEM), uses=10**9)) > 1
    assert tune.fastest(SYSTEM, tune.candidates(SYSTEM), uses=0) == Sequential(cached=True)


def test_all_candidates_run_for_about_the_same_time_and_the_best_comes_first(cost):
    cost["of"] = lambda count: 1 + 0.1 * count
    trials = tune.race(SYSTEM, tune.candidates(SYSTEM), share=0.5)
    assert [trial.rate for trial in trials] == sorted((trial.rate for trial in trials), reverse=True)
    assert {type(trial.solver) for trial in trials} == {Sequential, Jacobi, GSJacobi, JacobiGS}
    budget = 0.5 * N * 1.1
    for trial in trials:
        step = (1 + 0.1 * trial.solver.schedule(N).count) * trial.solver.schedule(N).block
        whole = trial.certified == N  # or else it ran as many iterations as fit
        assert whole or abs(trial.seconds - max(step, budget)) <= step / 2 + 1e-6
        solution = solve(SYSTEM, trial.solver, max_iterations=round(trial.seconds / step))
        assert trial.certified == float(solution.certified.mean())


def test_a_race_begins_where_the_solve_would(cost):
    system = zoo.chain(batch=3, row_length=3)
    assert tune.fastest(system, tune.candidates(system)) != Jacobi()  # nothing is gained by looking ahead
    assert tune.race(system, tune.candidates(system), x0=zoo.in_order(system))[0].certified == N
    assert isinstance(tune.fastest(system, tune.windows(system), RowAbove()), GSJacobi)


def test_who_leads_at_the_beginning_must_win_the_whole(cost):
    """No block of the first half needs another; each of the second half needs the one before it."""
    size = 64
    weights = jnp.eye(size, k=-1) * (jnp.arange(size) >= size // 2)[:, None]
    system = zoo.Weighted(weights, jnp.ones((1, size)))
    cost["of"] = lambda count: 1 + 0.02 * count
    solvers = [Sequential(cached=True), Jacobi()]
    assert tune.race(system, solvers)[0].solver == Jacobi()
    assert tune.fastest(system, solvers) == Sequential(cached=True)
    cost["of"] = lambda count: 1 + 0.01 * count
    assert tune.fastest(system, solvers) == Jacobi()


def test_candidates_are_those_that_a_system_can_gain_by():
    windows = [GSJacobi(3), GSJacobi(6)]
    assert tune.windows(SYSTEM) == windows
    assert [*tune.candidates(SYSTEM)] == [Sequential(cached=True), Jacobi(), *windows, JacobiGS(3)]
    without = zoo.whole_numbers(1, row_length=3, has_windows=False)
    assert [*tune.candidates(without)] == [Sequential(cached=True), Jacobi()]
    assert tune.windows(zoo.whole_numbers(1, size=3, row_length=3)) == [GSJacobi(3)]  # a single row
    assert tune.windows(zoo.whole_numbers(1, row_length=6)) == [GSJacobi(3), GSJacobi(6)]  # half a row


@pytest.mark.parametrize(("size", "row"), [(10, 4), (8, 8), (6, 12), (1, 1), (7, 2), (0, 1)])
def test_no_candidate_is_one_that_the_size_forbids_or_another_by_another_name(size, row):
    system = zoo.unconnected(size=size, row_length=row)
    schedules = [schedule_of(solver, size) for solver in tune.candidates(system)]
    behaviour = {(1, 1) if schedule.count == 1 else (schedule.window, schedule.block) for schedule in schedules}
    assert len(behaviour) == len(schedules) or size <= 1
    assert all(schedule_of(solver, size).window <= size for solver in tune.windows(system))


def test_solvers_by_name_count_windows_in_rows_and_are_told_by_the_same_names():
    named = [Sequential(), Sequential(cached=True), Jacobi(), GSJacobi(6), JacobiGS(3)]
    assert [solver_by_name(name, SYSTEM) for name in CLASSES] == named
    assert solver_by_name("gs_jacobi", SYSTEM, window=3, together=True) == GSJacobi(9, together=True)
    assert solver_by_name("gs_jacobi", SYSTEM, window="5 blocks") == GSJacobi(5)
    assert solver_by_name("jacobi_gs", SYSTEM, block=6) == JacobiGS(6)
    assert entry_of(GSJacobi(5), SYSTEM) == {"solver": "gs_jacobi", "window": "5 blocks"}
    for solver in (*named, GSJacobi(5), GSJacobi(3, together=True)):
        entry = entry_of(solver, SYSTEM)
        assert solver_by_name(entry.pop("solver"), SYSTEM, **entry) == solver
    windows = [label_of(GSJacobi(width), SYSTEM) for width in (3, 6, 5)]
    assert windows == [f"gs_jacobi (window {name})" for name in ("1 row", "2 rows", "5 blocks")]
    assert label_of(Jacobi(), SYSTEM) == "jacobi"
    assert solver_by_name("gs_jacobi", SYSTEM, "auto") in tune.windows(SYSTEM)
    assert solve(SYSTEM, solver_by_name("auto", SYSTEM)).exact
    assert all(is_chosen(*one) for one in [("auto", None), ("gs_jacobi", "auto")])
    assert not any(is_chosen(*one) for one in [("jacobi", None), ("gs_jacobi", 3)])
