"""Gradients through a recurrence are those of backpropagation through a scan, whichever way the states were found."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import RECURRENCES, jacobian, square
from zoo import assert_close

from ffc import Jacobi, solve
from ffc.recurrence import Chunks, Newton, QuasiNewton, Recurrence
from ffc.recurrence.drafts import At

ROUNDING = {"atol": 1e-6, "rtol": 1e-6}


def by(draft):
    return lambda recurrence: solve(recurrence, Jacobi(draft=draft), **ROUNDING).value


def in_chunks(recurrence):
    chunks = Chunks(recurrence, 7, 7)
    return chunks.states(solve(chunks, Jacobi(), **ROUNDING))


def loss(states):
    return jnp.mean(jnp.sin(3 * states) * jnp.cos(jnp.arange(states.size)).reshape(states.shape))


def gradients(recurrence, states_of, scales=(1.0,)):
    """By weights, inputs and start: of the loss times each of `scales`, over it."""

    def of(leaves, scale):
        return scale * loss(states_of(jax.tree.unflatten(tree, leaves)))

    leaves, tree = jax.tree.flatten(recurrence)
    program = jax.jit(jax.grad(of))
    return [one / scale for scale in scales for one in program(leaves, scale)]


@functools.cache
def expected(name):
    return gradients(RECURRENCES[name](), Recurrence.in_order)


@pytest.mark.parametrize("way", [by(Newton(chunk=7, damping=1.0)), by(QuasiNewton()), in_chunks])
def test_gradients_are_those_of_backpropagation(way):
    assert_close(gradients(RECURRENCES["gated"](), way), expected("gated"))


def test_they_are_for_states_of_several_arrays_and_losses_of_any_size():
    found = gradients(RECURRENCES["memory"](), by(Newton(chunk=7)), (1.0, 1e-20, 1e10))
    assert_close(found, expected("memory") * 3)


def test_a_known_jacobian_is_transposed_for_the_adjoints():
    """Else they would be found all the same, in more iterations."""
    draft = Newton(chunk=7, jacobian=jacobian)
    assert_close(gradients(RECURRENCES["tanh"](), by(draft)), expected("tanh"))
    at = At(jnp.ones((1, 3)), jnp.ones((1, 3)), None)
    weights = 0.5 * jax.random.normal(jax.random.key(0), (3, 3))
    tangent, adjoint = (draft.linear(transposed).jacobian(weights, None, at)[0] for transposed in (False, True))
    np.testing.assert_array_equal(adjoint, tangent.T)


def test_forward_and_second_derivatives_are_those_of_the_scan():
    recurrence = RECURRENCES["tanh"]()

    def both(states_of):
        def value(start):
            return loss(states_of(Recurrence(recurrence.step, recurrence.weights, recurrence.inputs, start)))

        def program(start, direction):
            return jax.jvp(value, (start,), (direction,))[1], jax.jvp(jax.grad(value), (start,), (direction,))[1]

        return jax.jit(program)(recurrence.start, jnp.ones_like(recurrence.start))

    assert_close(both(by(Newton(chunk=7))), both(Recurrence.in_order), 2e-5)


def test_where_states_are_not_finite_the_loss_and_its_gradient_are_not():
    """Neither is a number that only looks right, however the method ended."""

    def of(start):
        recurrence = Recurrence(square, (), jnp.zeros((1, 20, 1)), start[None, None])
        return jnp.sum(by(Newton(chunk=7))(recurrence) ** 2)

    assert not np.isfinite(jax.jit(jax.grad(of))(10.0))
