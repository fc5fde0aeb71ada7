"""The loop: iterations of any schedule over any system, and the certificate that ends it.

**The certificate.** When an iteration leaves the blocks 0 … p−1 as they were, bit for bit, each of them
satisfies its own equation with the others as they stand; and block p was evaluated from exactly these
blocks, so it satisfies its equation too. The system is triangular, so these p + 1 blocks are *the*
solution: the sequential answer. A schedule that evaluates runs of b blocks in order settles the whole run
that p lies in. The certified prefix so grows with every iteration, and N iterations always suffice
(paper, propositions 1 and 2), whatever guess the first one began with.

The certificate speaks of the function that was evaluated: a window and a whole sweep may differ in the
last bits, and so may their solutions.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core import history
from ffc.core.arguments import window_of
from ffc.core.history import History, Trace
from ffc.core.solution import Status
from ffc.core.solvers import Schedule
from ffc.core.system import (
    State,
    System,
    batch_size,
    block_agreement,
    block_distance,
    block_finite,
    block_size,
    indices,
    prefix_length,
    select_blocks,
)


class How(NamedTuple):
    """What the loop is compiled for."""

    schedule: Schedule
    tolerant: bool  # blocks that move by little are accepted
    row_above: bool  # rows that a window meets begin as the row before them
    classes: int  # hash of the system's structure: JAX may take two dataclasses with the same fields for one


class Limits(NamedTuple):
    """When to stop before all is certified; numbers, which may be traced."""

    iterations: jax.Array | int
    tolerance: jax.Array | float = 0.0  # a block is accepted when it moves by no more than this …
    relative: jax.Array | float = 0.0  # … and this share of its largest absolute value


class Carry(NamedTuple):
    """What an iteration hands to the next."""

    x: State
    cache: Any
    met: jax.Array  # [batch] blocks that were inside a window, and all before them
    prefix: jax.Array  # [batch] blocks accepted; windows begin here
    certified: jax.Array  # [batch] blocks proven exact; equals prefix unless there is a tolerance
    status: jax.Array  # [batch]
    iterations: jax.Array  # [batch] those that a sample took part in: all, as long as it runs
    history: History | None


def start(how: How, system: System, guess: State | None, trace: Trace | None) -> Carry:
    """Before the first iteration: at `guess`, or at the system's own first guess."""
    x = system.initial() if guess is None else guess
    zeros = jnp.zeros(batch_size(x), jnp.int32)
    done = Status.RUNNING if system.size else Status.CERTIFIED
    carry = Carry(
        x=x,
        cache=system.init_cache(x) if _cached(how, system) else (),
        met=zeros,
        prefix=zeros,
        certified=zeros,
        status=zeros + done,
        iterations=zeros,
        history=None if trace is None else history.start(x, trace),
    )
    return _varying(carry, (system, guess, trace))


def advance(
    how: How, system: System, c: Carry, trace: Trace | None, limits: Limits, spare: jax.Array | int = 0
) -> Carry:
    """Iterations until at most `spare` samples still run, or as many were done as `limits` allow."""

    def running(c: Carry):
        return (jnp.sum(c.status == Status.RUNNING) > spare) & (jnp.max(c.iterations, initial=0) < limits.iterations)

    def body(c: Carry) -> Carry:
        after = _judge(system.size, how.schedule, c, _look_through_window(how, limits, system, c))
        if c.history is not None and trace is not None:
            after = after._replace(
                history=history.extend(c.history, jnp.max(after.iterations, initial=0), c.x, after.x, trace)
            )
        return after

    return jax.lax.while_loop(running, body, c)


def finish(system: System, c: Carry, guess: State, trace: Trace | None) -> Carry:
    """After the last iteration: of a sample that broke, its certified prefix, and the guess from there on."""
    trusted = (c.status != Status.NOT_FINITE)[:, None] | (indices(system.size) < c.certified[:, None])
    return c._replace(
        x=select_blocks(trusted, c.x, guess),
        history=None if c.history is None or trace is None else history.finish(c.history, c.iterations, c.x, trace),
    )


class _Seen(NamedTuple):
    """One iteration's new state, and what became of each block of the window."""

    x: State
    cache: Any
    start: jax.Array  # [batch] first block of the window
    solved: jax.Array  # [batch, window] the block was accepted before
    same: jax.Array  # [batch, window] unchanged, bit for bit
    near: jax.Array  # [batch, window] unchanged, or within the tolerance
    finite: jax.Array  # [batch, window]


def _cached(how: How, system: System) -> bool:
    return how.schedule.cached and system.supports_window(how.schedule.count, how.schedule.block)


def _look_through_window(how: How, limits: Limits, system: System, c: Carry) -> _Seen:
    schedule = how.schedule
    start = window_start(system, schedule.window, c.prefix, c.status == Status.RUNNING)
    index = start[:, None] + indices(schedule.window)
    solved = index < c.prefix[:, None]
    hold = solved | (c.status != Status.RUNNING)[:, None]
    if how.row_above:
        c = c._replace(x=_copy_row_above(system.row_length, c, index))
    if _cached(how, system):
        before = _take(c.x, start, schedule.window)
        x, cache = _window_steps(system, schedule, c.x, c.cache, start, hold)
        after = _take(x, start, schedule.window)
        pick = _whole
    else:
        before, cache = c.x, c.cache
        x = after = _sweep_steps(system, schedule, c.x, start, c.prefix, c.status)
        pick = (
            _whole if schedule.window == system.size else functools.partial(jnp.take_along_axis, indices=index, axis=1)
        )
    same = pick(block_agreement(before, after))
    near = pick(_near(limits, before, after)) if how.tolerant else same
    return _Seen(x, cache, start, solved, same, near, pick(block_finite(after)))


def _near(limits: Limits, before: State, after: State) -> jax.Array:
    return block_distance(before, after) <= limits.tolerance + limits.relative * block_size(after)


def window_start(system: System, width: int, prefix: jax.Array, running: jax.Array) -> jax.Array:
    """[batch] where each sample's window of `width` begins: at its prefix or a little before, inside the system."""
    row = system.row_length
    if system.lockstep:
        slowest = jnp.min(jnp.where(running, prefix, system.size))
        start = jnp.full_like(prefix, slowest) // ((width + 1) // 2) * ((width + 1) // 2)
    elif width % row == 0:
        start = prefix // row * row
    elif width < row:
        start = jnp.minimum(prefix, prefix // row * row + row - width)
    else:
        start = prefix
    return jnp.minimum(start, system.size - width)


def _copy_row_above(length: int, c: Carry, index: jax.Array) -> State:
    """The state in which the blocks `index` [batch, window] that no window held before are as the last row met."""
    last = jnp.maximum(c.met - length, 0)[:, None]
    new = (index >= c.met[:, None]) & (c.met > 0)[:, None]

    def leaf(x):
        source = jnp.where(new, last + (index - last) % length, index)
        return _put(x, jax.vmap(lambda row, at: row[at])(x, source), index[:, 0])

    return jax.tree.map(leaf, c.x)


def _sweep_steps(system: System, schedule: Schedule, x: State, start, prefix, status) -> State:
    """An iteration by whole sweeps: step j keeps the j-th block of every run in the window."""
    offset = indices(system.size) - start[:, None]
    inside = (offset >= 0) & (offset < schedule.window) & (offset + start[:, None] >= prefix[:, None])
    inside &= (status == Status.RUNNING)[:, None]

    def step(j, y):
        return select_blocks(inside & (offset % schedule.block == j), system.sweep(y), y)

    return step(0, x) if schedule.block == 1 else jax.lax.fori_loop(0, schedule.block, step, x)


def _window_steps(system: System, schedule: Schedule, x, cache, start, hold) -> tuple[State, Any]:
    """An iteration by the system's own windows: step j evaluates the j-th block of every run."""
    count, block = schedule.count, schedule.block

    def step(j, carry):
        y, cache = carry
        values, cache = window_of(system, cache, y, start + jnp.asarray(j, start.dtype), count, block)
        kept = _take(y, start, schedule.window)
        here = (indices(schedule.window) % block == j) & ~hold
        spread = jnp.repeat(values, block, axis=1)
        return _put(y, select_blocks(here, spread, kept), start), cache

    return step(0, (x, cache)) if block == 1 else jax.lax.fori_loop(0, block, step, (x, cache))


def _judge(size: int, schedule: Schedule, c: Carry, seen: _Seen) -> Carry:
    """Extend the prefixes by what the iteration proved, and end the samples that are done."""
    running = c.status == Status.RUNNING
    sound = seen.start + prefix_length(seen.finite | seen.solved)

    def reach(agrees):
        runs = prefix_length(agrees) // schedule.block + 1
        return jnp.minimum(seen.start + jnp.minimum(runs * schedule.block, schedule.window), sound)

    prefix = jnp.maximum(c.prefix, reach(seen.near | seen.solved))
    # Blocks accepted within a tolerance are not evaluated again: beyond them nothing is proven any more.
    proven = jnp.maximum(c.certified, reach(seen.same | seen.solved))
    certified = jnp.where(c.prefix == c.certified, proven, c.certified)
    broken = sound < seen.start + schedule.window
    status = jnp.select(
        [broken, certified == size, prefix == size],
        [Status.NOT_FINITE, Status.CERTIFIED, Status.WITHIN_TOLERANCE],
        Status.RUNNING,
    ).astype(c.status.dtype)
    return Carry(
        x=seen.x,
        cache=seen.cache,
        met=jnp.maximum(c.met, seen.start + schedule.window),
        prefix=jnp.where(running, prefix, c.prefix),
        certified=jnp.where(running, certified, c.certified),
        status=jnp.where(running, status, c.status),
        iterations=c.iterations + running,
        history=c.history,
    )


def _varying(carry: Carry, data: Any) -> Carry:
    """Inside `shard_map`, a carry that varies over all axes of the mesh that `data` varies over."""
    axes = frozenset().union(*map(_axes, jax.tree.leaves((data, carry))))

    def leaf(value: jax.Array) -> jax.Array:
        missing = tuple(axes - _axes(value))
        return jax.lax.pcast(value, missing, to="varying") if missing else value

    return jax.tree.map(leaf, carry)


def _axes(value: Any) -> frozenset[str]:
    return getattr(getattr(jax.typeof(value), "manual_axis_type", None), "varying", frozenset())


def _take(x: jax.Array, start: jax.Array, width: int) -> jax.Array:
    if width == x.shape[1]:
        return x
    return jax.vmap(lambda row, s: jax.lax.dynamic_slice_in_dim(row, s, width))(x, start)


def _put(x: jax.Array, values: jax.Array, start: jax.Array) -> jax.Array:
    if values.shape[1] == x.shape[1]:
        return values
    return jax.vmap(lambda row, new, s: jax.lax.dynamic_update_slice_in_dim(row, new, s, axis=0))(x, values, start)


def _whole(mask: jax.Array) -> jax.Array:
    return mask
