"""solve(): the one loop. It runs any schedule over any system, and stops by itself.

**The certificate.** When an iteration leaves the blocks 0 … p−1 as they were, bit for bit, each of them
satisfies its own equation with the others as they stand; and block p was evaluated from exactly these
blocks, so it satisfies its equation too. The system is triangular, so these p + 1 blocks are *the*
solution: the sequential answer. A schedule that evaluates runs of b blocks in order settles the whole run
that p lies in. The certified prefix so grows with every iteration, and N iterations always suffice
(paper, propositions 1 and 2).

The certificate speaks of the function that was evaluated: a window and a whole sweep may differ in the
last bits, and so may their solutions.
"""

import functools
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc import history
from ffc.history import History, Trace
from ffc.solvers import Schedule, Solver
from ffc.system import (
    State,
    System,
    batch_size,
    block_agreement,
    block_distance,
    block_finite,
    prefix_length,
    select_blocks,
)


class Status(IntEnum):
    """How a sample's solve ended."""

    RUNNING = 0
    CERTIFIED = 1
    WITHIN_TOLERANCE = 2
    ITERATION_LIMIT = 3
    NOT_FINITE = 4

    @property
    def message(self) -> str:
        return {
            Status.RUNNING: "still running",
            Status.CERTIFIED: "certified: every block equals the sequential answer",
            Status.WITHIN_TOLERANCE: "iterates agree within the tolerance; only the certified prefix is exact",
            Status.ITERATION_LIMIT: "stopped at the iteration limit; only the certified prefix is exact",
            Status.NOT_FINITE: "met a value that is not finite; only the certified prefix is exact",
        }[self]


@dataclass(frozen=True)
class Exact:
    """Stop a sample when all its blocks are certified, or after `max_iterations`."""

    max_iterations: int | None = None
    tolerance = None


@dataclass(frozen=True)
class Tolerance:
    """Accept blocks that move by at most `tolerance` in one iteration. Faster, and not exact.

    Windows follow the accepted prefix; `Solution.certified` still counts only what is exact.
    """

    tolerance: float
    max_iterations: int | None = None


@dataclass(frozen=True)
class Solution:
    """What `solve` returns. Arrays stay on the device until they are read."""

    value: State
    status_codes: jax.Array  # [batch] Status
    iterations: jax.Array  # [batch] iterations each sample took part in
    certified: jax.Array  # [batch] leading blocks that equal the sequential answer
    size: int  # N
    steps_per_iteration: int  # evaluations of the system, one after the other, in an iteration
    history: History | None = None

    @property
    def status(self) -> list[Status]:
        return [Status(int(code)) for code in np.asarray(self.status_codes)]

    @property
    def evaluations(self) -> int:
        """Evaluations of the system that had to follow one another (paper: parallel iterations)."""
        return int(np.max(np.asarray(self.iterations))) * self.steps_per_iteration

    @property
    def exact(self) -> bool:
        """Whether every sample is certified whole."""
        return all(status is Status.CERTIFIED for status in self.status)

    @property
    def message(self) -> str:
        counts = {status: self.status.count(status) for status in dict.fromkeys(self.status)}
        return "; ".join(f"{count} of {len(self.status)} samples {status.message}" for status, count in counts.items())

    def block_until_ready(self) -> "Solution":
        jax.block_until_ready((self.value, self.status_codes))
        return self


def solve(system: System, solver: Solver, stop: Exact | Tolerance = Exact(), trace: Trace | None = None) -> Solution:
    """Solve `system` by the schedule of `solver`, from `system.initial()`, as one device program.

    Stops when every sample is certified (or within the tolerance, at the limit, or not finite). With
    `trace`, error curves of `trace.length` iterations are kept; after a sample's end they stay level.
    Raises `FFCError` where the solver does not fit the size of the system.
    """
    schedule = solver.schedule(system.size)
    limit = system.size if stop.max_iterations is None else min(stop.max_iterations, system.size)
    length, snapshots = (trace.length, trace.snapshots) if trace else (0, ())
    end = _run(system, trace.reference if trace else None, schedule, stop.tolerance, limit, length, snapshots)
    return Solution(
        value=end.x,
        status_codes=jnp.where(end.status == Status.RUNNING, Status.ITERATION_LIMIT, end.status),
        iterations=end.iterations,
        certified=end.certified,
        size=system.size,
        steps_per_iteration=schedule.block,
        history=end.history,
    )


class _Carry(NamedTuple):
    x: State
    cache: Any
    prefix: jax.Array  # [batch] blocks accepted; windows begin here
    certified: jax.Array  # [batch] blocks proven exact; equals prefix unless there is a tolerance
    status: jax.Array  # [batch]
    iterations: jax.Array  # [batch]
    step: jax.Array
    history: History | None


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5, 6))
def _run(system: System, reference, schedule: Schedule, tolerance, limit: int, length: int, snapshots) -> _Carry:
    x = system.initial()
    zeros = jnp.zeros(batch_size(x), jnp.int32)
    cached = schedule.cached and system.windowed(schedule.count, schedule.block)
    first = _Carry(
        x=x,
        cache=system.prepare(x) if cached else (),
        prefix=zeros,
        certified=zeros,
        status=zeros + Status.RUNNING,
        iterations=zeros,
        step=jnp.int32(0),
        history=None if reference is None else history.start(x, reference, length, snapshots),
    )

    def running(c: _Carry):
        return jnp.any(c.status == Status.RUNNING) & (c.step < limit)

    def body(c: _Carry) -> _Carry:
        seen = _look_through_window(system, schedule, tolerance, cached, c)
        after = _judge(system.size, schedule, c, seen)
        if c.history is not None:
            curves = history.extend(c.history, after.step, c.x, after.x, reference, snapshots)
            after = after._replace(history=curves)
        return after

    last = jax.lax.while_loop(running, body, first)
    return last._replace(
        x=select_blocks(_trusted(last, system.size), last.x, x),
        history=None if last.history is None else history.finish(last.history, last.step, last.x, snapshots),
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


def _look_through_window(system: System, schedule: Schedule, tolerance, cached: bool, c: _Carry) -> _Seen:
    start = _window_start(system, schedule, c)
    index = start[:, None] + jnp.arange(schedule.window)
    solved = index < c.prefix[:, None]
    hold = solved | (c.status != Status.RUNNING)[:, None]
    if cached:
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
    near = same if tolerance is None else pick(block_distance(before, after) <= tolerance)
    return _Seen(x, cache, start, solved, same, near, pick(block_finite(after)))


def _window_start(system: System, schedule: Schedule, c: _Carry) -> jax.Array:
    """[batch] where each sample's window begins: at its prefix, rounded down, inside the system."""
    prefix, step = c.prefix, system.group if schedule.window % system.group == 0 else 1
    if system.together:
        slowest = jnp.min(jnp.where(c.status == Status.RUNNING, prefix, system.size))
        prefix, step = jnp.full_like(prefix, slowest), (schedule.window + 1) // 2
    return jnp.minimum(prefix // step * step, system.size - schedule.window)


def _sweep_steps(system: System, schedule: Schedule, x: State, start, prefix, status) -> State:
    """An iteration by whole sweeps: step j keeps the j-th block of every run in the window."""
    offset = jnp.arange(system.size) - start[:, None]
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
        values, cache = system.window(cache, y, start + j, count, block)
        kept = _take(y, start, schedule.window)
        here = (jnp.arange(schedule.window) % block == j) & ~hold
        spread = jnp.repeat(values, block, axis=1)
        return _put(y, select_blocks(here, spread, kept), start), cache

    return step(0, (x, cache)) if block == 1 else jax.lax.fori_loop(0, block, step, (x, cache))


def _judge(size: int, schedule: Schedule, c: _Carry, seen: _Seen) -> _Carry:
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
    return _Carry(
        x=seen.x,
        cache=seen.cache,
        prefix=jnp.where(running, prefix, c.prefix),
        certified=jnp.where(running, certified, c.certified),
        status=jnp.where(running, status, c.status),
        iterations=c.iterations + running,
        step=c.step + 1,
        history=c.history,
    )


def _trusted(c: _Carry, size: int) -> jax.Array:
    """[batch, N] the blocks worth returning: all, but of a sample that broke only the certified ones."""
    return (c.status != Status.NOT_FINITE)[:, None] | (jnp.arange(size) < c.certified[:, None])


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
