"""verify=True: plain sweeps have the last word, whatever windows and caches made of the system."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from ffc import Exact, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Status, System, Tolerance, Trace, solve
from ffc.core.verify import verified

N = 12
SOLVERS = [Sequential(cached=True), Jacobi(), GSJacobi(5), JacobiGS(4)]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=str)
few = settings(max_examples=5, deadline=None, derandomize=True, database=None)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Cached(System):
    """`x_i = tanh(u_i + Σ_{j<i} w_ij x_j)`, rounded to eighths if `rounded`; windows keep what earlier ones found.

    A window writes that `shift` places off, and is itself off by `error`: both should be 0.
    """

    weights: jax.Array
    u: jax.Array
    rounded: bool = field(metadata={"static": True})
    shift: int = field(metadata={"static": True}, default=0)
    error: float = 0.0

    @property
    def size(self):
        return self.u.shape[1]

    @property
    def discrete(self):
        return self.rounded

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self._values(self.u + jnp.sum(self.weights * x[:, None, :], axis=2))

    def select_samples(self, index):
        return replace(self, u=self.u[index])

    def supports_window(self, count, stride):
        return stride == 1

    def init_cache(self, x):
        return x

    def window(self, cache, x, start, count, stride):
        index = start[:, None] + jnp.arange(count)
        known = jnp.where(jnp.arange(self.size) < start[:, None], cache, x)
        total = jnp.einsum("bij,bj->bi", self.weights[index], known)
        values = self._values(jnp.take_along_axis(self.u, index, axis=1) + total) + self.error
        return values, jax.vmap(lambda row, at, new: row.at[at].set(new))(cache, index + self.shift, values)

    def _values(self, total):
        return jnp.round(8 * jnp.tanh(total)) / 8 if self.rounded else jnp.tanh(total)


def cached(rounded: bool, **faults) -> Cached:
    sound = zoo.tanh(0)
    return Cached(3 * sound.weights, sound.u, rounded, **faults)


FAULTS = {"a wrong window": {"error": 0.125}, "a shifted cache": {"shift": 1}}


@each_solver
@few
@given(system=st.builds(zoo.whole_numbers, seed=st.integers(0, 10**6), density=st.sampled_from([0.1, 0.5, 1.0])))
def test_property_one_sweep_proves_a_right_answer(solver, system):
    solution = solve(system, solver, verify=True)
    np.testing.assert_array_equal(solution.value, zoo.in_order(system))
    assert solution.verification.proven.all()
    assert solution.residual.tolist() == [0] * 3
    assert solution.verification.sweeps.tolist() == [1] * 3
    assert solution.verification.corrected.tolist() == [0] * 3
    assert solution.message.endswith("; 3 of 3 samples proven to be the plain sequential answer")


@few
@given(seed=st.integers(0, 10**6), density=st.sampled_from([0.1, 0.5, 1.0]))
def test_property_any_state_is_led_to_the_plain_answer_in_n_sweeps(seed, density):
    system = zoo.whole_numbers(seed, density=density)
    wrong = jnp.asarray(np.random.default_rng(seed).integers(0, 7, (3, N)), jnp.float32)
    solution = verified(system, replace(solve(system, Jacobi()), value=wrong))
    answer = zoo.in_order(system)
    np.testing.assert_array_equal(solution.value, answer)
    assert solution.verification.proven.all()
    assert np.all(np.asarray(solution.verification.sweeps) <= N)
    np.testing.assert_array_equal(solution.verification.corrected, np.sum(answer != wrong, axis=1))


def test_the_worst_case_takes_as_many_sweeps_as_there_are_blocks():
    system = zoo.chain(2)
    right = solve(system, Jacobi())
    solution = verified(system, replace(right, value=right.value.at[1, 0].add(1).at[1, 1:].set(0)))
    np.testing.assert_array_equal(solution.value, right.value)
    assert solution.verification.sweeps.tolist() == [1, N]


@pytest.mark.parametrize("solver", [Sequential(cached=True), GSJacobi(5)], ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_discrete_windows_is_corrected_and_told(fault, solver):
    system = cached(True, **FAULTS[fault])
    plain, found = solve(system, Jacobi()).value, solve(system, solver)
    assert found.exact
    solution = solve(system, solver, verify=True)
    np.testing.assert_array_equal(solution.value, plain)
    changed = np.sum(np.asarray(found.value) != plain, axis=1)
    assert changed.sum() > 3
    np.testing.assert_array_equal(solution.verification.corrected, changed)
    assert "3 of 3 samples proven to be the plain sequential answer" in solution.message
    wrong, blocks = np.sum(changed > 0), changed.sum()
    assert (
        f"{wrong} of them corrected, as plain sweeps disagreed with the solver in {blocks} blocks" in solution.message
    )


@pytest.mark.parametrize("solver", [Sequential(cached=True), GSJacobi(5)], ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_continuous_windows_shows_in_the_residual(fault, solver):
    system = cached(False, **FAULTS[fault])
    found, solution = solve(system, solver), solve(system, solver, verify=True)
    assert found.exact
    np.testing.assert_array_equal(solution.value, found.value)
    step = np.abs(np.asarray(system.sweep(found.value)) - found.value).max(axis=1)
    np.testing.assert_allclose(solution.residual, step, atol=1e-6)
    assert np.all(step > 0.1)
    assert (
        f"3 of 3 samples measured: a plain sweep moves them by {solution.residual.max():.2g} at most"
        in solution.message
    )


@each_solver
@pytest.mark.parametrize("rounded", [False, True])
def test_sound_windows_leave_rounding_errors_alone(rounded, solver):
    system = cached(rounded)
    solution = solve(system, solver, verify=True)
    assert np.all(np.asarray(solution.residual) < 1e-6)
    if rounded or solver == Jacobi():
        assert solution.verification.proven.all()
        np.testing.assert_array_equal(solution.value, solve(system, Jacobi()).value)


@pytest.mark.parametrize("stop", [Exact(max_iterations=2), Tolerance(0.5)], ids=str)
def test_what_was_left_off_stays_and_is_measured(stop):
    system = cached(True)
    found, solution = solve(system, Jacobi(), stop), solve(system, Jacobi(), stop, verify=True)
    np.testing.assert_array_equal(solution.value, found.value)
    np.testing.assert_allclose(
        solution.residual, np.abs(np.asarray(system.sweep(found.value)) - found.value).max(axis=1)
    )
    assert not found.exact
    assert np.asarray(solution.residual).max() > 0.1
    assert np.asarray(solution.verification.proven).tolist() == (np.asarray(solution.residual) == 0).tolist()
    assert solution.verification.sweeps.tolist() == [1] * 3


def test_samples_are_verified_each_on_its_own():
    sound = zoo.whole_numbers(6)
    system = zoo.Breaking(sound.weights, sound.u, breaks=jnp.array([-1, 7, -1]))
    solution = solve(system, GSJacobi(5), verify=True)
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE, Status.CERTIFIED]
    assert solution.verification.proven.tolist() == [True, False, True]
    assert np.isnan(np.asarray(solution.residual)).tolist() == [False, True, False]
    wrong = replace(solution, value=solution.value.at[2, 3].add(1))
    np.testing.assert_array_equal(verified(system, wrong).value, solution.value)
    assert verified(system, wrong).verification.sweeps[0] == 1


def test_a_sweep_that_is_not_finite_proves_nothing_and_changes_nothing():
    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Apart(Cached):
        def sweep(self, x):
            return jnp.where(jnp.arange(N) == 4, jnp.inf, super().sweep(x))

    sound = cached(True)
    system = Apart(sound.weights, sound.u, True)
    solution = solve(system, GSJacobi(5), verify=True)
    np.testing.assert_array_equal(solution.value, solve(system, GSJacobi(5)).value)
    assert np.isinf(np.asarray(solution.residual)).all()
    assert not solution.verification.proven.any()


def test_without_it_the_message_says_so():
    solution = solve(zoo.chain(), Jacobi())
    assert solution.residual is None
    assert solution.message.endswith("; not verified")


def test_it_works_with_everything_else():
    system = zoo.whole_numbers(4, batch=2, row_length=3)
    answer = zoo.in_order(system)
    for options in ({"retire": True}, {"guess": RowAbove(), "trace": Trace(jnp.asarray(answer), N)}):
        solution = solve(system, GSJacobi(6), verify=True, **options)
        np.testing.assert_array_equal(solution.value, answer)
        assert solution.verification.proven.all()
    u = jnp.array([1.0, 4.0])
    assert solve(zoo.TwoLeaves(u), Jacobi(), verify=True).verification.proven.all()
    for shape in ((2, 0), (0, 5)):
        empty = zoo.WholeNumbers(jnp.zeros((shape[1], shape[1])), jnp.zeros(shape))
        assert solve(empty, Jacobi(), verify=True).residual.shape == shape[:1]


def test_it_works_inside_jit_vmap_and_shard_map():
    system = cached(True, shift=1)
    expected = solve(system, GSJacobi(5), verify=True)

    def run(u):
        return solve(replace(system, u=u), GSJacobi(5), verify=True)

    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = jax.sharding.PartitionSpec("samples")
    for found in (
        jax.jit(run)(system.u),
        jax.jit(jax.shard_map(run, mesh=mesh, in_specs=part, out_specs=part))(system.u),
        jax.tree.map(lambda leaf: leaf[:, 0], jax.vmap(run)(system.u[:, None])),
    ):
        np.testing.assert_allclose(found.value, expected.value, atol=1e-6)
        np.testing.assert_allclose(found.residual, expected.residual, atol=1e-6)
        np.testing.assert_array_equal(found.verification.proven, expected.verification.proven)
        assert found.message == expected.message


@pytest.mark.parametrize(
    ("dtype", "real"),
    [
        ("int8", "float32"),
        ("bool", "float32"),
        ("complex64", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
    ],
)
def test_residuals_of_any_dtype(dtype, real):
    """States of ones and zeros; the last block of sample 1 is not what a sweep makes of it."""

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Same(System):
        u: jax.Array
        size = 3

        def initial(self):
            return jnp.zeros_like(self.u)

        def sweep(self, x):
            return self.u

    u = jnp.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    solution = replace(solve(Same(u), Jacobi()), value=u.at[1, 2].set(jnp.zeros((), u.dtype)))
    found = verified(Same(u), solution)
    assert found.residual.dtype == real
    discrete = dtype in ("int8", "bool")
    assert found.residual.tolist() == [0, 0 if discrete else 1]
    assert found.verification.corrected.tolist() == [0, 1 if discrete else 0]
    np.testing.assert_array_equal(found.value, u if discrete else solution.value)


def test_real_numbers_keep_their_derivatives():
    system = zoo.tanh(0)

    def total(u, verify):
        return solve(replace(system, u=u), Jacobi(), verify=verify).value.sum()

    plain, checked = (jax.grad(total)(system.u, verify) for verify in (False, True))
    np.testing.assert_array_equal(checked, plain)
