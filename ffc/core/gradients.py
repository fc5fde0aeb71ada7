"""Gradients through a solve: derivatives of its solution are solutions of triangular systems themselves.

By the implicit function theorem, the solution of x = F(x, θ), with θ the floating-point arrays of the system, moves as

    dx = J dx + ∂F/∂θ dθ,   J = ∂F/∂x.

With v = ∂L/∂x where a loss L reads it, ∂L/∂θ = λᵀ ∂F/∂θ for the adjoints

    λ = v + Jᵀ λ.

J is strictly lower triangular, so both are triangular systems, the second in reversed order of blocks, as the adjoints
of a recurrence are (`ffc.recurrence.gradients`). The loop solves them as it solves any other, with its certificate. F
is the system's `sweep`, linearised once at the solution: memory does not grow with iterations, and how the solution
was found does not matter.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from ffc.core import loop
from ffc.core.arguments import schedule_of
from ffc.core.compiled import standard_modes
from ffc.core.errors import FFCError
from ffc.core.solution import Status
from ffc.core.solvers import Schedule, Solver
from ffc.core.system import State, System, indices, select_blocks


def differentiable(adjoint: Solver, system: System, end: loop.Carry) -> State:
    """The state that a solve ended with, differentiable by `system`; `adjoint` solves the linear systems for that.

    The solve itself is no matter of derivatives (`jax.lax.stop_gradient`): the first guess, the limits and the curves
    of a trace have none. Raises `FFCError` where a system that has no derivatives is differentiated.
    """
    lost = (end.status == Status.NOT_FINITE)[:, None] & (indices(system.size) >= end.certified[:, None])
    return _solution(adjoint, system, end.x, lost)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _solution(adjoint: Solver, system: System, x: State, lost: jax.Array) -> State:
    """`x`; blocks that are `lost` [batch, N] are no solution."""
    return x


@functools.partial(_solution.defjvp, symbolic_zeros=True)
@standard_modes()
def _solution_jvp(adjoint: Solver, primals: tuple, tangents: tuple) -> tuple[State, State]:
    system, *_, lost = primals
    x = _solution(adjoint, *primals)
    if not all(isinstance(tangent, SymbolicZero) for tangent in jax.tree.leaves(tangents[1])):
        # The loop has no derivatives by what it takes as arguments: something else has come in.
        raise FFCError(
            f"system: {type(system).__name__} computes by a value that is differentiated, and is no field of it; "
            "make the value a field: derivatives are those by the arrays that a system holds"
        )
    if system.discrete or not all(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(x)):
        raise FFCError(
            f"system: the values of {type(system).__name__} are rounded or whole numbers, which have no derivative; "
            "solve jax.lax.stop_gradient(system), or a system that does not round"
        )
    try:
        change = _implicit(schedule_of(adjoint, system.size), system, x, tangents[0])
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise FFCError(f"system: sweep of {type(system).__name__} cannot be differentiated ({reason})") from error
    known = select_blocks(lost, _full(x, jnp.nan), _full(x, 1))
    return x, jax.tree.map(jnp.multiply, change, known)


def _implicit(linear: Schedule, system: System, x: State, change: System) -> State:
    """dx = J dx + ∂F/∂θ dθ at the solution `x`, for dθ = `change`; its transpose solves for the adjoints."""
    jacobian = jax.linearize(lambda x: system.sweep(x), x)[1]
    transposed = jax.linear_transpose(jacobian, x)

    def matvec(packed: jax.Array) -> jax.Array:
        dx = _unpacked(packed, x)
        return _packed(jax.tree.map(jnp.subtract, dx, jacobian(dx)))

    def solve(_: Callable, source: jax.Array) -> jax.Array:
        return _packed(_solve(linear, Affine(_unpacked(source, x), jacobian)))

    def transpose_solve(_: Callable, v: jax.Array) -> jax.Array:
        def earlier(later: State) -> State:
            return _reversed(transposed(_reversed_like(x, later))[0])

        return _packed(_reversed_like(x, _solve(linear, Affine(_reversed(_unpacked(v, x)), earlier))))

    # As one array: JAX does not transpose a linear solve some of whose right-hand sides are constant zeros.
    source = _packed(_direct(system, x, change))
    return _unpacked(jax.lax.custom_linear_solve(matvec, source, solve, transpose_solve), x)


def _direct(system: System, x: State, change: System) -> State:
    """∂F/∂θ dθ at `x`; leaves of `system` that do not change are no variables."""
    leaves, tree = jax.tree.flatten(system)
    changes = {i: leaf for i, leaf in enumerate(jax.tree.leaves(change)) if not isinstance(leaf, SymbolicZero)}

    def swept(moved: dict[int, jax.Array]) -> State:
        return jax.tree.unflatten(tree, [moved.get(i, leaf) for i, leaf in enumerate(leaves)]).sweep(x)

    return jax.jvp(swept, ({i: leaves[i] for i in changes},), (changes,))[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Affine(System):
    """y = source + A y, with A strictly lower triangular in blocks."""

    source: State
    matrix: Callable[[State], State] = field(metadata={"static": True})  # y ↦ A y

    @property
    def size(self) -> int:
        return sum(leaf.shape[1] for leaf in jax.tree.leaves(self.source))

    def initial(self) -> State:
        return self.source

    def sweep(self, x: State) -> State:
        return jax.tree.map(jnp.add, self.source, self.matrix(x))


@standard_modes()
def _solve(schedule: Schedule, system: Affine) -> State:
    """The solution of an affine system; NaN where numbers overflow, as a derivative has no status to say so."""
    how = loop.How(schedule, tolerant=False, row_above=False)
    first = loop.start(how, system, None, None)
    end = loop.advance(how, system, first, None, loop.Limits(system.size))
    return select_blocks(indices(system.size) < end.certified[:, None], end.x, _full(end.x, jnp.nan))


def _full(x: State, value: Any) -> State:
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), x)


def _reversed(x: State) -> tuple[jax.Array, ...]:
    """The state with its last block first."""
    return tuple(leaf[:, ::-1] for leaf in reversed(jax.tree.leaves(x)))


def _reversed_like(like: State, x: tuple[jax.Array, ...]) -> State:
    """What `_reversed` was given, a state of the structure of `like`."""
    return jax.tree.unflatten(jax.tree.structure(like), _reversed(x))


def _packed(x: State) -> jax.Array:
    """[batch, numbers in all blocks]."""
    return jnp.concatenate([leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) for leaf in jax.tree.leaves(x)], axis=1)


def _unpacked(packed: jax.Array, like: State) -> State:
    """What `_packed` was given, a state in the shapes and dtypes of `like`."""
    leaves, tree = jax.tree.flatten(like)
    ends = list(itertools.accumulate(math.prod(leaf.shape[1:]) for leaf in leaves))
    parts = jnp.split(packed, ends[:-1], axis=1)
    return jax.tree.unflatten(
        tree, [part.reshape(leaf.shape).astype(leaf.dtype) for part, leaf in zip(parts, leaves, strict=True)]
    )
