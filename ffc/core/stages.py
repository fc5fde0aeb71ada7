"""Finished samples leave the batch, so that they cost nothing more.

The loop stops when half of the samples are done, the others are gathered into a batch of half the size, and
it goes on with them. Each size is a program of its own: compiled once, and worth it for long solves only.
"""

import jax
import numpy as np

from ffc.core import loop, programs
from ffc.core.history import Trace
from ffc.core.solution import Status
from ffc.core.solvers import Solver


def run(plan: programs.Plan, trace: Trace | None, adjoint: Solver) -> loop.Carry:
    """What `programs.whole` comes to, in stages of halving batches."""
    how, system, guess, limits, draft = plan
    part = programs.start(how, system, guess, trace, draft)
    first = whole = part._replace(cache=())
    rest, curves, alive = system, trace, np.arange(len(first.status))
    while True:
        part = programs.advance(how, rest, part, curves, limits, draft, _half(len(alive)) % max(1, len(alive)))
        whole = _put(whole, part, alive)
        running = np.asarray(part.status) == Status.RUNNING
        if not running.any() or np.asarray(part.iterations)[running].max() >= limits.iterations:
            return programs.finish(adjoint, system, whole, first.x, trace)
        kept = _kept(running)
        part, alive = _take(part, kept), alive[kept]
        rest, curves = system.select_samples(alive), trace and trace.select_samples(alive)


def _half(samples: int) -> int:
    return (samples + 1) // 2


def _kept(running: np.ndarray) -> np.ndarray:
    """The running samples; finished ones fill up the smallest batch, of those found by halving, that holds them."""
    size = len(running)
    while size > 1 and _half(size) >= running.sum():
        size = _half(size)
    return np.sort(np.argsort(~running, kind="stable")[:size])


@jax.jit
def _take(c: loop.Carry, index: jax.Array) -> loop.Carry:
    rows = jax.tree.map(lambda leaf: leaf[index], c._replace(history=None))
    return rows._replace(history=jax.tree.map(lambda curve: curve[:, index], c.history))


@jax.jit
def _put(whole: loop.Carry, part: loop.Carry, index: jax.Array) -> loop.Carry:
    """`whole` with the samples of `part`; the cache is of no use any more."""
    bare, new = whole._replace(history=None), part._replace(cache=(), history=None)
    rows = jax.tree.map(lambda leaf, values: leaf.at[index].set(values), bare, new)
    curves = jax.tree.map(lambda curve, values: curve.at[:, index].set(values), whole.history, part.history)
    return rows._replace(history=curves)
