"""A recurrence that is none is refused before anything runs, in one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, solve
from ffc.recurrence import Chunks, Newton, QuasiNewton, Recurrence

ones = jnp.ones


def callback(weights, x, u):
    return jax.pure_callback(
        lambda x: np.asarray(x), jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="legacy_vectorized"
    )


def of(inputs=ones((2, 5, 3)), start=ones((2, 3)), step=lambda w, x, u: jnp.add(x, u)):  # noqa: B008 - frozen arrays
    return Recurrence(step, (), inputs, start)


def drafted(draft, recurrence):
    return lambda: solve(recurrence, Jacobi(draft=draft))


#: Each message names the argument, and says what to give.
MISTAKES = [
    (drafted(None, of(())), r"inputs: leaves of the shapes \[\]; give"),
    (drafted(None, of(ones(2))), r"inputs: leaves of the shapes \[\(2,\)\]; give"),
    (drafted(None, of((ones((2, 5, 3)), ones((2, 6, 3))))), "inputs: leaves of the shapes .* with one T"),
    (drafted(None, of(ones((2, 0, 3)))), "inputs: their length T is 0; give one time step at least"),
    (drafted(None, of(ones((4, 5, 3)))), r"inputs: batches of \[4\] samples, and start has \[2\]"),
    (drafted(None, of(start=(ones((2, 3)), ones((2, 3), int)))), "start: it holds float32 and int32; let its arrays"),
    (drafted(None, of(start=ones(2))), "start: it is float32.*; give each number of a state an axis"),
    (drafted(None, of(step=lambda w, x, u: x[..., :1])), "step: it returns .*; let it keep their structure"),
    (drafted(None, of(ones((2, 5, 4)))), "step: it fails on states .* and inputs at one time"),
    (drafted(Newton(), of(ones((2, 5, 3), int), ones((2, 3), int))), "start: states are int32, which have no der"),
    (drafted(QuasiNewton(), of(step=callback)), "step: it cannot be differentiated"),
    (lambda: solve(of(), GSJacobi(2, draft=Newton(damping=1.0))), "draft: the damping of Newton is for Jacobi"),
    (lambda: solve(Chunks(of(), 2), Jacobi(draft=Newton())), "draft: Newton is for a Recurrence; Chunks is none"),
    (lambda: solve(Chunks(of(), 1), JacobiGS(5)), "solver: JacobiGS evaluates in runs, .*give Jacobi"),
    (lambda: Chunks(of(), 3, -1), "Chunks: warmup: expected a whole number of at least 0, not -1"),
    (lambda: Newton(chunk=0), "Newton: chunk: expected a whole number of at least 1, not 0"),
    (lambda: QuasiNewton(damping=-1), "QuasiNewton: damping is -1"),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_a_mistake_is_one_sentence_that_names_it(call, message):
    with pytest.raises(FFCError, match=f"^{message}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_step_without_derivatives_and_an_empty_batch_are_no_obstacle():
    assert solve(of(step=callback), Sequential()).exact
    assert solve(of(ones((0, 5, 3)), ones((0, 3))), Jacobi(draft=Newton())).value.shape == (0, 5, 3)


def test_keys_may_be_inputs_and_arrays_of_numpy_a_start():
    keys = jax.random.split(jax.random.key(0), (2, 5))

    def step(weights, x, key):
        return 0.5 * x + jax.random.key_data(key)[..., 1:] % 7

    for way in (GSJacobi(2), Jacobi(draft=Newton())):
        assert solve(of(keys, np.zeros((2, 3)), step), way).exact
    assert solve(Chunks(of(keys, np.zeros((2, 3)), step), 2), Jacobi()).exact
