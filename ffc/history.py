"""Error curves of a solve, kept on the device: a row of numbers for each iteration, never the iterates."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.system import State, batch_size, block_distance, l2_distance


@dataclass(frozen=True)
class Trace:
    """Ask for error curves against a known solution, and for snapshots at named iterations."""

    reference: State
    length: int
    snapshots: tuple[int, ...] = ()


class History(NamedTuple):
    """Error curves of a solve; row k is after k iterations, row 0 the first guess."""

    l2: jax.Array  # [length + 1, batch] Euclidean distance to the reference
    largest: jax.Array  # [length + 1, batch] largest absolute difference to the reference
    change: jax.Array  # [length + 1, batch] Euclidean distance to the iterate before; row 0 is 0
    snapshots: Any  # a state with a leading axis, one entry for each named iteration


def start(x: State, reference: State, length: int, snapshots: tuple[int, ...]) -> History:
    """Curves of `length` iterations, with row 0: the first guess `x`."""
    curve = jnp.zeros((length + 1, batch_size(x)))
    here = jnp.array(snapshots, jnp.int32) == 0
    return History(
        l2=curve.at[0].set(l2_distance(x, reference)),
        largest=curve.at[0].set(block_distance(x, reference).max(axis=1)),
        change=curve,
        snapshots=_snap(jax.tree.map(lambda leaf: jnp.zeros((len(snapshots), *leaf.shape), leaf.dtype), x), here, x),
    )


def extend(h: History, k: jax.Array, before: State, x: State, reference: State, snapshots: tuple[int, ...]) -> History:
    """Add row `k`: the state `x` after iteration k, and `before` it."""
    return History(
        l2=h.l2.at[k].set(l2_distance(x, reference), mode="drop"),
        largest=h.largest.at[k].set(block_distance(x, reference).max(axis=1), mode="drop"),
        change=h.change.at[k].set(l2_distance(x, before), mode="drop"),
        snapshots=_snap(h.snapshots, jnp.array(snapshots, jnp.int32) == k, x),
    )


def finish(h: History, last: jax.Array, x: State, snapshots: tuple[int, ...]) -> History:
    """After the last iteration nothing moves: the curves stay level and later snapshots show the end."""
    row = jnp.minimum(jnp.arange(h.l2.shape[0]), last)
    return h._replace(
        l2=h.l2[row],
        largest=h.largest[row],
        snapshots=_snap(h.snapshots, jnp.array(snapshots, jnp.int32) > last, x),
    )


def _snap(snapshots: State, here: jax.Array, x: State) -> State:
    return jax.tree.map(lambda kept, new: jnp.where(here.reshape(-1, *[1] * new.ndim), new, kept), snapshots, x)
