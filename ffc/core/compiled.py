"""`jax.jit` for functions of systems: each class has programs of its own.

JAX finds a program again by the structure of its arguments. It takes two dataclasses with the same fields for one
structure, now and then: whenever their hashes fall together in its table. One system would then be solved by another's
sweep. Here the hash is an argument, too.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import jax

Function = TypeVar("Function", bound=Callable[..., Any])


@contextmanager
def standard_modes() -> Iterator[None]:
    """Set JAX's modes that forbid things to those that it comes with: programs here hold in any, and are the same ones.

    `jax_numpy_rank_promotion` and `jax_numpy_dtype_promotion` find slips in code that is being written;
    `jax_transfer_guard` finds arrays that move to a device unawares, not the few numbers of a solve. Also a decorator.
    """
    allow = jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"), jax.transfer_guard("allow")
    with allow[0], allow[1], allow[2]:
        yield


def compiled(*static: int) -> Callable[[Function], Function]:
    """Decorates a function of positional arguments, of which those with the numbers `static` are static."""

    def decorate(function: Function) -> Function:
        def program(_: int, *arguments: Any) -> Any:
            return function(*arguments)

        program.__name__ = function.__name__  # for profiles
        of_class = jax.jit(program, static_argnums=(0, *(i + 1 for i in static)))

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return of_class(hash(jax.tree.structure(arguments)), *arguments)

        call.programs = of_class._cache_size  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
