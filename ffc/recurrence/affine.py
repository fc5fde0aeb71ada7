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
    return jnp.moveaxis(states, 0, 1).reshape(offsets.shape[0], -1, offsets.shape[2])[:, :length]


def corrections(
    factors: Any, residual: jax.Array, chunk: int | None, matrix: Callable[[Any], jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """d_{t−1} A_t [batch, T, H] for d_t = d_{t−1} A_t + r_t, d_0 = 0: what a draft adds to each evaluated state.

    Chunks and `matrix` as for `affine_states`; r is the `residual`. A map that is not finite counts as 0. The second
    value [batch] says whether all of a sample's maps were finite.
    """
    length = residual.shape[1]
    chunk = min(chunk or length, length)
    known = jnp.ones(residual.shape[:2], bool)  # False in the rest of the last chunk
    chunks = jax.tree.map(lambda a: jnp.moveaxis(cut(a, chunk), 1, 0), (factors, residual, known))

    def one(carry, at):
        change, good = carry
        maps = matrix(at[0])
        axes = tuple(range(2, maps.ndim))
        finite = jnp.all(jnp.isfinite(maps), axis=axes)
        maps = jnp.where(jnp.expand_dims(finite & at[2], axes), maps, 0)
        composed, offset = jax.lax.associative_scan(_compose, (maps, at[1]), axis=1)
        changes = apply(change[:, None], composed) + offset
        before = jnp.concatenate([change[:, None], changes[:, :-1]], axis=1)
        return (changes[:, -1], good & jnp.all(finite | ~at[2], axis=1)), apply(before, maps)

    first = (jnp.zeros_like(residual[:, 0]), jnp.all(known, axis=1))
    (_, good), added = jax.lax.scan(one, first, chunks)
    return jnp.moveaxis(added, 0, 1).reshape(residual.shape[0], -1, residual.shape[2])[:, :length], good


def apply(state: jax.Array, matrix: jax.Array) -> jax.Array:
    """Row vectors [..., H] times matrices [..., H, H], or times diagonals [..., H]."""
    return state * matrix if matrix.ndim == state.ndim else (state[..., None, :] @ matrix)[..., 0, :]


def cut(a: jax.Array, chunk: int, mode: str = "constant") -> jax.Array:
    """[batch, T, ...] → [batch, ⌈T / chunk⌉, chunk, ...]; the end is filled as `jnp.pad` does, by zeros unless told."""
    a = jnp.pad(a, ((0, 0), (0, -a.shape[1] % chunk), *((0, 0) for _ in a.shape[2:])), mode=mode)
    return a.reshape(a.shape[0], -1, chunk, *a.shape[2:])


def _compose(first, second):
    (a, b), (c, d) = first, second
    return (a * c if a.ndim == b.ndim else a @ c), apply(b, c) + d
