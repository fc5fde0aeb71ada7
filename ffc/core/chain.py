"""A chain of solves: link after link of a system, each by a solver of its own.

Where a system is a chain (`System.links`), the blocks of a link need only those of the link before and their own. A
solver for all of it has one window for links that may settle quickly or slowly. `Chained` solves each link as a system
by itself, whose answer is certified before the next link begins: so the certificate of the chain is that of its links.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.errors import FFCError
from ffc.core.history import History, Trace
from ffc.core.solution import Solution
from ffc.core.solvers import Chained, Sequential, Solver
from ffc.core.system import State, System, batch_size, indices


def in_links(solver: Solver, system: System) -> Solver:
    """`solver`, link by link where that takes the same steps for less: one block after the other, by windows."""
    if system.links and isinstance(solver, Sequential) and solver.cached:
        return Chained((solver,) * system.links)
    return solver


def check_links(solver: Chained, system: System) -> None:
    """`FFCError` where `system` is no chain, or one of other length."""
    if system.links != len(solver.solvers):
        told = f"is a chain of {system.links} links" if system.links else "is no chain; give Jacobi() or GSJacobi, say"
        raise FFCError(f"solver: Chained has {len(solver.solvers)} solvers; {type(system).__name__} {told}")


def solve_links(
    one: Callable[[System, Solver, jax.Array | int, Trace | None, State | None], Solution],
    system: System,
    solver: Chained,
    most: jax.Array | int,
    trace: Trace | None,
    guess: State | None,
    above: bool,
) -> Solution:
    """All links in order, by `one(link, solver, max_iterations, trace, guess)`, as one solution of `system`.

    A slow sample holds the others up at the end of each link; `iterations` are each sample's own.
    """
    length = system.size // system.links
    parts: list[Solution] = []
    begun = jnp.zeros(batch_size(jax.eval_shape(system.initial)), jnp.int32)
    before = None
    for number, of_link in enumerate(solver.solvers):
        link, blocks = system.link(number, before), slice(number * length, (number + 1) * length)
        first = None if guess is None else guess[:, blocks]
        if above or (guess is None and solver.begins_above(number)):
            first = system.link_above(number, before)
        part_of = None if trace is None else replace(trace, reference=trace.reference[:, blocks], begun=begun)
        parts.append(one(link, of_link, most - jnp.max(begun, initial=0), part_of, first))
        before, begun = parts[-1].value, begun + parts[-1].iterations
    return _joined(parts, trace)


def _joined(parts: list[Solution], trace: Trace | None) -> Solution:
    """The solutions of all links as one: blocks of a link are certain where all links before it are."""
    certified = _leading([part.certified for part in parts], parts[0].size)
    return Solution(
        value=jnp.concatenate([part.value for part in parts], axis=1),
        status_codes=functools.reduce(jnp.maximum, [part.status_codes for part in parts]),
        iterations=functools.reduce(jnp.add, [part.iterations for part in parts]),
        certified=certified,
        size=sum(part.size for part in parts),
        steps_per_iteration=1,
        history=None if trace is None else _history(parts, trace),
    )


def _leading(certified: list[jax.Array], length: int) -> jax.Array:
    """Blocks of the chain, from those of its links: a link counts if all before it have all of their `length`."""
    total, whole = jnp.zeros_like(certified[0]), jnp.ones_like(certified[0], bool)
    for count in certified:
        total, whole = total + jnp.where(whole, count, 0), whole & (count == length)
    return total


def _history(parts: list[Solution], trace: Trace) -> History:
    """The curves of the chain: each link's from where the ones before it ended, on the first guess till then."""
    begun = jnp.zeros_like(parts[0].iterations)
    found: list[History] = []
    for part in parts:
        at = indices(trace.length + 1)[:, None] - begun
        found.append(_shifted(part.history, at))
        begun = begun + part.iterations
    return History(
        l2=jnp.sqrt(sum(one.l2**2 for one in found)),
        largest=functools.reduce(jnp.maximum, [one.largest for one in found]),
        change=jnp.sqrt(sum(one.change**2 for one in found)),
        certified=_leading([one.certified for one in found], parts[0].size),
        snapshots=jnp.concatenate([one.snapshots for one in found], axis=2),
    )


def _shifted(history: Any, at: jax.Array) -> History:
    """The curves of a link at its own iterations `at` [length + 1, batch]; before it begins, nothing moves."""
    row = jnp.maximum(at, 0)
    taken = {name: jnp.take_along_axis(getattr(history, name), row, axis=0) for name in ("l2", "largest", "certified")}
    change = jnp.where(at > 0, jnp.take_along_axis(history.change, row, axis=0), 0)
    return history._replace(**taken, change=change)
