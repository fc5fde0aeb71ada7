"""The loop as three programs: what runs it whole or step by step shares what is compiled.

The second one takes long to compile. Where it stops is an argument. So a solve can be run without a stop, which is how
it is timed, and again with a look at every iterate, bit for bit the same. None of it has derivatives: those of the
answer are no matter of iterations (`ffc.core.gradients`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from ffc.core import gradients, loop
from ffc.core.carry import Carry
from ffc.core.compiled import compiled
from ffc.core.drafts import Draft
from ffc.core.history import Iterate
from ffc.core.solution import Status
from ffc.core.solvers import Solver
from ffc.core.system import State, System


class Plan(NamedTuple):
    """Hold the arguments of the programs of a solve."""

    how: loop.How
    system: System  # in step where samples keep together
    x0: State | None
    limits: loop.Limits
    draft: Draft | None


@compiled(0)
def start(how: loop.How, system: System, x0: State | None, draft: Draft | None = None) -> Carry:
    """`loop.start`."""
    return loop.start(how, *jax.lax.stop_gradient((system, x0, draft)))


@compiled(0)
def advance(how: loop.How, system: System, c: Carry, limits: loop.Limits, draft: Draft | None = None) -> Carry:
    """`loop.advance`."""
    return loop.advance(how, *jax.lax.stop_gradient((system, c, limits, draft)))


@compiled(0)
def finish(adjoint: Solver, system: System, c: Carry, x0: State) -> Carry:
    """`loop.finish`, without the cache; its state has derivatives by `system`, which `adjoint` solves for."""
    still, first = jax.lax.stop_gradient((system, x0))
    end = loop.finish(still, c, first)  # `c` has no derivatives, or `differentiable` says why
    x = gradients.differentiable(adjoint, system, end)
    outputs = gradients.outputs(system, x, end.outputs) if system.returns_outputs else ()
    return end._replace(x=x, outputs=outputs, cache=(), memory=())


def whole(plan: Plan, adjoint: Solver) -> Carry:
    """All three, one after the other, without a stop."""
    how, system, x0, limits, draft = plan
    c = start(how, system, x0, draft)
    first = c.x
    return finish(adjoint, system, advance(how, system, c, limits, draft), first)


def iterates(plan: Plan, iterations: int) -> Iterator[Iterate]:
    """Yield what a solve of so many `iterations` comes to, by its own programs and a stop after each of them."""
    how, system, x0, _, draft = plan
    c = start(how, system, x0, draft)
    yield Iterate(c.x, c.iterations, c.certified)
    while (running := np.asarray(c.status) == Status.RUNNING).any():
        done = int(np.asarray(c.iterations)[running].max())
        if done >= iterations:
            break
        c = advance(how, system, c, loop.Limits(done + 1), draft)
        yield Iterate(c.x, c.iterations, c.certified)
