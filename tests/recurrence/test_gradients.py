"""Gradients through a recurrence are those of backpropagation through a scan, whichever way the states were found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recurrences import RECURRENCES, cells, gated, jacobian, tanh

from ffc import GSJacobi, Jacobi, solve
from ffc.recurrence import Chunks, Newton, QuasiNewton, Recurrence
from ffc.recurrence.drafts import At

ROUNDING = {"atol": 1e-6, "rtol": 1e-6}
DRAFTED = [Newton(chunk=7), Newton(damping=1.0), QuasiNewton()]


def by(solver):
    return lambda recurrence: solve(recurrence, solver, **ROUNDING).value


def in_chunks(recurrence):
    chunks = Chunks(recurrence, 7, 7)
    return chunks.states(solve(chunks, Jacobi(), **ROUNDING))


def loss(states):
    return jnp.mean(jnp.sin(3 * states) * jnp.cos(jnp.arange(states.size)).reshape(states.shape))


def gradients(recurrence, states_of, scales=(1.0,)):
    """By weights, inputs and start, as far as they are floating-point: of the loss times each of `scales`, over it."""

    def of(moving, scale):
        complete = [one if one is not None else leaf for one, leaf in zip(moving, leaves, strict=True)]
        return scale * loss(states_of(jax.tree.unflatten(tree, complete)))

    leaves, tree = jax.tree.flatten(recurrence)
    moving = [leaf if jnp.issubdtype(leaf.dtype, jnp.floating) else None for leaf in leaves]
    program = jax.jit(jax.grad(of))
    return [one / scale for scale in scales for one in jax.tree.leaves(program(moving, scale))]


def assert_gradients(recurrence, way, scales=(1.0,)):
    """Those of JAX through its scan, to 10⁻⁵ of each array's largest entry."""
    expected = gradients(recurrence, Recurrence.in_order)
    for one, other in zip(gradients(recurrence, way, scales), expected * len(scales), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("way", [by(Jacobi()), *(by(Jacobi(draft=d)) for d in DRAFTED), by(GSJacobi(5)), in_chunks])
def test_gradients_are_those_of_backpropagation(way):
    assert_gradients(gated(), way)


@pytest.mark.parametrize("name", ["memory", "space"])
def test_they_are_for_states_of_any_structure_and_losses_of_any_size(name):
    assert_gradients(RECURRENCES[name](), by(Jacobi(draft=Newton())), (1.0, 1e-20, 1e10))


def test_inputs_and_weights_that_are_no_numbers_are_no_obstacle():
    assert_gradients(cells(), by(Jacobi(draft=Newton())))


def test_a_known_jacobian_is_transposed_for_the_adjoints():
    """Else they would be found all the same, in more iterations."""
    weights = 0.5 * jax.random.normal(jax.random.key(0), (3, 3))
    recurrence = Recurrence(tanh, weights, jax.random.normal(jax.random.key(1), (2, 12, 3)), jnp.zeros((2, 3)))
    draft = Newton(jacobian=jacobian)
    assert_gradients(recurrence, by(Jacobi(draft=draft)))
    at = At(jnp.ones((1, 3)), jnp.ones((1, 3)), None)
    tangent, adjoint = (draft.linear(transposed).jacobian(weights, None, at)[0] for transposed in (False, True))
    np.testing.assert_array_equal(adjoint, tangent.T)


def test_forward_and_second_derivatives_are_those_of_the_scan():
    recurrence = gated()

    def of_start(states_of):
        return lambda start: loss(states_of(Recurrence(recurrence.step, recurrence.weights, recurrence.inputs, start)))

    def both(states_of):
        value = of_start(states_of)

        def program(start, direction):
            return jax.jvp(value, (start,), (direction,))[1], jax.jvp(jax.grad(value), (start,), (direction,))[1]

        return jax.jit(program)(recurrence.start, jnp.ones_like(recurrence.start))

    found, expected = both(by(Jacobi(draft=Newton()))), both(Recurrence.in_order)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * np.abs(other).max())


def test_where_states_are_not_finite_the_loss_and_its_gradient_are_not():
    """Neither is a number that only looks right, however the method ended."""

    def of(start):
        recurrence = Recurrence(lambda w, x, u: x * x + u, (), jnp.zeros((1, 20, 1)), start[None, None])
        return jnp.sum(solve(recurrence, Jacobi(draft=Newton()), **ROUNDING).value ** 2)

    assert not np.isfinite(jax.grad(of)(10.0))
