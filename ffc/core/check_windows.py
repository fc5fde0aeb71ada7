"""Whether the windows of a system are parts of its sweep, caches included.

As in a solve, windows follow a prefix of solved blocks, and hand one cache on. Behind the prefix the blocks change
from one window to the next: what a cache has kept of them must not be used.
"""

from collections.abc import Callable, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.arguments import window_of
from ffc.core.compiled import compiled
from ffc.core.errors import FFCError
from ffc.core.examples import Examples
from ffc.core.system import (
    Cache,
    State,
    System,
    batch_size,
    block_agreement,
    block_distance,
    block_size,
    indices,
    prefix_length,
    select_blocks,
)
from ffc.core.windows import enters_rows, window_start

#: Windows that are tried where nobody chooses.
MOST = 8

Sweep = Callable[[State], State]


def check_windows(
    system: System,
    sweep: Sweep,
    examples: Examples,
    first: State,
    windows: Iterable[tuple[int, int]] | None,
    seed: int,
) -> None:
    """`FFCError` where a window (count, stride) of `windows` gives other blocks than `sweep`; None: see `check`."""
    draw = np.random.default_rng(seed)
    if (
        not (pairs := pairs_to_try(system, draw) if windows is None else _named(system, windows))
        or batch_size(first) == 0
    ):
        return
    answer, solved = _answer(system, sweep, first)
    for count, stride in pairs:
        _follow(system, sweep, examples, first, answer, solved, count, stride, draw)


def pairs_of(system: System) -> Iterator[tuple[int, int]]:
    """All (count, stride) that a solver may ask `window` for: those of GS-Jacobi, then those of Jacobi-GS."""
    size = system.size
    asked = [(count, 1) for count in range(1, size + 1)]
    asked += [(size // stride, stride) for stride in range(2, size + 1) if size % stride == 0]
    return (pair for pair in asked if system.supports_window(*pair))


def pairs_to_try(system: System, draw: np.random.Generator) -> list[tuple[int, int]]:
    """All pairs; of more than `MOST`, the narrowest, the widest, that of a row, and others at random."""
    pairs = list(pairs_of(system))
    if len(pairs) <= MOST:
        return pairs
    wanted = (pairs[0], max(pairs), (system.row_length, 1))
    chosen = [i for i, pair in enumerate(pairs) if pair in wanted]
    others = draw.permutation([i for i in range(len(pairs)) if i not in chosen])
    return [pairs[i] for i in sorted([*chosen, *others[: MOST - len(chosen)]])]


def _named(system: System, windows: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    possible = set(pairs_of(system))
    named = list(windows)
    for pair in named:
        if pair not in possible:
            raise FFCError(f"windows: {pair} is no window of this system; give pairs (count, stride) that it supports")
    return named


def _answer(system: System, sweep: Sweep, x: State) -> tuple[State, np.ndarray]:
    """Return the sequential answer, by sweeps, and how many blocks of each sample [batch] stand for certain."""
    for _ in range(system.size):
        before, x = x, sweep(x)
        if _agreement(before, x).all():
            break
    return x, np.asarray(prefix_length(_agreement(x, sweep(x))))


def _follow(
    system: System,
    sweep: Sweep,
    examples: Examples,
    first: State,
    answer: State,
    solved: np.ndarray,
    count: int,
    stride: int,
    draw: np.random.Generator,
) -> None:
    """Windows of `count` blocks, `stride` apart, from block 0 to the end."""
    block, cache, prefix = np.arange(system.size), system.init_cache(first), np.zeros_like(solved)
    row, enters = np.full_like(solved, -1), enters_rows(system, count, stride)
    while (running := prefix < solved).any():
        start = np.asarray(window_start(system, count * stride, jnp.asarray(prefix), jnp.asarray(running)))
        # A window holds blocks that are right already, without anybody knowing: as many runs of `stride` as you like.
        end = np.maximum(np.minimum(start + count * stride, solved), prefix + 1)
        run = draw.integers(prefix // stride, (end - 1) // stride + 1)
        x = examples.draw()
        for step in range(stride):
            reached = np.minimum(run * stride + step, solved)
            x = _select(block < reached[:, None], answer, x)
            swept, here = sweep(x), jnp.asarray(start + step, jnp.int32)
            if step == 0 and (stride > 1 or (enters and (running & (start // system.row_length != row)).any())):
                row, cache = start // system.row_length, _enter(system, cache, x, here, count, stride)
            off, x_after, cache = _look(system, cache, x, here, swept, count, stride)
            # Of the other runs, a window may have seen older values than a sweep now does.
            settled = running[:, None] & ((block <= reached[:, None]) | (stride == 1))
            _compare(system, x, x_after, swept, np.asarray(off) & settled, (count, stride), start + step)
            x = x_after
        waits = prefix >= start + count * stride  # for another sample, as in a solve: its window holds what is solved
        prefix = np.where(running & ~waits, np.minimum((run + 1) * stride, solved), prefix)


def _compare(
    system: System,
    x: jax.Array,
    values: jax.Array,
    swept: jax.Array,
    off: np.ndarray,
    window: tuple[int, int],
    start: np.ndarray,
) -> None:
    if not off.any():
        return
    off &= ~np.asarray(system.ties(x))
    for sample, block in np.argwhere(off)[:1]:
        count, stride = window
        raise FFCError(
            f"block {block} of sample {sample}: a window of {count} blocks, {stride} apart, from block {start[sample]} "
            f"on gives {_text(values[sample, block])}, a sweep {_text(swept[sample, block])}; mend the system's window "
            "or cache"
        )


@compiled(5, 6)
def _look(
    system: System, cache: Cache, x: jax.Array, start: jax.Array, swept: jax.Array, count: int, stride: int
) -> tuple[jax.Array, jax.Array, Cache]:
    """Return where a window from `start` [batch] on is not as `swept` [batch, N], and the next state and cache."""
    values, cache = window_of(system, cache, x, start, count, stride)
    index = start[:, None] + stride * indices(count)
    after = jax.vmap(lambda row, at, new: row.at[at].set(new))(x, index, values)
    inside = jax.vmap(lambda row, at: row.at[at].set(True))(jnp.zeros(x.shape[:2], bool), index)
    return inside & ~_near(after, swept), after, cache


@compiled(4, 5)
def _enter(system: System, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> Cache:
    return system.enter(cache, x, start, count, stride)


def _near(x: jax.Array, swept: jax.Array) -> jax.Array:
    """[batch, N] whether a block is that of the sweep, but for rounding where its numbers are rounded."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return block_agreement(x, swept)
    same = (x == swept) | (jnp.isnan(x) & jnp.isnan(swept))  # infinities, too, have no difference
    x, y = (jnp.where(same, 0, a) for a in (x, swept))
    largest = jnp.max(block_size(jnp.where(jnp.isfinite(swept), swept, 0)), axis=1, keepdims=True)
    return block_distance(x, y) <= jnp.finfo(x.dtype).eps ** 0.5 * largest


_agreement, _select = jax.jit(block_agreement), jax.jit(select_blocks)


def _text(block: jax.Array) -> str:
    return " ".join(str(np.asarray(block)).split())
