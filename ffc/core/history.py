"""Error curves of a solve: a row of numbers for each iteration, never all iterates."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.system import (
    State,
    batch_size,
    block_count,
    block_distance,
    indices,
    l2_distance,
    select_blocks,
    select_samples,
)


class Iterate(NamedTuple):
    """A state that a solve comes to, the first guess or what an iteration made of the one before."""

    x: State
    number: ArrayLike  # [batch or ()] iterations that a sample has taken part in; it grows by 1, where this one counts
    certified: ArrayLike  # [batch or ()] leading blocks proven exact


class History(NamedTuple):
    """Error curves of a solve; row k is after k iterations of the sample, row 0 the first guess.

    After a sample's last iteration its curves stay level, and its change is 0.
    """

    l2: np.ndarray  # [length + 1, batch] Euclidean distance to the reference
    largest: np.ndarray  # [length + 1, batch] largest absolute difference to the reference
    change: np.ndarray  # [length + 1, batch] Euclidean distance to the iterate before; row 0 is 0
    certified: np.ndarray  # [length + 1, batch] leading blocks proven exact; row 0 is 0
    snapshots: list[State]  # one for each named iteration


def curves(iterates: Iterable[Iterate], reference: State, length: int, named: Sequence[int] = ()) -> History:
    """Return the curves of all `iterates`, of no more than `length` iterations, and the states at those `named`."""
    batch, kind = batch_size(reference), jax.eval_shape(l2_distance, reference, reference).dtype
    l2, largest, change, certified = (np.zeros((length + 1, batch), of) for of in (kind, kind, kind, np.int32))
    before, last, snapshots = None, np.full(batch, -1), [reference] * len(named)
    for x, number, proven in iterates:
        number = np.broadcast_to(number, batch)
        sample = np.flatnonzero(number > last)
        values = (*_distances(x, x if before is None else before, reference), proven)
        for curve, row in zip((l2, largest, change, certified), values, strict=True):
            curve[number[sample], sample] = np.broadcast_to(row, batch)[sample]
        for i, name in enumerate(named):
            if (here := (number == name) & (last < name)).any():
                snapshots[i] = select_samples(jnp.asarray(here), x, snapshots[i])
        before, last = x, number
    for i, name in enumerate(named):
        snapshots[i] = select_samples(jnp.asarray(last < name), before, snapshots[i])
    level = np.minimum(np.arange(length + 1)[:, None], last)
    l2, largest, certified = (np.take_along_axis(curve, level, axis=0) for curve in (l2, largest, certified))
    return History(l2, largest, change, certified, snapshots)


def in_order(first: State, answer: State, iterations: int) -> Iterator[Iterate]:
    """Yield the iterates of a sequential solve, without a second run: after k, k blocks are those of the answer."""
    for k in range(iterations + 1):
        yield Iterate(_settled(first, answer, k), k, k)


@jax.jit
def _settled(first: State, answer: State, count: jax.Array) -> State:
    return select_blocks(indices(block_count(answer))[None] < count, answer, first)


@jax.jit
def _distances(x: State, before: State, reference: State) -> tuple[jax.Array, jax.Array, jax.Array]:
    """[batch] Euclidean distance and largest absolute difference to the reference, and distance to `before`."""
    return l2_distance(x, reference), block_distance(x, reference).max(axis=1, initial=0), l2_distance(x, before)
