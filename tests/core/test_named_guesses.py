"""First guesses by name: the answer is the same to the bit, and `mean` is what the model expects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, solve
from ffc.core.keys import key_of
from ffc.models.guess import NAMES, guess_by_name
from ffc.models.made import MADE


def test_the_answer_is_the_same_from_every_named_guess():
    model = MADE((3, 4, 1), hidden=(16, 16))
    params, u = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    system = model.system(params, u)
    guesses = {name: guess_by_name(name, model, system) for name in NAMES}
    answer, *others = (solve(system, GSJacobi(8), x0=guess) for guess in guesses.values())
    for solution in others:
        assert solution.exact
        np.testing.assert_array_equal(solution.value, answer.value)
    expected = model.mean_and_log_scale(params, jnp.zeros_like(u))[:, : model.size]
    np.testing.assert_allclose(guesses["mean"], expected, atol=1e-6)
    samples = model.state(model.samples(answer.value))
    np.testing.assert_array_equal(solve(system, GSJacobi(8), x0=samples).value, answer.value)
    with pytest.raises(FFCError, match="guess 'white': expected one of zeros, black, mean, row_above"):
        guess_by_name("white", model, system)
