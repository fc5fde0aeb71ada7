"""What `solve` and `check` are given, looked at before anything runs: each mistake is one sentence that names it."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.history import Trace
from ffc.core.keys import key_of
from ffc.core.solvers import Schedule
from ffc.core.system import State, System


def schedule_of(solver: Any, size: int) -> Schedule:
    """The schedule of `solver` for a system of `size` blocks, or `FFCError`."""
    if isinstance(solver, type) or not hasattr(solver, "schedule"):
        hint = f"{solver.__name__}()" if isinstance(solver, type) else "Jacobi(), say"
        raise FFCError(f"solver: {solver!r} is no solver; give {hint}")
    if size == 0:
        return Schedule(window=0, block=1, cached=False)
    return solver.schedule(size)


def state_of(system: Any) -> State:
    """The shapes and dtypes of the states of `system`, or `FFCError` where it is none that can be solved."""
    if isinstance(system, type) or not isinstance(system, System):
        raise FFCError(f"system: {_name(system)} is no System; give an object of a subclass of ffc.System")
    leaves, tree = jax.tree.flatten(system)
    if any(leaf is system for leaf in leaves):
        raise FFCError(
            f"system: JAX does not know the class {_name(system)}; write @jax.tree_util.register_dataclass above "
            "its @dataclass(frozen=True)"
        )
    return _state_of(tree, tuple(_kind_of(system, leaf) for leaf in leaves))


@functools.lru_cache(maxsize=1024)
def _state_of(tree: Any, kinds: tuple[tuple[tuple[int, ...], Any], ...]) -> State:
    """The same of a system with leaves of these shapes and dtypes: found once, as a solve may take microseconds."""
    system = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    first = jax.eval_shape(lambda system: system.initial(), system)
    _check_state(system, first)
    swept = jax.eval_shape(lambda system: system.sweep(system.initial()), system)
    if (expected := _described(first)) != (found := _described(swept)):
        raise FFCError(f"system: sweep of {_name(system)} returns {found}; initial returns {expected}: let them agree")
    return first


def _kind_of(system: Any, leaf: Any) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype of a leaf of `system`."""
    if hasattr(leaf, "dtype"):
        return np.shape(leaf), leaf.dtype
    if isinstance(leaf, int | float | complex):
        return (), jnp.result_type(leaf)
    raise FFCError(
        f"system: {_name(system)} holds {leaf!r}, which is no array; mark its field as static: "
        'field(metadata={"static": True})'
    )


def guess_of(guess: Any, expected: State) -> State:
    """`guess` in the dtypes of the system's states, if it has their structure and shapes."""
    found, wanted = _shapes(guess), _shapes(expected)
    if found == wanted:
        return jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), guess, expected)
    if isinstance(guess, list) and not isinstance(expected, list):
        raise FFCError(f"guess: it is a list; give a state of this system, with the shape {wanted}")
    raise FFCError(f"guess: it has the shape {found}; a state of this system has {wanted}")


def check_trace(trace: Trace, expected: State) -> None:
    """`FFCError` unless the reference of `trace` is a state of the system."""
    if not isinstance(trace, Trace):
        raise FFCError(f"trace: {trace!r} is no Trace; give Trace(reference, length)")
    if (found := _shapes(trace.reference)) != (wanted := _shapes(expected)):
        raise FFCError(f"trace: its reference has the shape {found}; a state of this system has {wanted}")


def check_tolerance(expected: State) -> None:
    """`FFCError` where "within a tolerance" has no meaning for the states of a system."""
    if any(leaf.dtype == jnp.bool_ for leaf in jax.tree.leaves(expected)):
        raise FFCError("stop: a tolerance means nothing for truth values, which are the same or not; give Exact()")


def check_example(system: System, expected: State) -> None:
    """`FFCError` unless `example` gives states of the system."""
    found = jax.eval_shape(lambda system: system.example(key_of(0)), system)
    if (described := _described(found)) != (wanted := _described(expected)):
        raise FFCError(f"system: example of {_name(system)} gives {described}; a state has {wanted}: let them agree")


def blocks_of(blocks: Iterable[int] | None, size: int) -> Sequence[int]:
    """The numbers of `blocks` in a system of `size` blocks; None: all."""
    if blocks is None:
        return range(size)
    numbers = tuple(blocks)
    for number in numbers:
        if number not in range(size):
            raise FFCError(f"blocks: {number!r} is no block of this system; give numbers from 0 to {size - 1}")
    return numbers


def check_outside_jit(system: System, argument: str) -> None:
    """`FFCError` where the arrays of `system` are being traced."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(system)):
        raise FFCError(
            f"{argument}: not inside jit, vmap or grad: it runs programs of several sizes; leave it out there"
        )


def _check_state(system: System, state: State) -> None:
    leaves = jax.tree.leaves(state)
    if not leaves:
        raise FFCError(f"system: initial of {_name(system)} returns no array; a state has one at least")
    if any(leaf.ndim < 2 for leaf in leaves) or len({leaf.shape[0] for leaf in leaves}) != 1:
        raise FFCError(
            f"system: initial of {_name(system)} has the shape {_shapes(state)}; the leaves of a state are "
            "[batch, blocks, ...], with one batch"
        )
    blocks = sum(leaf.shape[1] for leaf in leaves)
    if blocks != system.size:
        raise FFCError(
            f"system: the size of {_name(system)} is {system.size}, but initial returns {blocks} blocks "
            f"(shape {_shapes(state)}); let size be the second axis of a state"
        )


def _shapes(state: State) -> Any:
    return jax.tree.map(lambda leaf: tuple(np.shape(leaf)), state)


def _described(state: State) -> str:
    return str(jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", state))


def _name(system: Any) -> str:
    return repr(system) if isinstance(system, type) else type(system).__name__
