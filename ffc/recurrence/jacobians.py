"""What a step's states depend on, by forward derivatives (JVPs): nobody has to write a Jacobian."""

from typing import Any

import jax
import jax.numpy as jnp

from ffc.recurrence.methods import Draft, Newton, Picard
from ffc.recurrence.system import Step


def draft_matrices(method: Draft, step: Step, weights: Any, h: jax.Array, inputs: Any) -> jax.Array:
    """A_t of a draft at states `h` [..., H] for row vectors, [..., H, H], or its diagonal [..., H]."""
    if isinstance(method, Picard):
        return jnp.ones_like(h)
    if isinstance(method, Newton):
        if method.jacobian is None:
            return full_jacobian(step, weights, h, inputs)
        return jnp.swapaxes(method.jacobian(weights, h, inputs), -1, -2)
    if method.diagonal is not None:
        return method.diagonal(weights, h, inputs)
    if method.elementwise:
        return jax.jvp(lambda x: step(weights, x, inputs), (h,), (jnp.ones_like(h),))[1]
    return jacobian_diagonal(step, weights, h, inputs)


def full_jacobian(step: Step, weights: Any, h: jax.Array, inputs: Any) -> jax.Array:
    """[..., H, H]: row k is ∂step / ∂h_k. H derivatives together, one for each entry of a state."""
    along = jax.linearize(lambda x: step(weights, x, inputs), h)[1]
    rows = jax.vmap(lambda unit: along(jnp.broadcast_to(unit, h.shape)))(jnp.eye(h.shape[-1], dtype=h.dtype))
    return jnp.moveaxis(rows, 0, -2)


def jacobian_diagonal(step: Step, weights: Any, h: jax.Array, inputs: Any) -> jax.Array:
    """[..., H]: ∂step_k / ∂h_k, exactly, by H derivatives that are never held together."""
    along = jax.linearize(lambda x: step(weights, x, inputs), h)[1]

    def entry(diagonal: jax.Array, unit: jax.Array):
        return jnp.where(unit > 0, along(jnp.broadcast_to(unit, h.shape)), diagonal), None

    return jax.lax.scan(entry, jnp.zeros_like(h), jnp.eye(h.shape[-1], dtype=h.dtype))[0]


def damped(matrices: jax.Array, damping: jax.Array, width: int) -> jax.Array:
    """A / (1 + λ g) with λ = `damping` [batch]; g is each entry's square, or a matrix's mean square gain."""
    if matrices.shape[-2:] == (width, width) and matrices.ndim == 4:
        gain = jnp.sum(matrices**2, axis=(-2, -1), keepdims=True) / width
        return matrices / (1 + damping[:, None, None, None] * gain)
    return matrices / (1 + damping[:, None, None] * matrices**2)
