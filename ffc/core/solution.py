"""What `solve` returns: the answer, how each sample ended, and how much of it is certain."""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import jax
import numpy as np

from ffc.core.system import State

#: What is said of samples that plain sweeps have not looked at.
NOT_VERIFIED = "not verified"


class Status(IntEnum):
    """How a sample's solve ended."""

    RUNNING = 0
    CERTIFIED = 1
    WITHIN_TOLERANCE = 2
    ITERATION_LIMIT = 3
    NOT_FINITE = 4
    REFUTED = 5

    @property
    def message(self) -> str:
        return {
            Status.RUNNING: "still running",
            Status.CERTIFIED: "certified: every block equals the sequential answer",
            Status.WITHIN_TOLERANCE: "iterates agree within the tolerance; only the certified prefix is exact",
            Status.ITERATION_LIMIT: "stopped at the iteration limit; only the certified prefix is exact",
            Status.NOT_FINITE: "met a value that is not finite; only the certified prefix is exact",
            Status.REFUTED: "refuted: plain sweeps do not settle, so the system is not triangular or not "
            "deterministic, and has no sequential answer; ffc.check(system) may name the block",
        }[self]


#: Of the largest entry: more than rounding makes of a sample.
ROUNDING = 0.01
_DOUBT = ", which is more than rounding: some block may see itself or a later one, and ffc.check(system) may say which"


def describe(counts: Counter[Status]) -> str:
    """How so many samples ended."""
    total = counts.total()
    return "; ".join(f"{count} of {total} samples {status.message}" for status, count in counts.items())


class Verification(NamedTuple):
    """What whole sweeps made of a solution (`ffc.core.verify`)."""

    proven: jax.Array  # [batch] bool: the value is the plain sequential answer, bit for bit
    corrected: jax.Array  # [batch] blocks that the sweeps changed: there the solver's windows disagree with them
    sweeps: jax.Array  # [batch] how many there were
    ties: jax.Array  # [batch] blocks that are ties (`System.ties`)


def describe_verification(proven: Counter[bool], corrected: Counter[int], residual: float) -> str:
    """Say what plain sweeps said: samples proven or not, by blocks that were wrong, and the largest residual."""
    total, parts = proven.total(), []
    if proven[True]:
        parts.append(f"{proven[True]} of {total} samples proven to be the plain sequential answer")
    if wrong := total - corrected[0]:
        blocks = sum(blocks * samples for blocks, samples in corrected.items())
        parts.append(f"{wrong} of them corrected, as plain sweeps disagreed with the solver in {blocks} blocks")
    if proven[False]:
        parts.append(f"{proven[False]} of {total} samples measured: a plain sweep moves them by {residual:.2g} at most")
    return "; ".join(parts)


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
    #: [batch] how far a plain sweep moves `value` at most, in the real dtype of the state; None: not verified.
    residual: jax.Array | None = None
    verification: Verification | None = None
    #: [batch] bool: the solver's draft made the system overflow, and the sample went on without; None: no draft.
    undrafted: jax.Array | None = None
    #: What the last sweep found beside its values, where the system returns it (`System.returns_outputs`).
    outputs: Any = ()

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
        parts = [describe(Counter(self.status)), self._verified]
        if self.undrafted is not None and (count := int(np.sum(np.asarray(self.undrafted)))):
            parts.append(
                f"{count} of {len(self.status)} samples went on without a draft, which made the system overflow"
            )
        return "; ".join(parts)

    @property
    def _verified(self) -> str:
        if self.verification is None:
            return NOT_VERIFIED
        proven, corrected = (Counter(np.ravel(array).tolist()) for array in self.verification[:2])
        residual = float(np.max(np.asarray(self.residual), initial=0))
        largest = max(float(np.max(np.abs(leaf), initial=1)) for leaf in jax.tree.leaves(self.value))
        doubt = _DOUBT if self.exact and residual > ROUNDING * largest else ""
        return describe_verification(proven, corrected, residual) + doubt

    def block_until_ready(self) -> "Solution":
        jax.block_until_ready((self.value, self.status_codes))
        return self
