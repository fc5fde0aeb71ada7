"""Affine recurrences x_{t+1} = x_t M_t + b_t: maps compose, so an associative scan evaluates all times at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def affine_states(
    factors: Any,
    offsets: jax.Array,
    start: jax.Array,
    chunk: int | None,
    matrix: Callable[[Any], jax.Array],
) -> jax.Array:
    """x_1 … x_T [batch, T, H] of x_{t+1} = x_t M_t + b_t from x_0 = `start` [batch, H].

    `matrix(factors)` makes the maps [..., H, H], or [..., H] where they are diagonal, of a chunk's `factors`
    (leaves [batch, T, ...]); `offsets` [batch, T, H]. Chunks of `chunk` steps (all T if None, any length) follow one
    another; an associative scan composes the maps inside each, with about 2·chunk products of H×H matrices.
    """

    def one(state, maps, offsets):
        states = _composed(state, maps, offsets)
        return states[:, -1], states

    return _in_chunks(one, start, factors, offsets, chunk, matrix)


def corrections(factors: Any, residual: jax.Array, chunk: int | None, matrix: Callable[[Any], jax.Array]) -> jax.Array:
    """Return d_{t−1} A_t [batch, T, H] for d_t = d_{t−1} A_t + r_t, d_0 = 0: what a draft adds to each evaluated state.

    Chunks and `matrix` as for `affine_states`; r is the `residual`. A map that is not finite counts as 0.
    """

    def one(change, maps, residual):
        axes = tuple(range(2, maps.ndim))
        finite = jnp.all(jnp.isfinite(maps), axis=axes)
        maps = jnp.where(jnp.expand_dims(finite, axes), maps, 0)
        changes = _composed(change, maps, residual)
        before = jnp.concatenate([change[:, None], changes[:, :-1]], axis=1)
        return changes[:, -1], apply(before, maps)

    return _in_chunks(one, jnp.zeros_like(residual[:, 0]), factors, residual, chunk, matrix)


def apply(state: jax.Array, matrix: jax.Array) -> jax.Array:
    """Row vectors [..., H] times matrices [..., H, H], or times diagonals [..., H]."""
    return state * matrix if matrix.ndim == state.ndim else (state[..., None, :] @ matrix)[..., 0, :]


def cut(a: jax.Array, chunk: int) -> jax.Array:
    """[batch, T, ...] → [batch, ⌈T / chunk⌉, chunk, ...]; the last entry fills up the end."""
    whole = -(-a.shape[1] // chunk) * chunk
    a = a if whole == a.shape[1] else a[:, jnp.minimum(jnp.arange(whole), a.shape[1] - 1)]
    return a.reshape(a.shape[0], whole // chunk, chunk, *a.shape[2:])


def _in_chunks(
    one: Callable, first: jax.Array, factors: Any, values: jax.Array, chunk: int | None, matrix: Callable
) -> jax.Array:
    """[batch, T, H] of `one(state, maps, values)` → (state after a chunk, [batch, chunk, H]), chunk after chunk."""
    length = values.shape[1]
    chunk = min(chunk or length, length)
    chunks = jax.tree.map(lambda a: jnp.moveaxis(cut(a, chunk), 1, 0), (factors, values))
    parts = jax.lax.scan(lambda state, at: one(state, matrix(at[0]), at[1]), first, chunks)[1]
    return jax.lax.collapse(jnp.moveaxis(parts, 0, 1), 1, 3)[:, :length]


def _composed(state: jax.Array, maps: jax.Array, offsets: jax.Array) -> jax.Array:
    """States [batch, chunk, H] of a chunk, from the `state` [batch, H] before it."""
    composed, offset = jax.lax.associative_scan(_compose, (maps, offsets), axis=1)
    return apply(state[:, None], composed) + offset


def _compose(first, second):
    (a, b), (c, d) = first, second
    return (a * c if a.ndim == b.ndim else a @ c), apply(b, c) + d
