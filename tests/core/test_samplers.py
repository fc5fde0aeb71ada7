"""What the core promises, of models: the same bits from any guess, samples that leave, and windows of 64-bit JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, Jacobi, Sequential, solve
from ffc.core.keys import key_of
from ffc.models.guess import NAMES, guess_by_name
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.transformer import Transformer

MODELS = {
    "made": MADE((3, 4, 1), hidden=(16, 16)),
    "pixelcnnpp": PixelCNNPP((8, 4, 1), filters=4, resnets=0, mixtures=3),
    "transformer": Transformer((1, 12, 1), levels=5, width=8, depth=1, heads=1, cheap=4),
}


def system_of(name, batch=2, seed=0, **options):
    model = MODELS[name]
    weights, noise = jax.random.split(key_of(seed))
    return model.system(jax.jit(model.init)(weights), model.noise(noise, batch), **options)


@pytest.mark.parametrize(
    ("name", "solvers"),
    [
        ("made", (GSJacobi(8), Sequential(cached=True))),
        ("pixelcnnpp", (GSJacobi(8),)),
        pytest.param("pixelcnnpp", (Jacobi(), Sequential(cached=True)), marks=pytest.mark.stress),
    ],
)
def test_samplers_give_the_same_bits_from_every_named_guess(name, solvers):
    """In 8 bits: the last bits of a real number may depend on where a window begins, and so on the guess."""
    model, system = MODELS[name], system_of(name, **({"quantize": "8bit"} if name == "pixelcnnpp" else {}))
    for solver in solvers:
        answer = solve(system, solver)
        guesses = [model.state(model.samples(answer.value)), *(guess_by_name(guess, model, system) for guess in NAMES)]
        for solution in (solve(system, solver, guess=guess) for guess in guesses):
            assert solution.exact
            np.testing.assert_array_equal(solution.value, answer.value)


@pytest.mark.parametrize("name", ["made", "pixelcnnpp"])
def test_samplers_let_their_samples_go(name):
    options, tolerance = ({"quantize": "8bit"}, 0) if name == "pixelcnnpp" else ({}, 1e-5)
    system = system_of(name, **options)
    plain, retired = solve(system, Jacobi()), solve(system, Jacobi(), retire=True)
    assert retired.exact
    np.testing.assert_allclose(retired.value, plain.value, atol=tolerance)


@pytest.mark.parametrize("name", ["made", "pixelcnnpp"])
def test_black_is_black(name):
    model = MODELS[name]
    state = guess_by_name("black", model, system_of(name))
    np.testing.assert_allclose(model.pictures(model.samples(state)), 0, atol=1e-6)


@pytest.mark.parametrize("coupling", ["gumbel", "inverse_cdf"])
def test_the_mean_is_what_the_model_expects_whatever_the_noise(coupling):
    model = MODELS["pixelcnnpp"]
    params = model.init(jax.random.key(0))
    # the first component has the weight
    params["nin_0"]["WNDense_0"]["bias"] = jnp.array([9.0, 0, 0] + [0.25, -0.5, 0.5] + [-3.0] * 3)
    params["nin_0"]["WNDense_0"]["weight_g"] *= 0
    for seed in range(2):
        system = model.system(params, model.noise(jax.random.key(seed), 2), coupling=coupling)
        np.testing.assert_allclose(guess_by_name("mean", model, system), 0.25, atol=1e-3)


def test_the_mean_of_made_is_the_one_that_its_network_says():
    made = MODELS["made"]
    params = made.init(jax.random.key(0))
    outputs = made.mean_and_log_scale(params, jnp.zeros((2, 12)))  # means, then log-scales
    system = made.system(params, made.noise(jax.random.key(1), 2))
    np.testing.assert_allclose(guess_by_name("mean", made, system), outputs[:, :12], atol=1e-6)


def test_an_unknown_guess_is_refused():
    with pytest.raises(FFCError, match="guess 'white': expected one of zeros, black, mean, row_above"):
        guess_by_name("white", MODELS["made"], system_of("made"))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_window_keeps_its_types_where_64_bits_are_enabled(name, count):
    model = MODELS[name]
    params, u = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    with jax.enable_x64(True):  # traced, and not run: an index of 64 bits is an error then
        system = model.system(params, u)
        drafted = GSJacobi(count, draft=system.draft()) if name == "transformer" else GSJacobi(count)
        solution = jax.eval_shape(lambda system: solve(system, drafted), system)
    assert solution.value.dtype == (np.int32 if name == "transformer" else np.float32)
    assert solution.iterations.dtype == np.int32
