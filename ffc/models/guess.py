"""First guesses by the names that presets and the command line use.

A guess decides how many iterations a solve needs, and no bit of what it certifies.

| name        | the first iteration begins at                                                         |
|-------------|---------------------------------------------------------------------------------------|
| `zeros`     | the system's own first guess: zeros, as in the paper                                  |
| `black`     | black images: right for most of an image on a black background                        |
| `mean`      | what the model expects after zeros: a sweep of the system's `with_median_noise()`     |
| `row_above` | zeros; but a row that a moving window reaches begins as the row above it is then      |

Any other state will do, too: the `value` of another solution, say.
"""

from typing import Any

import jax.numpy as jnp

from ffc.core.compiled import compiled
from ffc.core.errors import FFCError
from ffc.core.names import GUESSES as NAMES
from ffc.core.solve import RowAbove
from ffc.core.system import State, System
from ffc.models.base import Sampler


def guess_by_name(name: str, model: Sampler, system: System) -> State | RowAbove | None:
    """Return the guess `name` as `solve` takes it, for a system of `model`. Raises `FFCError` on an unknown name."""
    guesses = {
        "zeros": lambda: None,
        "black": lambda: jnp.full_like(system.initial(), model.black),
        "mean": lambda: _expected(system),
        "row_above": RowAbove,
    }
    if name not in guesses:
        raise FFCError(f"guess {name!r}: expected one of {', '.join(NAMES)}")
    if name == "mean" and not hasattr(system, "with_median_noise"):
        raise FFCError(f"guess 'mean': {type(system).__name__} has no with_median_noise(); write it, or give another")
    return guesses[name]()


@compiled()
def _expected(system: Any) -> State:
    return system.with_median_noise().sweep(system.initial())
