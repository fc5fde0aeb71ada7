"""What `solve` returns: the answer, how each sample ended, and how much of it is certain."""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum

import jax
import numpy as np

from ffc.core.history import History
from ffc.core.system import State


class Status(IntEnum):
    """How a sample's solve ended."""

    RUNNING = 0
    CERTIFIED = 1
    WITHIN_TOLERANCE = 2
    ITERATION_LIMIT = 3
    NOT_FINITE = 4

    @property
    def message(self) -> str:
        return {
            Status.RUNNING: "still running",
            Status.CERTIFIED: "certified: every block equals the sequential answer",
            Status.WITHIN_TOLERANCE: "iterates agree within the tolerance; only the certified prefix is exact",
            Status.ITERATION_LIMIT: "stopped at the iteration limit; only the certified prefix is exact",
            Status.NOT_FINITE: "met a value that is not finite; only the certified prefix is exact",
        }[self]


def describe(counts: Counter[Status]) -> str:
    """How so many samples ended."""
    total = counts.total()
    return "; ".join(f"{count} of {total} samples {status.message}" for status, count in counts.items())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Solution:
    """What `solve` returns. Arrays stay on the device until they are read.

    A pytree: it can leave `jit` and `vmap`. Its properties are for outside of them.
    """

    value: State
    status_codes: jax.Array  # [batch] Status
    iterations: jax.Array  # [batch] iterations each sample took part in
    certified: jax.Array  # [batch] leading blocks that equal the sequential answer
    size: int = field(metadata={"static": True})  # N
    #: Evaluations of the system, one after the other, in an iteration.
    steps_per_iteration: int = field(metadata={"static": True})
    history: History | None = None

    @property
    def status(self) -> list[Status]:
        return [Status(int(code)) for code in np.asarray(self.status_codes).ravel()]

    @property
    def evaluations(self) -> int:
        """Evaluations of the system that had to follow one another (paper: parallel iterations)."""
        return int(np.max(np.asarray(self.iterations), initial=0)) * self.steps_per_iteration

    @property
    def exact(self) -> bool:
        """Whether every sample is certified whole."""
        return all(status is Status.CERTIFIED for status in self.status)

    @property
    def message(self) -> str:
        return describe(Counter(self.status))

    def block_until_ready(self) -> "Solution":
        jax.block_until_ready((self.value, self.status_codes))
        return self
