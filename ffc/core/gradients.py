"""Gradients through a solve: derivatives of its solution are solutions of triangular systems themselves.

By the implicit function theorem, the solution of x = F(x, θ), with θ the floating-point arrays of the system, moves as

    dx = J dx + ∂F/∂θ dθ,   J = ∂F/∂x.

With v = ∂L/∂x where a loss L reads it, ∂L/∂θ = λᵀ ∂F/∂θ for the adjoints

    λ = v + Jᵀ λ.

J is strictly lower triangular, so both are triangular systems, the second in reversed order of blocks: `System.linear`
has them. The loop solves them as it solves any other, with its certificate. F is the system's `sweep`, linearised once
at the solution: memory does not grow with iterations, and how the solution was found does not matter.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.flatten_util import ravel_pytree

from ffc.core import loop
from ffc.core.arguments import schedule_of
from ffc.core.carry import Carry
from ffc.core.compiled import standard_modes
from ffc.core.errors import FFCError, reason_of
from ffc.core.linear import Linear, backwards, backwards_like
from ffc.core.solution import Status
from ffc.core.solvers import Solver
from ffc.core.system import State, System, block_size, indices, select_blocks


def differentiable(adjoint: Solver, system: System, end: Carry) -> State:
    """Return the state that a solve ended with, differentiable by `system`; `adjoint` solves for its derivatives.

    The solve itself is no matter of derivatives (`jax.lax.stop_gradient`): the first guess and the limits have
    none. Raises `FFCError` where a system that has no derivatives is differentiated.
    """
    lost = (end.status == Status.NOT_FINITE)[:, None] & (indices(system.size) >= end.certified[:, None])
    return _solution(adjoint, system, end.x, lost)


@jax.custom_jvp
def outputs(system: System, x: State, value: Any) -> Any:
    """Return `value`, what a solve's last sweep found beside its values `x`, differentiable by `system` and `x`."""
    return value


@outputs.defjvp
def _outputs_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    system, x, value = primals
    return value, jax.jvp(lambda system, x: system.sweep_outputs(x)[1], (system, x), tangents[:2])[1]


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
        change = _implicit(adjoint, system, x, tangents[0])
    except (TypeError, ValueError, NotImplementedError) as error:
        name, reason = type(system).__name__, reason_of(error)
        raise FFCError(f"system: sweep of {name} cannot be differentiated ({reason})") from error
    factor = select_blocks(lost, _full(x, jnp.nan), _full(x, 1))
    return x, jax.tree.map(jnp.multiply, change, factor)


def _implicit(solver: Solver, system: System, x: State, change: System) -> State:
    """dx = J dx + ∂F/∂θ dθ at the solution `x`, for dθ = `change`; its transpose solves for the adjoints."""
    linear = system.linear(x) or Linear(system, x)
    # As one array: JAX does not transpose a linear solve some of whose right-hand sides are constant zeros.
    source, unpacked = ravel_pytree(_direct(system, x, change))

    def matvec(packed: jax.Array) -> jax.Array:
        dx = unpacked(packed)
        return ravel_pytree(jax.tree.map(jnp.subtract, dx, linear.times(dx)))[0]

    def solved(source: State, transposed: bool) -> State:
        # A power of two changes no other bit.
        unit = _unit(source)
        scaled = _scaled(source, 1 / unit)
        of = linear.adjoint(scaled) if transposed else linear.tangent(scaled)
        return _scaled(_solve(solver, of, transposed), unit)

    def solve(_: Callable, source: jax.Array) -> jax.Array:
        return ravel_pytree(solved(unpacked(source), transposed=False))[0]

    def transpose_solve(_: Callable, v: jax.Array) -> jax.Array:
        return ravel_pytree(backwards_like(x, solved(backwards(unpacked(v)), transposed=True)))[0]

    return unpacked(jax.lax.custom_linear_solve(matvec, source, solve, transpose_solve))


def _direct(system: System, x: State, change: System) -> State:
    """∂F/∂θ dθ at `x`; leaves of `system` that do not change are no variables."""
    leaves, tree = jax.tree.flatten(system)
    changes = {i: leaf for i, leaf in enumerate(jax.tree.leaves(change)) if not isinstance(leaf, SymbolicZero)}

    def swept(moved: dict[int, jax.Array]) -> State:
        return jax.tree.unflatten(tree, [moved.get(i, leaf) for i, leaf in enumerate(leaves)]).sweep(x)

    return jax.jvp(swept, ({i: leaves[i] for i in changes},), (changes,))[1]


@standard_modes()
def _solve(linear: Solver, system: System, transposed: bool) -> State:
    """Return the solution of a linear system; NaN where numbers overflow, as a derivative has no status to say so.

    A draft moves last bits for ever: with one, blocks that move by some units in the last place are accepted.
    """
    draft = getattr(linear, "draft", None)
    draft = draft and draft.linear(transposed)
    how = loop.How(schedule_of(linear, system.size), tolerant=draft is not None, row_above=False)
    first = loop.start(how, system, None, draft)
    rounding = 32 * max(float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(first.x))  # of numbers of order 1
    end = loop.advance(how, system, first, loop.Limits(system.size, rounding, rounding), draft)
    return select_blocks(indices(system.size) < end.prefix[:, None], end.x, _full(end.x, jnp.nan))


def _unit(x: State) -> jax.Array:
    """[batch] a power of two near each sample's largest number: over it, tolerances mean what they do for states."""
    largest = jnp.max(block_size(x), axis=1, initial=0)
    exponent = jnp.ceil(jnp.log2(jnp.maximum(largest, jnp.finfo(largest.dtype).tiny)))
    return jnp.where(jnp.isfinite(largest) & (largest > 0), jnp.exp2(exponent), 1)


def _scaled(x: State, factor: jax.Array) -> State:
    return jax.tree.map(lambda leaf: jax.vmap(lambda row, by: row * by.astype(leaf.dtype))(leaf, factor), x)


def _full(x: State, value: Any) -> State:
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), x)
