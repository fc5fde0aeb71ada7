"""Random numbers that a seed alone decides, whatever JAX is set to in the environment."""

import functools
import operator
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from ffc.core.errors import FFCError
from ffc.core.names import SEEDS

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")


def key_of(seed: int) -> jax.Array:
    """Return the key of a seed, 0 … 2**64 − 1: another one for each, of JAX's generator Threefry.

    For seeds below 2**32 it is that of `jax.random.key` as JAX comes; `JAX_DEFAULT_PRNG_IMPL`,
    `JAX_RANDOM_SEED_OFFSET` and `JAX_ENABLE_X64` change nothing. Raises `FFCError` on any other seed.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise FFCError(f"seed {seed!r}: expected a whole number from 0 to 2**64 − 1")
    high, low = divmod(number, 2**32)
    return jax.random.wrap_key_data(jnp.array([high, low], jnp.uint32), impl="threefry2x32")


def reproducible(draw: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Decorate what draws from a key: Threefry's bits are laid out as JAX does by default, however it is set."""

    @functools.wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> Drawn:
        with jax.threefry_partitionable(True):
            return draw(*args, **kwargs)

    return drawn
