"""Newton's method on a recurrence: all states at once, by a recurrence that is linearised around the iterate.

Each iteration solves x_{t+1} = f(h_t) + (x_t − h_t) J_t for x, where h is the iterate and J_t the step's Jacobian at
h_t; an associative scan does it. With the whole Jacobian this is DEER (Lim, Zhu, Selfridge, Kasim: Parallelizing
non-linear sequential models over the sequence length, 2024). With its diagonal alone it is quasi-DEER (Gonzalez,
Warrington, Smith, Linderman: Towards scalable and stable parallelization of nonlinear RNNs, 2024): more iterations of
less work each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solve import Tolerance, solve
from ffc.core.solvers import Jacobi
from ffc.recurrence.affine import affine_states
from ffc.recurrence.chunks import TOLERANCE
from ffc.recurrence.system import Recurrence, Step

#: Where Newton's method ends, and how many Jacobi sweeps may follow.
_NEAR, _POLISH = 1e-4, 20


class Linear(NamedTuple):
    """A step linearised around states h [..., H], as row vectors: f(h) + (x − h) J."""

    value: jax.Array  # [..., H], f(h)
    product: jax.Array  # [..., H], h J
    factors: Any  # what `Jacobian.matrix` makes J of; leaves have the leading axes of h


class Jacobian(NamedTuple):
    """How Newton's method finds the Jacobian of a step, or what stands for it."""

    linearise: Callable[[Any, jax.Array, Any], Linear]  # (weights, h [..., H], inputs)
    matrix: Callable[[Any, Any], jax.Array]  # (weights, factors) → J [..., H, H], or its diagonal [..., H]


class Newton(NamedTuple):
    """States that Newton's method found, and how far they can be trusted."""

    states: jax.Array  # [batch, T, H], x_1 … x_T
    status: jax.Array  # [batch] Status of the Jacobi sweeps that end it
    iterations: jax.Array  # scalar: Newton's iterations


def full_jacobian(step: Step) -> Jacobian:
    """The Jacobian of any differentiable step by H forward derivatives (JVPs): DEER."""

    def linearise(weights: Any, h: jax.Array, inputs: Any) -> Linear:
        value, product = jax.jvp(lambda x: step(weights, x, inputs), (h,), (h,))
        return Linear(value, product, (h, inputs))

    def matrix(weights: Any, factors: Any) -> jax.Array:
        h, inputs = factors
        along = jax.linearize(lambda x: step(weights, x, inputs), h)[1]
        rows = jax.vmap(lambda unit: along(jnp.broadcast_to(unit, h.shape)))(jnp.eye(h.shape[-1], dtype=h.dtype))
        return jnp.moveaxis(rows, 0, -2)  # row k is ∂f / ∂h_k

    return Jacobian(linearise, matrix)


def diagonal_jacobian(step: Step) -> Jacobian:
    """The Jacobian's diagonal alone, by H forward derivatives that are never held together: quasi-DEER."""

    def linearise(weights: Any, h: jax.Array, inputs: Any) -> Linear:
        value, along = jax.linearize(lambda x: step(weights, x, inputs), h)

        def entry(diagonal: jax.Array, unit: jax.Array):
            return diagonal + unit * along(jnp.broadcast_to(unit, h.shape)), None

        diagonal, _ = jax.lax.scan(entry, jnp.zeros_like(h), jnp.eye(h.shape[-1], dtype=h.dtype))
        return Linear(value, h * diagonal, diagonal)

    return Jacobian(linearise, lambda weights, factors: factors)


def newton_states(
    recurrence: Recurrence,
    jacobian: Jacobian | None = None,
    chunk: int | None = None,
    max_iterations: int = 100,
    tolerance: float = TOLERANCE,
) -> Newton:
    """x_1 … x_T of `recurrence` by Newton's method from states of zero, as one device program.

    The `jacobian` is `full_jacobian(recurrence.step)` unless given. Newton stops when no state is off the step of the
    one before by more than `_NEAR`; `_POLISH` Jacobi sweeps at most then take off the rounding of the linearisation,
    until none moves by more than `tolerance`. The status says where that failed, for Newton diverged, met a value that
    is not finite or reached `max_iterations`. Memory: 4·chunk·H² numbers or so, `chunk` steps being composed at a time
    (all T unless given); a few times T·H with a diagonal.
    """
    linearise, matrix = jacobian or full_jacobian(recurrence.step)

    def running(carry):
        _, residual, k = carry
        return (residual > _NEAR) & (k < max_iterations)  # NaN ends it: it is not greater

    def iterate(carry):
        states, _, k = carry
        at = linearise(recurrence.weights, recurrence.before(states), recurrence.inputs)
        maps = lambda factors: matrix(recurrence.weights, factors)  # noqa: E731
        states = affine_states(at.factors, at.value - at.product, recurrence.start, chunk, maps)
        return states, jnp.abs(states - recurrence.sweep(states)).max(), k + 1

    begin = (recurrence.initial(), jnp.asarray(jnp.inf, recurrence.start.dtype), jnp.int32(0))
    guess, _, iterations = jax.lax.while_loop(running, iterate, begin)
    end = solve(recurrence, Jacobi(), Tolerance(tolerance, max_iterations=_POLISH), guess=guess)
    return Newton(end.value, end.status_codes, iterations)
