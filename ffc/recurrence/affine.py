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
    length = offsets.shape[1]
    chunk = min(chunk or length, length)
    chunks = jax.tree.map(lambda a: jnp.moveaxis(cut(a, chunk), 1, 0), (factors, offsets))

    def one(state, at):
        maps, offset = jax.lax.associative_scan(_compose, (matrix(at[0]), at[1]), axis=1)
        states = apply(state[:, None], maps) + offset
        return states[:, -1], states

    _, states = jax.lax.scan(one, start, chunks)
    return _joined(states)[:, :length]


def corrections(factors: Any, residual: jax.Array, chunk: int | None, matrix: Callable[[Any], jax.Array]) -> jax.Array:
    """Return d_{t−1} A_t [batch, T, H] for d_t = d_{t−1} A_t + r_t, d_0 = 0: what a draft adds to each evaluated state.

    Chunks and `matrix` as for `affine_states`; r is the `residual`. A map that is not finite counts as 0.
    """
    length = residual.shape[1]
    chunk = min(chunk or length, length)
    chunks = jax.tree.map(lambda a: jnp.moveaxis(cut(a, chunk), 1, 0), (factors, residual))

    def one(change, at):
        maps = matrix(at[0])
        axes = tuple(range(2, maps.ndim))
        finite = jnp.all(jnp.isfinite(maps), axis=axes)
        maps = jnp.where(jnp.expand_dims(finite, axes), maps, 0)
        composed, offset = jax.lax.associative_scan(_compose, (maps, at[1]), axis=1)
        changes = apply(change[:, None], composed) + offset
        before = jnp.concatenate([change[:, None], changes[:, :-1]], axis=1)
        return changes[:, -1], apply(before, maps)

    added = jax.lax.scan(one, jnp.zeros_like(residual[:, 0]), chunks)[1]
    return _joined(added)[:, :length]


def apply(state: jax.Array, matrix: jax.Array) -> jax.Array:
    """Row vectors [..., H] times matrices [..., H, H], or times diagonals [..., H]."""
    return state * matrix if matrix.ndim == state.ndim else (state[..., None, :] @ matrix)[..., 0, :]


def cut(a: jax.Array, chunk: int) -> jax.Array:
    """[batch, T, ...] → [batch, ⌈T / chunk⌉, chunk, ...]; the last entry fills up the end."""
    whole = -(-a.shape[1] // chunk) * chunk
    a = a if whole == a.shape[1] else a[:, jnp.minimum(jnp.arange(whole), a.shape[1] - 1)]
    return a.reshape(a.shape[0], whole // chunk, chunk, *a.shape[2:])


def _joined(chunks: jax.Array) -> jax.Array:
    """Return what a scan over chunks gives, [chunks, batch, chunk, H], as [batch, times, H]."""
    count, batch, chunk, width = chunks.shape
    return jnp.moveaxis(chunks, 0, 1).reshape(batch, count * chunk, width)


def _compose(first, second):
    (a, b), (c, d) = first, second
    return (a * c if a.ndim == b.ndim else a @ c), apply(b, c) + d
