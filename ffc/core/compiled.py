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
    """Set the modes of JAX in which systems are solved. Also a decorator.

    Products are of `precision()`. What forbids things is as JAX comes, so that programs hold in any mode:
    `jax_numpy_rank_promotion` and `jax_numpy_dtype_promotion` find slips in code that is being written, and
    `jax_transfer_guard` finds arrays that move to a device unawares, not the few numbers of a solve.
    """
    ranks, dtypes = jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard")
    with ranks, dtypes, jax.transfer_guard("allow"), jax.default_matmul_precision(precision()):
        yield


def precision() -> str:
    """Return the precision of float32 products in a solve: what JAX is set to, or else the highest.

    Where nobody chooses, JAX leaves it to the device. A GPU may then multiply with 10 bits (TF32), and a window and a
    sweep give different pixels.
    """
    return jax.config.jax_default_matmul_precision or "highest"  # type: ignore[attr-defined]


def compiled(*static: int) -> Callable[[Function], Function]:
    """Return decorates a function of positional arguments, of which those with the numbers `static` are static."""

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
