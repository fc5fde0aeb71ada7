"""The race for the fastest solver, with a clock that counts evaluations in place of seconds."""

import jax
import numpy as np
import pytest
import zoo

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, solve
from ffc.core import measure, tune
from ffc.core.arguments import schedule_of
from ffc.core.named import solver_by_name
from ffc.models.made import MADE

N = 12


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


@pytest.fixture
def system():
    return zoo.whole_numbers(1, density=0.15, row_length=3)


def test_where_an_evaluation_costs_the_same_whatever_its_size_the_widest_wins(cost, system):
    assert tune.fastest(system, tune.candidates(system)) == Jacobi()


def test_where_every_block_costs_extra_one_after_the_other_wins(cost, system):
    cost["of"] = lambda count: count
    assert tune.fastest(system, tune.candidates(system)) == Sequential(cached=True)


def test_all_candidates_run_for_about_the_same_time_and_the_best_comes_first(cost, system):
    cost["of"] = lambda count: 1 + 0.1 * count
    trials = tune.race(system, tune.candidates(system), share=0.5)
    assert [trial.rate for trial in trials] == sorted((trial.rate for trial in trials), reverse=True)
    assert {type(trial.solver) for trial in trials} == {Sequential, Jacobi, GSJacobi, JacobiGS}
    budget = 0.5 * N * 1.1
    for trial in trials:
        step = (1 + 0.1 * trial.solver.schedule(N).count) * trial.solver.schedule(N).block
        whole = trial.certified == N  # or else it ran as many iterations as fit
        assert whole or abs(trial.seconds - max(step, budget)) <= step / 2 + 1e-6


def test_a_race_begins_where_the_solve_would(cost):
    system = zoo.chain(row_length=3)
    assert tune.fastest(system, tune.candidates(system)) != Jacobi()  # nothing is gained by looking ahead
    trials = tune.race(system, tune.candidates(system), guess=zoo.in_order(system))
    assert trials[0].certified == N
    assert isinstance(tune.fastest(system, tune.windows(system), RowAbove()), GSJacobi)


def test_candidates_are_those_that_a_system_can_gain_by(system):
    windows = [GSJacobi(3), GSJacobi(6)]
    assert tune.windows(system) == windows
    assert tune.candidates(system) == [Sequential(cached=True), Jacobi(), *windows, JacobiGS(3)]
    without = zoo.whole_numbers(1, row_length=3, has_windows=False)
    assert tune.candidates(without) == [Sequential(cached=True), Jacobi()]
    assert tune.windows(zoo.whole_numbers(1, size=3, row_length=3)) == [GSJacobi(3)]  # a single row
    assert tune.windows(zoo.whole_numbers(1, row_length=6)) == [GSJacobi(3), GSJacobi(6)]  # half a row


@pytest.mark.parametrize(("size", "row"), [(10, 4), (6, 1), (8, 8), (6, 12), (1, 1), (7, 2), (0, 1)])
def test_no_candidate_is_one_that_the_size_forbids_or_another_by_another_name(size, row):
    system = zoo.unconnected(size=size, row_length=row)
    schedules = [schedule_of(solver, size) for solver in tune.candidates(system)]
    behaviour = {(1, 1) if schedule.count == 1 else (schedule.window, schedule.block) for schedule in schedules}
    assert len(behaviour) == len(schedules) or size <= 1
    for solver in tune.windows(system):
        assert solve(system, solver).exact


def test_a_race_with_nothing_to_solve_is_refused_and_any_solver_wins():
    for system in (zoo.unconnected(batch=0), zoo.unconnected(size=0)):
        with pytest.raises(FFCError, match="no blocks or no samples"):
            tune.race(system, tune.candidates(system))
        assert tune.fastest(system, tune.candidates(system)) == Sequential(cached=True)


def test_what_is_no_solver_does_not_race(system):
    with pytest.raises(FFCError, match="'jacobi' is no solver"):
        tune.race(system, [Jacobi(), "jacobi"])


def test_a_race_without_candidates_is_refused(system):
    with pytest.raises(FFCError, match="no candidates"):
        tune.race(system, [])


@pytest.mark.parametrize(("name", "window"), [("auto", None), ("gs_jacobi", "auto")])
def test_what_is_chosen_by_name_gives_the_answer(name, window):
    model = MADE((4, 4, 1), hidden=(16, 16))
    system = model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(1), 2))
    solver = solver_by_name(name, system, window)
    if window:
        assert solver in tune.windows(system)
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_allclose(solution.value, solve(system, Sequential(cached=True)).value, atol=1e-5)
