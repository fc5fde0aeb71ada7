"""First guesses by name: the answer is the same to the bit, and `mean` is what the model expects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, solve
from ffc.core.keys import key_of
from ffc.models.guess import NAMES, guess_by_name
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP


def test_the_answer_is_the_same_from_every_named_guess():
    model = MADE((3, 4, 1), hidden=(16, 16))
    system = model.system(jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2))
    guesses = [guess_by_name(name, model, system) for name in NAMES]
    answer, *others = (solve(system, GSJacobi(8), x0=guess) for guess in guesses)
    for solution in others:
        assert solution.exact
        np.testing.assert_array_equal(solution.value, answer.value)
    samples = model.state(model.samples(answer.value))
    np.testing.assert_array_equal(solve(system, GSJacobi(8), x0=samples).value, answer.value)
    with pytest.raises(FFCError, match="guess 'white': expected one of zeros, black, mean, row_above"):
        guess_by_name("white", model, system)


@pytest.mark.parametrize("coupling", ["gumbel", "inverse_cdf"])
def test_the_mean_is_what_the_model_expects_whatever_the_noise(coupling):
    model = PixelCNNPP((4, 4, 1), filters=2, resnets=0, mixtures=3)
    params = jax.jit(model.init)(key_of(0))
    # the first component has the weight
    params["nin_0"]["WNDense_0"]["bias"] = jnp.array([9.0, 0, 0] + [0.25, -0.5, 0.5] + [-3.0] * 3)
    params["nin_0"]["WNDense_0"]["weight_g"] *= 0
    for seed in range(2):
        system = model.system(params, model.noise(key_of(seed), 2), coupling=coupling)
        np.testing.assert_allclose(guess_by_name("mean", model, system), 0.25, atol=1e-3)
