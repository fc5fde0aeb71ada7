"""How a recurrence is solved: small frozen objects, each a draft or an order of evaluation.

An iteration evaluates y_t = step(x_{t−1}) for all t at once, from an iterate x. A draft then says what the next
iterate x' makes of it, in order, by a matrix A_t for the state before:

    x'_t = y_t + A_t (x'_{t−1} − x_{t−1})

| method        | A_t                                | is called                                             |
|---------------|------------------------------------|-------------------------------------------------------|
| Jacobi()      | 0                                  | fixed-point iteration; one of the solvers of `solve`  |
| Picard()      | 1                                  | Picard iteration                                      |
| QuasiNewton() | the diagonal of the step's Jacobian| quasi-DEER; quasi-ELK's purpose with `damping`        |
| Newton()      | the step's Jacobian                | DEER; ELK's purpose with `damping`                    |

DEER: Lim, Zhu, Selfridge, Kasim, Parallelizing non-linear sequential models over the sequence length, 2024.
Quasi-DEER, ELK, quasi-ELK: Gonzalez, Warrington, Smith, Linderman, Towards scalable and stable parallelization of
nonlinear RNNs, 2024.

**Damping.** ELK ties each step to the iterate before by a Levenberg–Marquardt term λ, solved by a Kalman smoother. Here
the term ties x'_t to y_t instead, which shrinks A_t to A_t / (1 + λ g_t), with g_t the mean square of what J_t does to
the entries of a state. λ = 0 is Newton, a large λ is Jacobi. So blocks before the first change stay solved, whatever λ
is. Every sample has a λ of its own: it falls to a quarter where the squares of the residuals shrink; where they do not,
it grows fourfold, and the sample takes Jacobi's step instead. So nothing overflows unless the step itself does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from ffc.core.errors import FFCError
from ffc.core.solvers import Solver

#: `(weights, states [..., H], inputs)` → the Jacobian [..., H, H], entry (i, k) being ∂step_i / ∂state_k; or its
#: diagonal [..., H].
Derivative = Callable[[Any, jax.Array, Any], jax.Array]


@dataclass(frozen=True)
class InOrder:
    """One step after the other: the answer by definition."""


@dataclass(frozen=True)
class Chunks:
    """Runs of `chunk` steps in order, all runs at once, each guessed from the `warmup` steps before it."""

    chunk: int
    warmup: int = 0

    def __post_init__(self):
        _whole("Chunks: chunk", self.chunk, 1)
        _whole("Chunks: warmup", self.warmup, 0)


@dataclass(frozen=True)
class Picard:
    """A = 1: the next iterate is the sum of all changes. For steps that stay near the state before (small Δt)."""


@dataclass(frozen=True)
class QuasiNewton:
    """A = the Jacobian's diagonal, of which T·H numbers are kept: quasi-DEER.

    The diagonal costs H forward derivatives (JVPs) of all states, unless the step is known better: `elementwise` says
    that entry i of the next state depends on entry i of the state alone, so that one derivative has all of it;
    `diagonal` gives it as a function of a module. With `damping`, λ begins there.
    """

    damping: float | None = None
    elementwise: bool = False
    diagonal: Derivative | None = None

    def __post_init__(self):
        _damping("QuasiNewton", self.damping)


@dataclass(frozen=True)
class Newton:
    """A = the whole Jacobian: DEER. On an affine step one iteration is the answer: an associative scan.

    The Jacobian costs H forward derivatives (JVPs) of all states, unless `jacobian` gives it as a function of a module.
    `chunk` steps are composed at a time (all T unless given): about 4·chunk·H² numbers of memory for each sample.
    With `damping`, λ begins there.
    """

    damping: float | None = None
    chunk: int | None = None
    jacobian: Derivative | None = None

    def __post_init__(self):
        _damping("Newton", self.damping)
        if self.chunk is not None:
            _whole("Newton: chunk", self.chunk, 1)


Draft = Picard | QuasiNewton | Newton
Method = InOrder | Chunks | Draft | Solver


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise FFCError(f"{name} is {value!r}; give a whole number of steps, {least} or more")


def _damping(name: str, value: Any) -> None:
    if value is not None and not (isinstance(value, int | float) and 0 <= value < float("inf")):
        raise FFCError(f"{name}: damping is {value!r}; give a number λ ≥ 0 to begin with, or None for no damping")
