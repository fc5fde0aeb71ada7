"""Gradients through a recurrence are those of backpropagation through a scan, whichever way the states were found."""

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


WAYS = [("gated", by(QuasiNewton())), ("gated", in_chunks), ("memory", by(Newton(chunk=7, damping=1.0)))]
WAYS += [("tanh", by(Newton(chunk=7, jacobian=jacobian)))]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_gradients_are_those_of_backpropagation_for_losses_of_any_size(name, way):
    scales = (1.0, 1e-20, 1e10) if name == "memory" else (1.0,)
    recurrence = RECURRENCES[name]()
    expected = gradients(recurrence, Recurrence.in_order)
    assert_close(gradients(recurrence, way, scales), expected * len(scales))


def test_a_known_jacobian_is_transposed_for_the_adjoints():
    """Else they would be found all the same, in more iterations."""
    at = At(jnp.ones((1, 3)), jnp.ones((1, 3)), None)
    draft, weights = Newton(jacobian=jacobian), 0.5 * jax.random.normal(jax.random.key(0), (3, 3))
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
