"""The loop: iterations of any schedule over any system, and the certificate that ends it.

**The certificate.** When an iteration leaves the blocks 0 … p−1 as they were, bit for bit, each of them
satisfies its own equation with the others as they stand; and block p was evaluated from exactly these
blocks, so it satisfies its equation too. The system is triangular, so these p + 1 blocks are *the*
solution: the sequential answer. A schedule that evaluates runs of b blocks in order settles the whole run
that p lies in. The certified prefix so grows with every iteration, and N iterations always suffice
(paper, propositions 1 and 2), whatever guess the first one began with.

The certificate speaks of the function that was evaluated: a window and a whole sweep may differ in the
last bits, and so may their solutions.

**Drafts** (`ffc.core.drafts`) replace blocks behind the certified prefix between two iterations. The certificate
holds for any values there. If a draft makes the system overflow, the sample goes on without drafts, and its window
begins anew behind the prefix. That iteration does not count: neither for the sample, nor for others whose windows
wait for it.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core import drafts
from ffc.core.arguments import window_of
from ffc.core.carry import Carry, repeat
from ffc.core.drafts import Draft, Evaluated
from ffc.core.mesh import varying
from ffc.core.solution import Status
from ffc.core.solvers import Schedule
from ffc.core.system import (
    State,
    System,
    batch_size,
    block_agreement,
    block_count,
    block_distance,
    block_finite,
    block_size,
    indices,
    prefix_length,
    put_blocks,
    select_blocks,
    select_samples,
    take_blocks,
)
from ffc.core.windows import enters_rows, like_row_above, samples_wait, window_start


class How(NamedTuple):
    """What the loop is compiled for."""

    schedule: Schedule
    tolerant: bool  # blocks that move by little are accepted
    row_above: bool  # rows that a window meets begin as the row before them


class Limits(NamedTuple):
    """When to stop before all is certified; numbers, which may be traced."""

    iterations: jax.Array | int
    atol: jax.Array | float = 0.0  # a block is accepted when it moves by no more than this …
    rtol: jax.Array | float = 0.0  # … and this share of its largest absolute value


def start(how: How, system: System, x0: State | None, draft: Draft | None = None) -> Carry:
    """Before the first iteration: at `x0`, or at the system's own first guess."""
    x = system.initial() if x0 is None else x0
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
        drafting=None if draft is None else zeros == 0,
        memory=() if draft is None else draft.start(system, x),
        outputs=_no_outputs(system, x),
    )
    return varying(carry, (system, x0, draft))


def _no_outputs(system: System, x: State) -> Any:
    """Zeros in the shape of what a sweep returns beside its values, or nothing where the system keeps it to itself."""
    if not system.returns_outputs:
        return ()
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(system.sweep_outputs, x)[1])


def advance(how: How, system: System, c: Carry, limits: Limits, draft: Draft | None = None) -> Carry:
    """Return iterations until no sample runs any more, or as many were done as `limits` allow."""
    by_row = _cached(how, system) and enters_rows(system, how.schedule.count, how.schedule.block)

    def running(c: Carry) -> jax.Array:
        runs = c.status == Status.RUNNING
        return jnp.any(runs) & (jnp.max(c.iterations, initial=0, where=runs) < limits.iterations)

    def body(c: Carry) -> Carry:
        if how.row_above and not by_row:
            c = _meet(system, c, _start_of(how, system, c), how.schedule.window)
        outcome = _look_through_window(how, limits, system, c)
        after = _judge(system.size, how.schedule, c, outcome)
        if draft is not None:
            after = _redraft(system, how.schedule, draft, c, outcome, after)
        return after

    if not by_row:
        return repeat(running, body, c)

    def row_by_row(c: Carry) -> Carry:
        """Return iterations while the windows of all samples that run stay in their rows: a loop without a branch."""
        start, length = _start_of(how, system, c), system.row_length
        row = start // length
        if how.row_above:
            c = _meet(system, c, row * length, length)
        begun = c._replace(cache=system.enter(c.cache, c.x, start, how.schedule.count, 1))

        def inside(c: Carry) -> jax.Array:
            left = _start_of(how, system, c) // length != row
            return running(c) & ~jnp.any(left & (c.status == Status.RUNNING))

        return repeat(inside, body, begun)

    return repeat(running, row_by_row, c)


def finish(system: System, c: Carry, x0: State) -> Carry:
    """After the last iteration: of a sample that broke, its certified prefix, and `x0` from there on."""
    trusted = (c.status != Status.NOT_FINITE)[:, None] | (indices(system.size) < c.certified[:, None])
    return c._replace(
        x=select_blocks(trusted, c.x, x0),
        status=jnp.where(c.status == Status.RUNNING, Status.ITERATION_LIMIT, c.status).astype(c.status.dtype),
    )


class _Outcome(NamedTuple):
    """One iteration's new state, and what became of each block of the window."""

    x: State
    cache: Any
    start: jax.Array  # [batch] first block of the window
    solved: jax.Array  # [batch, window] the block was accepted before
    same: jax.Array  # [batch, window] unchanged, bit for bit
    near: jax.Array  # [batch, window] unchanged, or within the tolerance
    finite: jax.Array  # [batch, window]
    evaluated: Evaluated  # what a draft goes on from


def _cached(how: How, system: System) -> bool:
    return how.schedule.cached and system.supports_window(how.schedule.count, how.schedule.block)


def _meet(system: System, c: Carry, start: jax.Array, count: int) -> Carry:
    """Return the carry before windows meet `count` blocks from `start` [batch] on: new ones are like the row above."""
    index = start[:, None] + indices(count)
    return c._replace(x=like_row_above(system, c.x, c.met, index), met=jnp.maximum(c.met, start + count))


def _start_of(how: How, system: System, c: Carry) -> jax.Array:
    return window_start(system, how.schedule.window, c.prefix, c.status == Status.RUNNING, how.schedule.together)


def _look_through_window(how: How, limits: Limits, system: System, c: Carry) -> _Outcome:
    schedule = how.schedule
    start = _start_of(how, system, c)
    index = start[:, None] + indices(schedule.window)
    solved = index < c.prefix[:, None]
    hold = solved | (c.status != Status.RUNNING)[:, None]
    if _cached(how, system):
        before = take_blocks(c.x, start, schedule.window)
        after, outputs, cache = _window_steps(system, schedule, c, start, before, hold)
        x, begin, pick = put_blocks(c.x, after, start), start, jnp.asarray
        # Without a draft, a GPU writes the state alone, and no array for the window.
        after = take_blocks(x, start, schedule.window) if c.drafting is None else after
    else:
        x, outputs = _sweep_steps(system, schedule, c, start)
        before, after, cache = c.x, x, c.cache
        begin, pick = jnp.zeros_like(start), functools.partial(jnp.take_along_axis, indices=index, axis=1)
        pick = jnp.asarray if schedule.window == system.size else pick
    same = pick(block_agreement(before, after))
    near = pick(_near(limits, before, after)) if how.tolerant else same
    evaluated = Evaluated(c.x, begin, before, after, outputs, first=begin)
    return _Outcome(x, cache, start, solved, same, near, pick(block_finite(after)), evaluated)


def _near(limits: Limits, before: State, after: State) -> jax.Array:
    return block_distance(before, after) <= limits.atol + limits.rtol * block_size(after)


def _sweep_steps(system: System, schedule: Schedule, c: Carry, start: jax.Array) -> tuple[State, Any]:
    """Return an iteration by whole sweeps: step j keeps the j-th block of every run in the window. Outputs, too."""
    offset = indices(system.size) - start[:, None]
    inside = (offset >= 0) & (offset < schedule.window) & (offset + start[:, None] >= c.prefix[:, None])
    inside &= (c.status == Status.RUNNING)[:, None]
    if c.drafting is not None or (system.returns_outputs and schedule.block == 1):
        values, outputs = system.sweep_outputs(c.x)
        return select_blocks(inside, values, c.x), outputs

    def step(j, y):
        return select_blocks(inside & (offset % schedule.block == j), system.sweep(y), y)

    return step(0, c.x) if schedule.block == 1 else jax.lax.fori_loop(0, schedule.block, step, c.x), ()


def _window_steps(
    system: System, schedule: Schedule, c: Carry, start: jax.Array, before: jax.Array, hold: jax.Array
) -> tuple[jax.Array, Any, Any]:
    """Return the window after an iteration: step j evaluates the j-th block of every run. Outputs, cache."""
    count, block = schedule.count, schedule.block
    if c.drafting is not None:
        values, outputs, cache = system.window_outputs(c.cache, c.x, start, count)
        return select_blocks(hold, before, values), outputs, cache
    if block == 1:
        values, cache = window_of(system, c.cache, c.x, start, count, 1)
        return select_blocks(hold, before, values), (), cache

    def step(j, carry):
        y, cache = carry
        values, cache = window_of(
            system, cache, put_blocks(c.x, y, start), start + jnp.asarray(j, start.dtype), count, block
        )
        here = (indices(schedule.window) % block == j) & ~hold
        return select_blocks(here, jnp.repeat(values, block, axis=1), y), cache

    begun = system.enter(c.cache, c.x, start, count, block)
    after, cache = jax.lax.fori_loop(0, block, step, (before, begun))
    return after, (), cache


def _judge(size: int, schedule: Schedule, c: Carry, outcome: _Outcome) -> Carry:
    """Extend the prefixes by what the iteration proved, and end the samples that are done."""
    running = c.status == Status.RUNNING
    sound = outcome.start + prefix_length(outcome.finite | outcome.solved)

    def reach(agrees):
        runs = prefix_length(agrees) // schedule.block + 1
        return outcome.start + jnp.minimum(runs * schedule.block, schedule.window)

    accepted = reach(outcome.near | outcome.solved)
    prefix = jnp.maximum(c.prefix, jnp.minimum(accepted, sound))
    # Blocks accepted within a tolerance are not evaluated again: beyond them nothing is proven any more.
    proven = jnp.maximum(c.certified, jnp.minimum(reach(outcome.same | outcome.solved), sound))
    certified = jnp.where(c.prefix == c.certified, proven, c.certified)
    # Behind what was evaluated from accepted blocks alone, a draft may be to blame.
    broken = sound < (outcome.start + schedule.window if c.drafting is None else accepted)
    # Not by `jnp.select`, which takes an argmax: a launch more on a GPU.
    status = jnp.where(prefix == size, Status.WITHIN_TOLERANCE, Status.RUNNING)
    status = jnp.where(broken, Status.NOT_FINITE, jnp.where(certified == size, Status.CERTIFIED, status))
    return c._replace(
        x=outcome.x,
        cache=outcome.cache,
        prefix=jnp.where(running, prefix, c.prefix),
        certified=jnp.where(running, certified, c.certified),
        status=jnp.where(running, status, c.status).astype(c.status.dtype),
        iterations=c.iterations + running,
        outputs=select_samples(running, outcome.evaluated.outputs, c.outputs) if jax.tree.leaves(c.outputs) else (),
    )


def _redraft(system: System, schedule: Schedule, draft: Draft, c: Carry, outcome: _Outcome, after: Carry) -> Carry:
    """`after` with the draft's values behind the prefix; a sample that the draft has spoiled begins there anew."""
    drafting = (c.status == Status.RUNNING) & jnp.asarray(c.drafting)
    begin = outcome.evaluated.start
    index = begin[:, None] + indices(block_count(outcome.evaluated.after))
    behind = (index >= after.prefix[:, None]) & (index < outcome.start[:, None] + schedule.window)
    evaluated = outcome.evaluated._replace(first=after.prefix - 1 - begin)
    values, memory = drafts.values(draft, system, evaluated, behind & drafting[:, None], c.memory)
    spoiled = drafting & (after.status == Status.NOT_FINITE)
    uncounted = jnp.any(spoiled) if samples_wait(system, schedule.together) else spoiled
    # Without a branch, for which a GPU waits. No draft has touched what lies behind the window.
    anew = jax.tree.map(lambda leaf, new: take_blocks(leaf, begin, new.shape[1]), system.initial(), values)
    values = select_blocks(spoiled[:, None] & behind, anew, values)
    return after._replace(
        x=jax.tree.map(lambda leaf, new: put_blocks(leaf, new, begin), c.x, values),
        status=jnp.where(spoiled, Status.RUNNING, after.status).astype(after.status.dtype),
        iterations=jnp.where(uncounted, c.iterations, after.iterations),
        drafting=jnp.asarray(c.drafting) & ~spoiled,
        memory=memory,
    )
