"""First guesses: they change how long a solve takes, and no bit of what it certifies."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from ffc import Exact, FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Trace, solve
from ffc.models.guess import NAMES, guess_by_name
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP

N = 12
SOLVERS = [
    Sequential(),
    Sequential(cached=True),
    Jacobi(),
    GSJacobi(6),
    GSJacobi(6, cached=False),
    GSJacobi(5),
    JacobiGS(4),
]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=str)


def guesses(system, seed):
    """One for each way to be wrong, or right."""
    answer = jnp.asarray(zoo.in_order(system))
    wild = jnp.asarray(np.random.default_rng(seed).integers(0, 7, answer.shape), jnp.float32)
    return [wild, answer, answer.at[:, N // 2].add(1), RowAbove()]


@each_solver
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**6), density=st.sampled_from([0.1, 0.5]))
def test_property_every_guess_leads_to_the_sequential_answer(solver, seed, density):
    system = zoo.whole_numbers(seed, density=density, row_length=3)
    for guess in guesses(system, seed):
        solution = solve(system, solver, guess=guess)
        np.testing.assert_array_equal(solution.value, zoo.in_order(system))
        assert solution.exact


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Keeping(zoo.WholeNumbers):
    """Its cache begins as arrays that are the caller's own, one of them twice."""

    def init_cache(self, x):
        return x, self.u, self.u

    def window(self, cache, x, start, count, stride):
        return super().window(0, x, start, count, stride)[0], cache


def test_a_solve_leaves_the_callers_arrays_alone():
    floats = zoo.whole_numbers(5)
    system = Keeping(floats.weights.astype(jnp.int32), floats.u.astype(jnp.int32))
    guess = jnp.full_like(system.u, 2)
    for _ in range(2):
        np.testing.assert_array_equal(solve(system, GSJacobi(4), guess=guess).value, zoo.in_order(system))


def test_the_answer_as_a_guess_is_certified_in_one_iteration():
    system = zoo.chain()
    assert solve(system, Jacobi(), guess=zoo.in_order(system)).iterations.tolist() == [1, 1]
    assert solve(system, GSJacobi(6), guess=zoo.in_order(system)).iterations.tolist() == [2, 2]


def test_what_is_not_certified_of_a_broken_sample_is_the_guess():
    sound = zoo.whole_numbers(6)
    system = zoo.Breaking(sound.weights, sound.u, breaks=jnp.array([-1, 7, 0]))
    solution = solve(system, Jacobi(), guess=jnp.full((3, N), 5.0))
    for value, answer, certified in zip(solution.value, zoo.in_order(sound), solution.certified, strict=True):
        np.testing.assert_array_equal(value, np.where(np.arange(N) < certified, answer, 5))


def test_error_curves_begin_at_the_guess():
    system = zoo.whole_numbers(8)
    answer, guess = zoo.in_order(system), np.ones((3, N), np.float32)
    history = solve(system, Jacobi(), Exact(), Trace(answer, 3, (0,)), guess).history
    np.testing.assert_allclose(history.l2[0], np.linalg.norm(guess - answer, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(history.snapshots[0], guess)


@pytest.mark.parametrize("cached", [True, False])
def test_a_row_that_a_window_meets_begins_as_the_row_above(cached):
    """Every row equals the one above it, so that windows of one row guess it."""
    system = zoo.WholeNumbers(jnp.eye(N, k=-3), jnp.zeros((2, N)), row_length=3)
    above = solve(system, GSJacobi(3, cached), trace=Trace(jnp.zeros((2, N)), N, tuple(range(N + 1))), guess=RowAbove())
    assert above.iterations.tolist() == [4, 4]  # all rows are equal: one look at each is enough
    different = zoo.WholeNumbers(jnp.eye(N, k=-3), jnp.zeros((2, N)).at[0, :3].set(1), row_length=3)
    assert solve(different, GSJacobi(3, cached), guess=RowAbove()).iterations.tolist() == [5, 4]
    assert solve(different, GSJacobi(3, cached)).iterations.tolist() == [8, 4]


def test_a_guess_of_another_shape_is_refused():
    with pytest.raises(FFCError, match=r"guess: it has the shape \(3, 11\); a state of this system has \(3, 12\)"):
        solve(zoo.chain(3), Jacobi(), guess=np.zeros((3, 11)))
    with pytest.raises(FFCError, match="guess: it has the shape"):
        solve(zoo.TwoLeaves(jnp.ones(2)), Jacobi(), guess=np.zeros((2, 5)))


def test_moving_rows_mean_nothing_to_a_state_of_several_arrays():
    system = zoo.TwoLeaves(jnp.array([1.0, 4.0]))
    solution = solve(system, GSJacobi(2), guess=RowAbove())
    np.testing.assert_array_equal(solution.value["b"][1], zoo.two_leaves_in_order(4.0)["b"])


MODELS = {
    "pixelcnnpp": PixelCNNPP((8, 4, 1), filters=4, resnets=0, mixtures=3),
    "made": MADE((3, 4, 1), hidden=(16, 16)),
}


@pytest.mark.parametrize(
    ("name", "solvers"),
    [
        ("made", (Jacobi(), GSJacobi(8), Sequential(cached=True))),
        ("pixelcnnpp", (GSJacobi(8),)),
        pytest.param("pixelcnnpp", (Jacobi(), Sequential(cached=True)), marks=pytest.mark.stress),
    ],
)
def test_samplers_give_the_same_bits_from_every_named_guess(name, solvers):
    """In 8 bits: the last bits of a real number may depend on where a window begins, and so on the guess."""
    model = MODELS[name]
    weights, noise = jax.random.split(jax.random.key(0))
    options = {"quantize": "8bit"} if name == "pixelcnnpp" else {}
    system = model.system(jax.jit(model.init)(weights), model.noise(noise, 2), **options)
    for solver in solvers:
        answer = solve(system, solver)
        drafted = solve(system, solver, guess=model.state(model.samples(answer.value)))
        others = [solve(system, solver, guess=guess_by_name(guess, model, system)) for guess in NAMES]
        for solution in (drafted, *others):
            assert solution.exact
            np.testing.assert_array_equal(solution.value, answer.value)


@pytest.mark.parametrize("name", MODELS)
def test_black_is_black(name):
    model = MODELS[name]
    system = model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(1), 2))
    state = guess_by_name("black", model, system)
    np.testing.assert_allclose(model.pictures(model.samples(state)), 0, atol=1e-6)


@pytest.mark.parametrize("coupling", ["gumbel", "inverse_cdf"])
def test_the_mean_is_what_the_model_expects_whatever_the_noise(coupling):
    model = MODELS["pixelcnnpp"]
    params = model.init(jax.random.key(0))
    params["nin_0"]["WNDense_0"]["bias"] = jnp.array(
        [9.0, 0, 0] + [0.25, -0.5, 0.5] + [-3.0] * 3
    )  # the first component
    params["nin_0"]["WNDense_0"]["weight_g"] *= 0
    for seed in range(2):
        system = model.system(params, model.noise(jax.random.key(seed), 2), coupling=coupling)
        np.testing.assert_allclose(guess_by_name("mean", model, system), 0.25, atol=1e-3)
    made = MODELS["made"]
    system = made.system(made.init(jax.random.key(0)), made.noise(jax.random.key(1), 2))
    outputs = made.mean_and_log_scale(made.init(jax.random.key(0)), jnp.zeros((2, 12)))  # means, then log-scales
    np.testing.assert_allclose(guess_by_name("mean", made, system), outputs[:, :12], atol=1e-6)


def test_an_unknown_guess_is_refused():
    with pytest.raises(FFCError, match="guess 'white': expected one of zeros, black, mean, row_above"):
        guess_by_name("white", MODELS["made"], zoo.chain())
