"""Drafts: whatever they say, the answer is the sequential one, after N iterations at most."""

from dataclasses import dataclass, replace

import drafting
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from ffc import (
    Draft,
    Exact,
    FFCError,
    GSJacobi,
    Jacobi,
    JacobiGS,
    RowAbove,
    Sequential,
    Status,
    Tolerance,
    Trace,
    solve,
)

N = 12
# The same programs serve all weights and all numbers; what is static makes one of its own.
KINDS = {
    "everything": (Jacobi(), {}),
    "a window": (GSJacobi(5), {}),
    "a window, by sweeps": (GSJacobi(5, cached=False), {}),
    "in a row": (GSJacobi(2), {"row_length": 4}),
    "rows": (GSJacobi(8), {"row_length": 4}),
}
few = settings(max_examples=3, deadline=None, derandomize=True, database=None)
each_kind = pytest.mark.parametrize("kind", KINDS)


def wrong(system):
    """Drafts that are wrong in every way, for `system`."""
    answer = jnp.asarray(zoo.in_order(system))
    constants = [drafting.Constant(jnp.float32(value)) for value in (3.0, jnp.nan, -jnp.inf, 3e38)]
    return [*constants, drafting.Noise(), drafting.Adversary(answer)]


def assert_answer(solution, answer):
    np.testing.assert_array_equal(solution.value, answer)
    assert solution.exact
    assert np.all(np.asarray(solution.certified) == N)
    assert np.all(np.asarray(solution.iterations) <= N)


@each_kind
@few
@given(seed=st.integers(0, 10**6), density=st.sampled_from([0.1, 0.5, 1.0]))
def test_property_a_wrong_draft_changes_no_answer(kind, seed, density):
    solver, options = KINDS[kind]
    for system in (zoo.whole_numbers(seed, density=density, **options), zoo.chain(3, **options)):
        for draft in wrong(system):
            assert_answer(solve(system, replace(solver, draft=draft)), zoo.in_order(system))


@each_kind
def test_the_certified_prefix_is_never_longer_than_the_truth(kind):
    solver, options = KINDS[kind]
    system = zoo.whole_numbers(3, density=0.5, **options)
    answer = zoo.in_order(system)
    for draft in (drafting.Noise(), drafting.Adversary(jnp.asarray(answer))):
        for limit in range(N + 1):
            solution = solve(system, replace(solver, draft=draft), Exact(limit))
            truth = np.cumprod(np.asarray(solution.value) == answer, axis=1).sum(axis=1)
            certified = np.asarray(solution.certified)
            assert np.all((certified >= limit) & (certified <= truth))


@each_kind
def test_a_draft_that_says_what_was_evaluated_is_jacobi(kind):
    solver, options = KINDS[kind]
    system = zoo.whole_numbers(5, **options)
    plain, drafted = solve(system, solver), solve(system, replace(solver, draft=drafting.Same()))
    np.testing.assert_array_equal(plain.iterations, drafted.iterations)
    assert_answer(drafted, plain.value)


def test_a_draft_that_knows_spares_iterations():
    """x_i = x_{i-1} + 1: each block moves by what the one before it moved by."""
    system = zoo.chain(2, size=6)
    assert solve(system, Jacobi()).iterations.tolist() == [6, 6]
    assert solve(system, Jacobi(draft=drafting.Picard())).iterations.tolist() == [2, 2]
    assert solve(system, GSJacobi(3, draft=drafting.Picard())).iterations.tolist() == [4, 4]


def test_windows_that_march_together_take_drafts():
    system = zoo.lockstep(5, density=0.5)
    for draft in wrong(system):
        assert_answer(solve(system, GSJacobi(6, draft=draft)), zoo.in_order(system))


@pytest.mark.parametrize("solver", [Jacobi(), GSJacobi(5, cached=False)], ids=str)
def test_real_numbers_keep_their_bits(solver):
    system = zoo.tanh(0)
    answer = solve(system, Sequential()).value
    for draft in (drafting.Constant(jnp.float32(1e38)), drafting.Picard()):
        assert_answer(solve(system, replace(solver, draft=draft)), answer)


def test_a_state_of_several_arrays():
    system = zoo.TwoLeaves(jnp.array([1.0, 4.0]))
    plain = solve(system, Jacobi())
    for draft in (drafting.Constant(jnp.nan), drafting.Picard()):
        solution = solve(system, Jacobi(draft=draft))
        jax.tree.map(np.testing.assert_array_equal, solution.value, plain.value)
        assert solution.exact


@each_kind
@pytest.mark.parametrize("value", [3.0, 3e38, np.nan])
def test_a_value_that_is_not_finite_is_the_systems_own(kind, value):
    solver, options = KINDS[kind]
    sound = zoo.whole_numbers(6, **options)
    system = zoo.Breaking(sound.weights, sound.u, breaks=jnp.array([-1, 7, 0], jnp.int32), **options)
    solution = solve(system, replace(solver, draft=drafting.Constant(jnp.float32(value))))
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE, Status.NOT_FINITE]
    assert solution.certified.tolist() == [N, 7, 0]
    answer = zoo.in_order(sound)
    np.testing.assert_array_equal(solution.value[0], answer[0])
    np.testing.assert_array_equal(solution.value[1], np.where(np.arange(N) < 7, answer[1], 0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Leaky(zoo.WholeNumbers):
    """What overflows in one block is not finite in all: a product of infinity and zero."""

    def sweep(self, x):
        return super().sweep(x + 0 * x**3)

    def window(self, cache, x, start, count, stride):
        return super().window(cache, x + 0 * x**3, start, count, stride)


@pytest.mark.parametrize("solver", [Jacobi(), GSJacobi(5)], ids=str)
def test_a_sample_that_a_draft_has_spoiled_goes_on_without(solver):
    sound = zoo.chain(3)
    answer = jnp.asarray(zoo.in_order(sound))
    wild = drafting.Adversary(answer.at[1].set(1e30))
    solution = solve(Leaky(sound.weights, sound.u), replace(solver, draft=wild))
    assert_answer(solution, answer)
    assert solution.undrafted.tolist() == [False, True, False]
    assert "1 of 3 samples went on without a draft" in solution.message


def test_a_tolerance_accepts_what_was_evaluated():
    system = zoo.tanh(1)
    answer = solve(system, Jacobi()).value
    near = solve(system, Jacobi(draft=drafting.Constant(jnp.float32(9))), Tolerance(1e-3))
    assert set(near.status) <= {Status.WITHIN_TOLERANCE, Status.CERTIFIED}
    np.testing.assert_allclose(near.value, answer, atol=0.01)


@pytest.mark.parametrize("cached", [True, False])
def test_guesses_traces_and_samples_that_leave(cached):
    system = zoo.whole_numbers(4, batch=5, density=0.4, row_length=4)
    answer = zoo.in_order(system)
    solver = GSJacobi(4, cached, draft=drafting.Noise())
    assert_answer(solve(system, solver, guess=RowAbove(), retire=True), answer)
    assert_answer(solve(system, solver, guess=jnp.asarray(answer) + 1), answer)
    traced = solve(system, solver, trace=Trace(answer, N, (0, N)))
    assert_answer(traced, answer)
    np.testing.assert_array_equal(traced.history.largest[-1], 0)
    np.testing.assert_array_equal(traced.history.snapshots, [np.zeros_like(answer), answer])


def test_inside_jit_and_vmap():
    systems = [zoo.whole_numbers(seed, density=0.4) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *systems)
    drafts = drafting.Constant(jnp.float32([1, jnp.nan, 3e38]))
    solutions = jax.jit(jax.vmap(lambda system, draft: solve(system, GSJacobi(5, draft=draft))))(stacked, drafts)
    np.testing.assert_array_equal(solutions.value, np.stack([zoo.in_order(system) for system in systems]))
    assert np.all(np.asarray(solutions.iterations) <= N)


@dataclass(frozen=True)
class Unregistered(Draft):
    value: float = 0.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shorter(Draft):
    def redraft(self, system, seen):
        return seen.after[:, 1:]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Integers(Draft):
    def redraft(self, system, seen):
        return seen.after.astype(jnp.int32)


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (Shorter(), r"draft: redraft of Shorter returns float32\[3, 11\]; the window is float32\[3, 12\]"),
        (Integers(), r"draft: redraft of Integers returns int32\[3, 12\]"),
        (Unregistered(), "draft: JAX does not know the class Unregistered"),
        (drafting.Picard, "draft: <class .*Picard'> is no Draft; give an object"),
        (0.5, "draft: 0.5 is no Draft"),
    ],
)
def test_what_is_no_draft_is_refused(draft, expected):
    with pytest.raises(FFCError, match=expected):
        solve(zoo.chain(3), Jacobi(draft=draft))


@pytest.mark.parametrize(
    ("solver", "expected"),
    [
        (JacobiGS, "JacobiGS: draft is no option of it; it takes block and cached; give the draft to Jacobi or GSJ"),
        (Sequential, "Sequential: draft is no option of it; it takes cached; give the draft to Jacobi or GSJacobi"),
    ],
)
def test_solvers_without_a_draft_say_so(solver, expected):
    with pytest.raises(FFCError, match=expected):
        solver(draft=drafting.Same())
    with pytest.raises(
        FFCError, match="GSJacobi: rows is no option of it; it takes window, cached, draft and together"
    ):
        GSJacobi(rows=4)


def test_a_solver_names_its_draft():
    assert repr(GSJacobi(5)) == "GSJacobi(window=5, cached=True)"
    assert repr(GSJacobi(5, draft=drafting.Same())) == "GSJacobi(window=5, cached=True, draft=Same())"
    for solver in (Sequential, JacobiGS):
        assert "draft" not in solver.__dataclass_fields__
