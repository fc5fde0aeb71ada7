"""The Newton family on a recurrence: all states at once, each iteration an evaluation and a draft (`methods`).

With y = sweep(x) and p the first block that x and y disagree in, the blocks up to p of y are solved, whatever the
draft: x' has them from y, bit for bit. So an iteration solves at least one block more, as in `ffc.core.loop`, and T
iterations suffice, unless numbers overflow on the way. Draft and residual are the difference form of Newton's method:
near the solution the correction is small, and so is its rounding.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solution import Status
from ffc.core.system import block_agreement, block_distance, block_finite, block_size, indices, prefix_length
from ffc.recurrence.affine import corrections
from ffc.recurrence.found import Found, Limits
from ffc.recurrence.jacobians import damped, draft_matrices
from ffc.recurrence.methods import Draft, Newton, Picard
from ffc.recurrence.system import Recurrence

_SMALLEST, _LARGEST = 1e-6, 1e6  # λ below the one counts as 0; it stays below the other


class _Carry(NamedTuple):
    x: jax.Array
    y: jax.Array  # sweep(x)
    damping: jax.Array  # [batch] λ
    status: jax.Array
    iterations: jax.Array
    certified: jax.Array
    jacobian_finite: jax.Array


def iterate(recurrence: Recurrence, method: Draft, limits: Limits, guess: jax.Array) -> Found:
    """Iterations of a draft from `guess` until every sample ended."""
    zeros = jnp.zeros_like(recurrence.start[:, 0], jnp.int32)
    first = _Carry(
        x=guess,
        y=recurrence.sweep(guess),
        damping=jnp.full_like(recurrence.start[:, 0], getattr(method, "damping", None) or 0.0),
        status=zeros + Status.RUNNING,
        iterations=zeros,
        certified=zeros,
        jacobian_finite=zeros == 0,
    )

    def running(c: _Carry):
        return jnp.any(c.status == Status.RUNNING)

    end = jax.lax.while_loop(running, lambda c: _next(recurrence, method, limits, guess, c), _judge(limits, first))
    solved = indices(recurrence.size) < end.certified[:, None]
    trusted = solved | (end.status != Status.NOT_FINITE)[:, None]
    states = jnp.where(trusted[..., None], end.y, guess)
    residual = jnp.max(block_distance(end.x, end.y), axis=1)
    return Found(states, end.status, end.iterations, end.certified, residual, end.jacobian_finite)


def _next(recurrence: Recurrence, method: Draft, limits: Limits, guess: jax.Array, c: _Carry) -> _Carry:
    """An iteration of the samples that run; the others stay as they are."""
    is_damped = getattr(method, "damping", None) is not None
    running = c.status == Status.RUNNING
    drafted, good = _draft(recurrence, method, c, is_damped)
    settled = indices(recurrence.size) < c.certified[:, None]
    x = jnp.where(settled[..., None], c.y, drafted)
    y = recurrence.sweep(x)
    damping = c.damping
    if is_damped:
        better = _merit(x, y) < _merit(c.x, c.y)  # False, too, where either is not finite
        less = jnp.where(damping > _SMALLEST, damping / 4, 0)
        damping = jnp.where(better, less, jnp.minimum(4 * damping + 1e-2, _LARGEST))
        again = functools.partial(_without_draft, recurrence, c.y, jnp.where(settled[..., None], c.y, guess))
        x, y = jax.lax.cond(jnp.all(better | ~running), lambda better, x, y: (x, y), again, better, x, y)
    kept = running[:, None, None]
    after = c._replace(
        x=jnp.where(kept, x, c.x),
        y=jnp.where(kept, y, c.y),
        damping=damping,
        iterations=c.iterations + running,
        jacobian_finite=c.jacobian_finite & (good | ~running),
    )
    return _judge(limits, after)


def _without_draft(recurrence: Recurrence, jacobi: jax.Array, anew: jax.Array, better: jax.Array, x, y):
    """x and its sweep, where a draft that brought the states no nearer (not `better`) gives way to Jacobi's step.

    Where not even its sweep is finite, for the iterate has left the step's domain, the sample begins `anew`.
    """
    finite = jnp.all(block_finite(recurrence.sweep(jacobi)), axis=1)
    x = jnp.where(better[:, None, None], x, jnp.where(finite[:, None, None], jacobi, anew))
    return x, jnp.where(better[:, None, None], y, recurrence.sweep(x))


def _draft(recurrence: Recurrence, method: Draft, c: _Carry, is_damped: bool) -> tuple[jax.Array, jax.Array]:
    """x' [batch, T, H] of the draft, and whether all of its matrices were finite [batch]."""
    if isinstance(method, Picard):
        change = jnp.cumsum(c.y - c.x, axis=1)
        return c.y + jnp.pad(change[:, :-1], ((0, 0), (1, 0), (0, 0))), jnp.ones_like(c.jacobian_finite)
    width = c.x.shape[2]

    def matrices(at):
        found = draft_matrices(method, recurrence.step, recurrence.weights, *at)
        return damped(found, c.damping, width) if is_damped else found

    chunk = method.chunk if isinstance(method, Newton) else None
    added, good = corrections((recurrence.before(c.x), recurrence.inputs), c.y - c.x, chunk, matrices)
    return c.y + added, good


def _merit(x: jax.Array, y: jax.Array) -> jax.Array:
    """[batch] sum of squares of the residual."""
    return jnp.sum((y - x) ** 2, axis=(1, 2))


def _judge(limits: Limits, c: _Carry) -> _Carry:
    """Extend the certified prefix by what the last evaluation proved, and end the samples that are done."""
    running, size = c.status == Status.RUNNING, c.x.shape[1]
    sound = block_finite(c.y)
    distance = block_distance(c.x, c.y)
    near = distance <= limits.tolerance + limits.relative * block_size(c.y)
    same = block_agreement(c.x, c.y)
    proven = jnp.minimum(jnp.minimum(prefix_length(same) + 1, size), prefix_length(sound))
    certified = jnp.where(running, jnp.maximum(c.certified, proven), c.certified)
    status = jnp.select(
        [
            ~jnp.all(sound & jnp.isfinite(distance), axis=1),
            certified == size,
            jnp.all(near, axis=1),
            c.iterations >= limits.iterations,
        ],
        [Status.NOT_FINITE, Status.CERTIFIED, Status.WITHIN_TOLERANCE, Status.ITERATION_LIMIT],
        Status.RUNNING,
    ).astype(c.status.dtype)
    return c._replace(certified=certified, status=jnp.where(running, status, c.status))
