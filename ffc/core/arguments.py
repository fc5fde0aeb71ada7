"""What `solve` and `check` are given, looked at before anything runs: each mistake is one sentence that names it."""

import functools
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.drafts import Draft
from ffc.core.errors import FFCError, reason_of
from ffc.core.keys import key_of
from ffc.core.solvers import Schedule
from ffc.core.system import Cache, State, System, described


def schedule_of(solver: Any, size: int) -> Schedule:
    """Return the schedule of `solver` for a system of `size` blocks, or `FFCError`."""
    if isinstance(solver, type) or not hasattr(solver, "schedule"):
        hint = f"{solver.__name__}()" if isinstance(solver, type) else "Jacobi(), say"
        raise FFCError(f"solver: {solver!r} is no solver; give {hint}")
    if size == 0:
        return Schedule(window=0, block=1, cached=False)
    return solver.schedule(size)


def draft_of(solver: Any, schedule: Schedule) -> Draft | None:
    """Return the draft of `solver`, if it has one; `FFCError` where it is none, or of no use."""
    draft = getattr(solver, "draft", None)
    if draft is None:
        return None
    if isinstance(draft, type) or not isinstance(draft, Draft):
        raise FFCError(f"draft: {draft!r} is no Draft; give an object of a subclass of ffc.Draft")
    _leaves_of("draft", draft)
    if schedule.block > 1:
        raise FFCError(f"draft: {_name(solver)} evaluates blocks in order, and takes none; give Jacobi or GSJacobi")
    return draft


def state_of(system: Any) -> State:
    """Return the shapes and dtypes of the states of `system`, or `FFCError` where it is none that can be solved."""
    if isinstance(system, type) or not isinstance(system, System):
        raise FFCError(f"system: {_name(system)} is no System; give an object of a subclass of ffc.System")
    leaves, tree = _leaves_of("system", system)
    return _state_of(tree, tuple(_kind_of(system, leaf) for leaf in leaves))


def _leaves_of(name: str, value: Any) -> tuple[list[Any], Any]:
    """Return the leaves of an argument and its structure, or `FFCError` where it is a leaf itself."""
    leaves, tree = jax.tree.flatten(value)
    if any(leaf is value for leaf in leaves):
        raise FFCError(
            f"{name}: JAX does not know the class {_name(value)}; write @jax.tree_util.register_dataclass above "
            "its @dataclass(frozen=True)"
        )
    return leaves, tree


@functools.lru_cache(maxsize=1024)
def _state_of(tree: Any, kinds: tuple[tuple[tuple[int, ...], Any], ...]) -> State:
    """Return `state_of` a system with leaves of these shapes and dtypes; kept, as a solve may take microseconds."""
    system = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    first = _shape_of(system, "initial", lambda system: system.initial())
    _check_state(system, first)
    swept = _shape_of(system, "sweep", lambda system: system.sweep(system.initial()))
    if (expected := described(first)) != (actual := described(swept)):
        raise FFCError(f"system: sweep of {_name(system)} returns {actual}; initial returns {expected}: let them agree")
    return first


def _shape_of(system: System, method: str, call: Callable[[System], Any]) -> Any:
    """Return the shapes of `call(system)`, or raise `FFCError` that names `method` where JAX cannot trace it."""
    with _named(system, method):
        return jax.eval_shape(call, system)


@contextmanager
def _named(system: System, method: str) -> Iterator[None]:
    """Turn what fails inside into an `FFCError` that names `method`."""
    try:
        yield
    except FFCError:
        raise
    except Exception as error:
        raise FFCError(
            f"system: {method} of {_name(system)} fails ({reason_of(error)}); let it compute by jax.numpy alone, "
            "without asking what its numbers are"
        ) from error


def check_windows_of(system: System, schedule: Schedule, states: State) -> None:
    """`FFCError` where `schedule` would ask for windows of a state of several arrays."""
    if schedule.cached and not hasattr(states, "shape") and system.supports_window(schedule.count, schedule.block):
        raise FFCError(
            f"system: {_name(system)} supports windows, and its state is {described(states)}; let it be one array"
        )


def window_of(
    system: System, cache: Cache, x: jax.Array, start: jax.Array, count: int, stride: int
) -> tuple[jax.Array, Cache]:
    """`System.window`, or `FFCError` where it fails, or does not return the values and the cache that it should."""
    with _named(system, "window"):
        returned = system.window(cache, x, start, count, stride)
    name = _name(system)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise FFCError(f"system: window of {name} returns {type(returned).__name__}; let it return (values, cache)")
    wanted = jax.ShapeDtypeStruct((x.shape[0], count, *x.shape[2:]), x.dtype)
    (values, before), (actual, after) = (tuple(map(described, pair)) for pair in ((wanted, cache), returned))
    if actual != values:
        raise FFCError(f"system: window of {name} returns {actual} for {count} blocks; let it return {values}")
    if after != before:
        raise FFCError(f"system: window of {name} makes {after} of the cache {before}: let them agree")
    return returned


def check_limit(name: str, value: Any, whole: bool = False) -> None:
    """`FFCError` unless `value` is a number of at least 0, whole or real, that may be traced."""
    kind, wanted = (jnp.integer, "whole number") if whole else (jnp.number, "number")
    valid = isinstance(value, int | float | np.generic | np.ndarray | jax.Array) and np.shape(value) == ()
    valid = valid and jnp.issubdtype(jnp.result_type(value), kind) and not jnp.iscomplexobj(value)
    if not valid or (not isinstance(value, jax.core.Tracer) and not value >= 0):
        raise FFCError(f"{name}: it is {value!r}; give a {wanted} from 0 on")


def _kind_of(system: Any, leaf: Any) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype of a leaf of `system`."""
    if isinstance(leaf, jax.Array) or (isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind not in "OSU"):
        return np.shape(leaf), leaf.dtype
    if isinstance(leaf, int | float | complex):
        return (), jnp.result_type(leaf)
    raise FFCError(
        f"system: {_name(system)} holds {reprlib.repr(leaf)}, which is no array of JAX; make it one (jnp.asarray), or "
        'mark its field as static: field(metadata={"static": True})'
    )


def start_of(x0: Any, expected: State) -> State:
    """`x0` in the dtypes of the system's states, if it has their structure and shapes."""
    actual, wanted = _shapes(x0), _shapes(expected)
    if actual == wanted:
        return jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), x0, expected)
    raise FFCError(f"x0: it has the shape {actual}; a state of this system has {wanted}")


def check_tolerance(expected: State) -> None:
    """`FFCError` where "within a tolerance" has no meaning for the states of a system."""
    if any(leaf.dtype == jnp.bool_ for leaf in jax.tree.leaves(expected)):
        raise FFCError("atol: a tolerance means nothing for truth values, which are the same or not; leave it out")


def check_example(system: System, expected: State) -> None:
    """`FFCError` unless `example` gives states of the system."""
    drawn = jax.eval_shape(lambda system: system.example(key_of(0)), system)
    if (actual := described(drawn)) != (wanted := described(expected)):
        raise FFCError(f"system: example of {_name(system)} gives {actual}; a state has {wanted}: let them agree")


def blocks_of(blocks: Iterable[int] | None, size: int) -> Sequence[int]:
    """Return the numbers of `blocks` in a system of `size` blocks; None: all."""
    numbers = range(size) if blocks is None else tuple(blocks)
    for number in numbers:
        if number not in range(size):
            raise FFCError(f"blocks: {number!r} is no block of this system; give numbers from 0 to {size - 1}")
    return numbers


def count_of(name: str, value: Any, least: int = 1) -> int:
    """`value`, the option `name`, or `FFCError` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FFCError(f"{name}: expected a whole number of at least {least}, not {value!r}")
    return value


def check_outside_jit(arrays: Any, argument: str) -> None:
    """`FFCError` where `arrays` are being traced."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arrays)):
        raise FFCError(f"{argument}: not inside jit, vmap or grad, where numbers are not known yet; leave it out there")


def _check_state(system: System, state: State) -> None:
    leaves = jax.tree.leaves(state)
    if not leaves:
        raise FFCError(f"system: initial of {_name(system)} returns no array; a state has one at least")
    if any(leaf.ndim < 2 for leaf in leaves) or len({leaf.shape[0] for leaf in leaves}) != 1:
        raise FFCError(
            f"system: initial of {_name(system)} has the shape {_shapes(state)}; the leaves of a state are "
            "[batch, blocks, ...], with one batch"
        )
    blocks, size = sum(leaf.shape[1] for leaf in leaves), getattr(system, "size", None)
    if not isinstance(size, int | np.integer) or blocks != size:
        raise FFCError(
            f"system: the size of {_name(system)} is {size!r}, but initial returns {blocks} blocks "
            f"(shape {_shapes(state)}); let size be the second axis of a state"
        )


def _shapes(state: State) -> Any:
    return jax.tree.map(lambda leaf: tuple(np.shape(leaf)), state)


def _name(system: Any) -> str:
    return repr(system) if isinstance(system, type) else type(system).__name__
