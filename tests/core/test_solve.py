"""solve(): every solver gives the sequential answer, and says truly how much of it is certain."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from ffc import Exact, FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, Status, Tolerance, Trace, solve
from ffc.core.history import in_order
from ffc.core.named import FIXED, entry_of, solver_by_name

N = 12
SOLVERS = [
    Sequential(),
    Sequential(cached=True),
    Jacobi(),
    GSJacobi(5),
    GSJacobi(5, cached=False),
    GSJacobi(N),
    JacobiGS(4),
    JacobiGS(4, cached=False),
    JacobiGS(N),
]
SYSTEMS = {
    "chain": zoo.chain(3),
    "unconnected": zoo.unconnected(3),
    "sparse": zoo.whole_numbers(1, density=0.1),
    "dense": zoo.whole_numbers(2, density=1.0),
    "no windows": zoo.whole_numbers(3, has_windows=False),
    "rows of three": zoo.whole_numbers(4, row_length=3),
    "windows in lockstep": zoo.lockstep(5, density=0.1),
}
systems = st.builds(zoo.whole_numbers, seed=st.integers(0, 10**6), density=st.sampled_from([0.05, 0.2, 0.5, 1.0]))
few = settings(max_examples=12, deadline=None, derandomize=True, database=None)
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=str)


def truth(value, answer) -> np.ndarray:
    """[batch] how many leading blocks of `value` are the sequential answer's."""
    return np.cumprod(np.asarray(value) == answer, axis=1).sum(axis=1)


@each_solver
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_solver_gives_the_sequential_answer(name, solver):
    system = SYSTEMS[name]
    solution = solve(system, solver)
    np.testing.assert_array_equal(solution.value, zoo.in_order(system))
    assert solution.exact
    assert np.asarray(solution.certified).tolist() == [N] * 3


@each_solver
@few
@given(system=systems)
def test_property_sequential_answer_bit_for_bit_within_n_iterations(solver, system):
    solution = solve(system, solver)
    np.testing.assert_array_equal(solution.value, zoo.in_order(system))
    assert solution.exact
    bound = N // solver.block if isinstance(solver, JacobiGS) else N
    assert np.all(np.asarray(solution.iterations) <= bound)


@pytest.mark.parametrize("solver", [Sequential(cached=True), Jacobi(), GSJacobi(5), JacobiGS(4)], ids=str)
@settings(few, max_examples=4)
@given(system=systems)
def test_property_certified_prefix_grows_and_is_never_longer_than_the_truth(solver, system):
    answer, before = zoo.in_order(system), np.zeros(3, int)
    for limit in (0, 1, 2, 3, 5, 8, N):
        solution = solve(system, solver, Exact(max_iterations=limit))
        certified = np.asarray(solution.certified)
        assert np.all(certified >= before)
        assert np.all(certified <= truth(solution.value, answer))
        assert np.all(np.asarray(solution.iterations) <= limit)
        assert set(solution.status) <= {Status.CERTIFIED, Status.ITERATION_LIMIT}
        before = certified
    assert solution.exact


@each_solver
@settings(few, max_examples=3)
@given(system=systems)
def test_property_a_sample_knows_nothing_of_its_batch(solver, system):
    together = solve(system, solver)
    for b in range(3):
        alone = solve(replace(system, u=system.u[b : b + 1]), solver)
        np.testing.assert_array_equal(alone.value[0], together.value[b])
        assert alone.iterations[0] == together.iterations[b]


@each_solver
def test_a_finished_sample_does_not_change(solver):
    system = zoo.whole_numbers(5)
    system = replace(system, u=system.u.at[0].set(0))  # solved by the first guess
    solution = solve(system, solver, trace=Trace(zoo.in_order(system), N, tuple(range(N + 1))))
    for b, iterations in enumerate(np.asarray(solution.iterations)):
        for later in range(iterations, N + 1):
            np.testing.assert_array_equal(solution.history.snapshots[later, b], solution.value[b])


def test_iterations_of_the_best_and_worst_case():
    assert np.asarray(solve(zoo.chain(), Jacobi()).iterations).tolist() == [N, N]
    assert np.asarray(solve(zoo.unconnected(), Jacobi()).iterations).tolist() == [2, 2]
    assert solve(zoo.chain(), JacobiGS(4)).evaluations == N
    assert solve(zoo.chain(), Sequential()).evaluations == N


@pytest.mark.parametrize("solver", [Sequential(), Jacobi(), GSJacobi(5), JacobiGS(4)], ids=str)
def test_a_smooth_system_agrees_with_double_precision(solver):
    system = zoo.tanh(0)
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_array_equal(solution.value, solve(system, Sequential()).value)
    np.testing.assert_allclose(solution.value, zoo.tanh_in_order(system), atol=1e-6)


@pytest.mark.parametrize("solver", [Sequential(), Jacobi(), JacobiGS(1), JacobiGS(5)], ids=str)
def test_a_state_of_several_arrays(solver):
    u = np.array([1.0, 4.0], np.float32)
    solution = solve(zoo.TwoLeaves(jnp.asarray(u)), solver)
    assert solution.exact
    for b, noise in enumerate(u):
        for leaf, values in zoo.two_leaves_in_order(noise).items():
            np.testing.assert_array_equal(solution.value[leaf][b], values)


@each_solver
def test_a_value_that_is_not_finite_stops_its_sample_only(solver):
    sound = zoo.whole_numbers(6)
    breaks = np.array([-1, 7, 0], np.int32)
    solution = solve(zoo.Breaking(sound.weights, sound.u, breaks=jnp.asarray(breaks)), solver)
    answer, value, certified = zoo.in_order(sound), np.asarray(solution.value), np.asarray(solution.certified)
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE, Status.NOT_FINITE]
    assert np.all(np.isfinite(value))
    np.testing.assert_array_equal(value[0], answer[0])
    assert np.all(certified <= np.where(breaks < 0, N, breaks))
    assert np.all(certified <= truth(value, answer))
    assert np.all(value[2] == 0)  # nothing is certain: the first guess
    assert not solution.exact
    assert "1 of 3 samples certified" in solution.message
    if isinstance(solver, Sequential):
        assert certified.tolist() == [N, 7, 0]


def test_tolerance_ends_earlier_near_the_answer_and_claims_no_more_than_is_exact():
    system = zoo.tanh(1)
    exact, near = solve(system, Jacobi()), solve(system, Jacobi(), Tolerance(1e-2))
    assert Status.WITHIN_TOLERANCE in near.status
    assert np.all(np.asarray(near.iterations) < np.asarray(exact.iterations))
    assert np.all(np.asarray(near.certified) <= truth(near.value, np.asarray(exact.value)))
    assert not near.exact
    np.testing.assert_allclose(near.value, exact.value, atol=0.05)


@pytest.mark.parametrize("solver", [Jacobi(), GSJacobi(5), JacobiGS(4)], ids=str)
def test_tolerance_zero_is_exact(solver):
    system = zoo.whole_numbers(7)
    exact, zero = solve(system, solver), solve(system, solver, Tolerance(0.0))
    assert zero.exact
    np.testing.assert_array_equal(zero.value, exact.value)
    np.testing.assert_array_equal(zero.iterations, exact.iterations)


def test_error_curves_are_those_of_the_iterates():
    system = zoo.whole_numbers(8)
    answer, length = zoo.in_order(system), N + 3
    iterates = [np.zeros_like(answer)]
    for _ in range(length):
        iterates.append(np.mod(np.asarray(system.u) + iterates[-1] @ np.asarray(system.weights).T, 7))
    iterates = np.array(iterates)
    shown = (0, 1, 3, length)
    history = solve(system, Jacobi(), trace=Trace(answer, length, shown)).history
    np.testing.assert_allclose(history.l2, np.linalg.norm(iterates - answer, axis=2), rtol=1e-6)
    np.testing.assert_array_equal(history.largest, np.abs(iterates - answer).max(axis=2))
    steps = np.linalg.norm(np.diff(iterates, axis=0), axis=2)
    np.testing.assert_allclose(history.change, np.concatenate([np.zeros((1, 3)), steps]), rtol=1e-6)
    np.testing.assert_array_equal(history.snapshots, iterates[list(shown)])


@pytest.mark.parametrize("solver", [Sequential(), Jacobi(), GSJacobi(5), JacobiGS(3)], ids=str)
def test_a_trace_tells_what_was_certified_after_each_iteration(solver):
    system = zoo.whole_numbers(8)
    history = solve(system, solver, trace=Trace(zoo.in_order(system), N + 2)).history
    for k in range(N + 3):
        np.testing.assert_array_equal(history.certified[k], solve(system, solver, Exact(k)).certified if k else 0)


@pytest.mark.parametrize("cached", [False, True])
def test_curves_of_a_sequential_solve_follow_from_its_answer(cached):
    system = zoo.whole_numbers(3)
    first, trace = jnp.full_like(system.u, 3), Trace(zoo.in_order(system), system.size, (0, 1, 5, N, N + 3))
    kept = solve(system, Sequential(cached=cached), trace=trace, guess=first).history
    jax.tree.map(np.testing.assert_array_equal, in_order(first, trace), kept)


def test_a_trace_does_not_change_the_solution():
    system = zoo.whole_numbers(9)
    plain, traced = solve(system, GSJacobi(5)), solve(system, GSJacobi(5), trace=Trace(zoo.in_order(system), 2))
    np.testing.assert_array_equal(traced.value, plain.value)
    np.testing.assert_array_equal(traced.iterations, plain.iterations)
    assert plain.history is None


def test_one_compilation_serves_all_noise():
    traces = []

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Counted(zoo.WholeNumbers):
        def sweep(self, x):
            traces.append(x)
            return super().sweep(x)

    draws = [zoo.whole_numbers(seed) for seed in range(3)]
    solve(Counted(draws[0].weights, draws[0].u), Jacobi())
    once = len(traces)
    assert once > 0
    for draw in draws[1:]:
        np.testing.assert_array_equal(solve(Counted(draw.weights, draw.u), Jacobi()).value, zoo.in_order(draw))
    assert len(traces) == once


@pytest.mark.parametrize("solver", [GSJacobi(0), GSJacobi(N + 1), JacobiGS(0), JacobiGS(5), JacobiGS(2 * N)], ids=str)
def test_a_solver_that_does_not_fit_is_refused(solver):
    with pytest.raises(FFCError, match=f"{N}"):
        solve(zoo.chain(), solver)


def test_solvers_by_name_count_windows_in_groups():
    system = zoo.whole_numbers(0, row_length=3)
    assert [solver_by_name(name, system) for name in FIXED] == [
        Sequential(),
        Sequential(cached=True),
        Jacobi(),
        GSJacobi(6),
        JacobiGS(3),
    ]
    assert solver_by_name("gs_jacobi", system, window=3) == GSJacobi(9)
    assert solver_by_name("gs_jacobi", system, window="5 blocks") == GSJacobi(5)
    assert entry_of(GSJacobi(5), system) == {"solver": "gs_jacobi", "window": "5 blocks"}
    assert solver_by_name("jacobi_gs", system, block=6) == JacobiGS(6)
    for solver in SOLVERS[:4]:
        entry = entry_of(solver, zoo.whole_numbers(0))
        assert solver_by_name(entry.pop("solver"), zoo.whole_numbers(0), **entry) == solver


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "newton"}, "expected one of sequential"),
        ({"name": "gs_jacobi", "window": 5}, "give 1 … 4"),
        ({"name": "gs_jacobi", "window": 0}, "give 1 … 4"),
        ({"name": "gs_jacobi", "window": "13 blocks"}, "4 rows of 3 blocks"),
        ({"name": "gs_jacobi", "window": "2 rows"}, "'N blocks', or auto"),
        ({"name": "jacobi_gs", "block": 5}, "does not divide"),
        ({"name": "jacobi_gs", "block": 0}, "does not divide"),
    ],
)
def test_names_and_sizes_that_do_not_fit_are_refused(options, expected):
    with pytest.raises(FFCError, match=expected):
        solver_by_name(system=zoo.whole_numbers(0, row_length=3), **options)
