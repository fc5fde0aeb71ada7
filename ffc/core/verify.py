"""A second certificate, by the plain function: whole sweeps from the state that was found.

A window or a cache is somebody's code, and may be wrong; where it is right, its sums still run in another order
than a sweep's. A sweep that leaves all blocks as they were but the last proves, as in the loop, that its outcome is
*the* plain sequential answer, whatever was evaluated on the way. Where values are discrete, sweeps go on until one
does; each settles one more block of a triangular system, so that N suffice. N sweeps that do not settle prove that the
system is not triangular, or not deterministic: the certificate of the loop is void, and the sample is `REFUTED`. Real
numbers would not settle much earlier than N sweeps: there one sweep measures how far they are.

"Plain" means: by the sweeps of this program, for this batch. A program for another batch, or another device, may
round otherwise.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.compiled import compiled, standard_modes
from ffc.core.solution import ROUNDING, Solution, Status, Verification
from ffc.core.system import State, System, block_agreement, block_distance, block_finite, prefix_length, select_samples


def verified(system: System, solution: Solution) -> Solution:
    """`solution` with its `residual` and `verification`; blocks of discrete values corrected where they were wrong.

    Sweeps go on for samples that the loop certified. What it left off at a limit, within a tolerance or at
    a value that is not finite stays as it is, and is measured. So is what a plain sweep makes infinite or NaN.
    """
    still, solved = jax.lax.stop_gradient((system, solution.value))
    corrected, residual, refuted, verification = _verified(still, solved, solution.status_codes)
    # Real numbers stay as they were found, with their derivatives.
    value = corrected if system.discrete else solution.value
    return replace(
        solution,
        value=value,
        status_codes=jnp.where(refuted, Status.REFUTED, solution.status_codes).astype(solution.status_codes.dtype),
        certified=jnp.where(refuted, 0, solution.certified),
        residual=residual,
        verification=verification,
    )


@standard_modes()
@compiled()
def count_ties(system: System, x: State) -> jax.Array:
    """Return [batch] how many blocks of each sample of the solution `x` are ties."""
    return _ties(system, x)


def facts(system: System, solution: Solution) -> dict[str, np.ndarray]:
    """Return what records keep beside a solution, [batch] each: how it ended, `ties`, and what a verification found."""
    names = [status.name.lower() for status in solution.status]
    kept: dict[str, Any] = {"iterations": solution.iterations, "certified": solution.certified, "status": names}
    if solution.verification is None:
        kept["ties"] = count_ties(system, solution.value)
    else:
        kept |= {"residual": solution.residual, **solution.verification._asdict()}
    return {name: np.asarray(array) for name, array in kept.items()}


#: What it means that there are `contradictions`.
CONTRADICTION = (
    "is another than the sequential one, though both are certified, and one is proven: so some block sees itself or "
    "a later one (ffc.check(system) may say which), or is a tie that the system's ties do not tell"
)


def contradictions(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[int]:
    """Return samples of which `one` and `other` hold two certified answers, one proven; a triangular system has one.

    Each holds `samples` [batch, …], and [batch] arrays: `status`, `proven`, `ties` (how many). Without `proven` there
    is nothing to say.
    """
    if not (one.keys() & other.keys()) >= {"proven", "ties", "status"}:
        return []
    certified = np.asarray(one["status"] == "certified") & (other["status"] == "certified")
    sure = certified & (one["proven"] | other["proven"]) & (one["ties"] == 0) & (other["ties"] == 0)
    least = ROUNDING * np.abs(np.asarray(other["samples"], np.float64)).max(initial=1.0)
    return np.flatnonzero(sure & (largest_difference(one["samples"], other["samples"]) > least)).tolist()


def largest_difference(samples: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[B] the largest absolute difference of an entry of each sample; whole numbers do not wrap."""
    if not np.issubdtype(samples.dtype, np.floating):
        samples, others = samples.astype(np.int64), others.astype(np.int64)
    return np.abs(samples - others).reshape(len(samples), -1).max(axis=1)


class _Carry(NamedTuple):
    x: State
    k: jax.Array  # sweeps so far
    going: jax.Array  # [batch] bool: another sweep follows
    proven: jax.Array  # [batch] bool
    residual: jax.Array  # [batch] by the first sweep
    sweeps: jax.Array  # [batch]
    ties: jax.Array  # [batch]


@compiled()
def _verified(system: System, solved: State, status: jax.Array) -> tuple[State, jax.Array, jax.Array, Verification]:
    # Values, residuals, samples that N finite sweeps have not settled, and the rest.
    going = (status == Status.CERTIFIED) & system.discrete
    first = _Carry(
        x=solved,
        k=jnp.int32(0),
        going=going,
        proven=going & False,
        residual=_largest(solved, solved),
        sweeps=jnp.zeros_like(status),
        ties=jnp.zeros_like(status),
    )

    def running(c: _Carry) -> jax.Array:
        return (c.k == 0) | (jnp.any(c.going) & (c.k < system.size))

    def body(c: _Carry) -> _Carry:
        y = system.sweep(c.x)
        finite = jnp.all(block_finite(y), axis=1)
        going = c.going & finite
        # Where the outcome is taken over, its last block was computed from blocks that stayed as they were.
        settled = finite & (prefix_length(block_agreement(c.x, y)) + going >= system.size)
        looked = c.going | (c.k == 0)
        return _Carry(
            x=select_samples(going, y, c.x),
            k=c.k + 1,
            going=going & ~settled,
            proven=c.proven | settled,
            residual=jnp.where(c.k == 0, jnp.where(finite, _largest(c.x, y), jnp.nan), c.residual),
            sweeps=c.sweeps + looked,
            ties=jnp.where(looked, _ties(system, c.x), c.ties),  # XLA evaluates once what it shares with the sweep
        )

    end = jax.lax.while_loop(running, body, first)
    value = select_samples(end.proven, end.x, solved)
    corrected = jnp.sum(end.proven[:, None] & ~block_agreement(solved, value), axis=1, dtype=jnp.int32)
    residual = jnp.where(end.proven, 0, end.residual)
    refuted = end.going & (end.k == system.size)
    return value, residual, refuted, Verification(end.proven, corrected, end.sweeps, end.ties)


def _ties(system: System, x: State) -> jax.Array:
    """Return [batch] int32, how many blocks of each sample are ties."""
    return jnp.sum(system.ties(x), axis=1, dtype=jnp.int32)


def _largest(x: State, y: State) -> jax.Array:
    """[batch] largest absolute difference."""
    return jnp.max(block_distance(x, y), axis=1, initial=0)
