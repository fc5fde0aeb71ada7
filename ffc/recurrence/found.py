"""What every method is told, and what it returns."""

from typing import NamedTuple

import jax


class Limits(NamedTuple):
    """When to stop before all is certified; numbers, which may be traced."""

    iterations: jax.Array | int
    tolerance: jax.Array | float = 0.0  # a state is accepted when it is off the step by no more than this …
    relative: jax.Array | float = 0.0  # … and this share of its largest absolute entry


class Found(NamedTuple):
    """States, and what became of each sample."""

    states: jax.Array  # [batch, T, H], x_1 … x_T
    status: jax.Array  # [batch] Status
    iterations: jax.Array  # [batch] those that a sample took part in
    certified: jax.Array  # [batch] leading states that equal those in order
    residual: jax.Array  # [batch] largest |x_t − step(x_{t−1})| of the last iterate
    jacobian_finite: jax.Array  # [batch] bool: no block went on without a draft
