"""Error curves of a solve, kept on the device: a row of numbers for each iteration, never the iterates."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import State, batch_size, block_distance, indices, l2_distance, select_blocks


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Trace:
    """Ask for error curves against a known solution, and for snapshots at named iterations."""

    reference: State
    length: int = field(metadata={"static": True})
    snapshots: tuple[int, ...] = field(metadata={"static": True}, default=())

    @property
    def named(self) -> jax.Array:
        """Return [S, 1], the iterations whose states are kept."""
        return jnp.array(self.snapshots, jnp.int32)[:, None]


class History(NamedTuple):
    """Error curves of a solve; row k is after k iterations of the sample, row 0 the first guess.

    After a sample's last iteration its curves stay level, and its change is 0.
    """

    l2: jax.Array  # [length + 1, batch] Euclidean distance to the reference
    largest: jax.Array  # [length + 1, batch] largest absolute difference to the reference
    change: jax.Array  # [length + 1, batch] Euclidean distance to the iterate before; row 0 is 0
    certified: jax.Array  # [length + 1, batch] leading blocks proven exact; row 0 is 0
    snapshots: Any  # a state with a leading axis, one entry for each named iteration


def start(x: State, trace: Trace) -> History:
    """Curves with row 0: the first guess `x`."""
    l2, largest = _errors(x, trace)
    curve = jnp.zeros((trace.length + 1, batch_size(x)), l2.dtype)
    nothing = jax.tree.map(lambda leaf: jnp.zeros((len(trace.snapshots), *leaf.shape), leaf.dtype), x)
    return History(
        l2=curve.at[0].set(l2),
        largest=curve.at[0].set(largest),
        change=curve,
        certified=jnp.zeros(curve.shape, jnp.int32),
        snapshots=_snap(nothing, trace.named == 0, x),
    )


def extend(
    h: History,
    k: jax.Array | int,
    before: State,
    x: State,
    certified: jax.Array | int,
    trace: Trace,
    counted: jax.Array | bool = True,
) -> History:
    """Add row `k` [batch or ()] of the samples for which the iteration `counted` [batch or ()].

    It has the state `x` after iteration k, `before` it, and its `certified` blocks [batch or ()].
    """
    l2, largest = _errors(x, trace)
    row, sample = jnp.where(counted, k, trace.length + 1), indices(batch_size(x))
    return History(
        l2=h.l2.at[row, sample].set(l2, mode="drop"),
        largest=h.largest.at[row, sample].set(largest, mode="drop"),
        change=h.change.at[row, sample].set(l2_distance(x, before), mode="drop"),
        certified=h.certified.at[row, sample].set(certified, mode="drop"),
        snapshots=_snap(h.snapshots, (trace.named == k) & counted, x),
    )


def finish(h: History, last: jax.Array, x: State, trace: Trace) -> History:
    """After a sample's `last` [batch] iteration nothing moves: its curves stay level, and so do its snapshots."""
    row = jnp.minimum(indices(trace.length + 1)[:, None], last)
    return h._replace(
        l2=jnp.take_along_axis(h.l2, row, axis=0),
        largest=jnp.take_along_axis(h.largest, row, axis=0),
        certified=jnp.take_along_axis(h.certified, row, axis=0),
        snapshots=_snap(h.snapshots, trace.named > last, x),
    )


@jax.jit
def in_order(first: State, trace: Trace) -> History:
    """Return the curves of a sequential solve from `first` to the trace's reference, without a second run.

    After k iterations it holds k blocks of the answer, and the others as they began; `trace.length` is their number.
    """

    def step(k: jax.Array, carry: tuple[History, State]) -> tuple[History, State]:
        h, before = carry
        x = select_blocks(indices(trace.length)[None] < k, trace.reference, first)
        return extend(h, k, before, x, k, trace), x

    h, last = jax.lax.fori_loop(1, trace.length + 1, step, (start(first, trace), first))
    return finish(h, jnp.full(batch_size(last), trace.length), last, trace)


def each(snapshots: State) -> list[State]:
    """Return the states of `History.snapshots`, one by one."""
    count = len(jax.tree.leaves(snapshots)[0])
    return [jax.tree.map(lambda leaf, i=i: leaf[i], snapshots) for i in range(count)]


def _errors(x: State, trace: Trace) -> tuple[jax.Array, jax.Array]:
    """[batch] Euclidean distance and largest absolute difference to the reference, in one dtype."""
    l2 = l2_distance(x, trace.reference)
    return l2, block_distance(x, trace.reference).max(axis=1, initial=0).astype(l2.dtype)


def _snap(snapshots: State, here: jax.Array, x: State) -> State:
    """`snapshots` with the samples of `x` where `here` [S, batch or 1] holds."""

    def leaf(old, new):
        return jnp.where(here.reshape(*here.shape, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(leaf, snapshots, x)
