"""The state of a solve between two iterations, and the loop that hands it on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import State

#: Of a carry, [batch] each.
_COUNTS = ("prefix", "certified", "status", "iterations", "drafting")


class Carry(NamedTuple):
    """Hold the state of a solve between two iterations."""

    x: State
    cache: Any
    met: jax.Array  # [batch] blocks that had a guess by `RowAbove`, where that is wanted
    prefix: jax.Array  # [batch] blocks accepted; windows begin here
    certified: jax.Array  # [batch] blocks proven exact; equals prefix unless there is a tolerance
    status: jax.Array  # [batch]
    iterations: jax.Array  # [batch] those that a sample took part in: all, as long as it runs
    drafting: jax.Array | None = None  # [batch] whether the solver's draft is still taken; None where it has none
    memory: Any = ()  # of the draft
    outputs: Any = ()  # of a sample's last sweep, where the system returns them


def repeat(condition: Callable, body: Callable, c: Carry) -> Carry:
    """Return `c` after a loop, which carries its counts as one array: a GPU writes them in one launch."""
    types = {name: getattr(c, name).dtype for name in _COUNTS if getattr(c, name) is not None}

    def packed(c: Carry) -> tuple[Carry, jax.Array]:
        counts = [getattr(c, name).astype(jnp.int32) for name in types]
        nothing: dict[str, Any] = dict.fromkeys(types, ())
        return c._replace(**nothing), jnp.stack(counts)

    def unpacked(rest: Carry, counts: jax.Array) -> Carry:
        return rest._replace(**{name: counts[i].astype(types[name]) for i, name in enumerate(types)})

    end = jax.lax.while_loop(lambda p: condition(unpacked(*p)), lambda p: packed(body(unpacked(*p))), packed(c))
    return unpacked(*end)
