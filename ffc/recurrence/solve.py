"""solve_recurrence(): the states of any recurrence by any method, with what became of each sample, and gradients."""

import functools
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core import arguments as core_arguments
from ffc.core.compiled import compiled, standard_modes
from ffc.core.errors import FFCError
from ffc.core.solution import Solution, Status, describe
from ffc.core.solve import Exact, Tolerance, solve
from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential
from ffc.core.system import block_distance, block_finite, prefix_length
from ffc.recurrence import arguments, gradients
from ffc.recurrence.chunks import solve_chunks
from ffc.recurrence.found import Found, Limits
from ffc.recurrence.methods import Chunks, InOrder, Method, Newton, Picard, QuasiNewton
from ffc.recurrence.newton import iterate
from ffc.recurrence.system import Recurrence

_DRAFTS = (Picard, QuasiNewton, Newton)
_SOLVERS = (Sequential, Jacobi, GSJacobi, JacobiGS)
#: The method and the iterations, unless told.
_NEWTON, _ITERATIONS = Newton(), 100


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RecurrenceSolution(Solution):
    """A `Solution` whose `value` [batch, T, H] are the states x_1 … x_T."""

    residual: Any = None  # [batch] largest |x_t − step(x_{t−1})| of the last iterate
    jacobian_finite: Any = None  # [batch] bool: False where a block's Jacobian was not, and Jacobi's value was taken
    in_order: Any = None  # [batch] bool: the states were found in order after all

    @property
    def message(self) -> str:
        """How the samples ended, and which of them went on without a draft or in order."""
        total = len(self.status)
        notes = [describe(Counter(self.status))]
        if without := int(np.sum(~np.asarray(self.jacobian_finite))):
            notes.append(f"{without} of {total} met a Jacobian that is not finite, and took the step's own value there")
        if fell_back := int(np.sum(np.asarray(self.in_order))):
            notes.append(f"{fell_back} of {total} evaluated in order after all")
        return "; ".join(notes)


class _How(NamedTuple):
    """What a program is compiled for."""

    method: Method
    fallback: bool


@standard_modes()
def solve_recurrence(
    recurrence: Recurrence,
    method: Method = _NEWTON,
    stop: Exact | Tolerance | None = None,
    guess: jax.Array | None = None,
    fallback: bool = False,
) -> RecurrenceSolution:
    """x_1 … x_T of `recurrence` by a method of `ffc.recurrence.methods`, or a solver of `solve`.

    A sample ends when its states are certified bit for bit, agree with the step within the tolerance, are not finite,
    or reach the limit. Unless told by `stop`: 32 units in the last place, absolute and relative to the largest entry of
    a state, and 100 iterations. The first iterate is `guess` [batch, T, H]; zeros unless given. `InOrder` and `Chunks`
    take none. With `fallback`, samples that are neither certified nor within the tolerance are evaluated in order; the
    status still says what became of the method.

    Differentiable in reverse mode by weights, inputs and start: the adjoints are a recurrence in reversed time, affine,
    solved by the same method (`ffc.recurrence.gradients`). Raises `FFCError` where shapes or dtypes disagree, T is 0,
    or a method needs derivatives that the step has not.
    """
    states = core_arguments.state_of(recurrence)
    if isinstance(method, type) or not isinstance(method, (InOrder, Chunks, *_DRAFTS, *_SOLVERS)):
        raise FFCError(f"method: {method!r} is no method; give Newton(), QuasiNewton(), Chunks(200) or InOrder(), say")
    if isinstance(method, _DRAFTS):
        arguments.check_differentiable(recurrence)
    if isinstance(method, _SOLVERS):
        method.schedule(recurrence.size)
    if guess is None:
        guess = recurrence.initial()
    elif isinstance(method, InOrder | Chunks):
        raise FFCError(f"guess: {type(method).__name__} begins at the start alone; leave the guess out")
    else:
        guess = core_arguments.guess_of(guess, states)
    found, in_order = _differentiable(_How(method, fallback), recurrence, _limits(stop, recurrence), guess)
    return RecurrenceSolution(
        value=found.states,
        status_codes=found.status,
        iterations=found.iterations,
        certified=found.certified,
        size=recurrence.size,
        steps_per_iteration=_steps(method, recurrence.size),
        residual=found.residual,
        jacobian_finite=found.jacobian_finite,
        in_order=in_order,
    )


def _limits(stop: Exact | Tolerance | None, recurrence: Recurrence) -> Limits:
    size, dtype = recurrence.size, recurrence.start.dtype
    if stop is None:
        rounding = 32 * float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else 0.0
        return Limits(min(_ITERATIONS, size), rounding, rounding)
    if not isinstance(stop, Exact | Tolerance):
        raise FFCError(f"stop: {stop!r} is no stopping rule; give Exact(max_iterations) or Tolerance(tolerance)")
    most = size if stop.max_iterations is None else jnp.minimum(stop.max_iterations, size)
    return Limits(most, stop.tolerance, stop.relative) if isinstance(stop, Tolerance) else Limits(most)


def _steps(method: Method, size: int) -> int:
    """Evaluations of the step that follow one another in an iteration."""
    if isinstance(method, InOrder):
        return size
    if isinstance(method, Chunks):
        return min(method.chunk, size)
    return 1 if isinstance(method, _DRAFTS) else method.schedule(size).block


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _differentiable(how: _How, recurrence: Recurrence, limits: Limits, guess: jax.Array) -> tuple[Found, jax.Array]:
    return _run(how, recurrence, limits, guess)


@standard_modes()
def _forwards(how: _How, recurrence: Recurrence, limits: Limits, guess: jax.Array):
    found, in_order = _run(how, recurrence, limits, guess)
    return (found, in_order), (recurrence, found.states)


@standard_modes()
def _backwards(how: _How, kept, cotangents):
    recurrence, states = kept
    adjoint = gradients.adjoint_recurrence(recurrence, states, cotangents[0].states)
    unit = gradients.unit_of(adjoint)
    limits = _limits(None, adjoint)
    scaled = gradients.scaled(adjoint, 1 / unit)
    # A gradient has no status to tell of a miss, so it always falls back.
    found, _ = _run(_How(gradients.adjoint_method(how.method), True), scaled, limits, scaled.initial())
    return gradients.cotangents(recurrence, states, found.states[:, ::-1] * unit), None, None


_differentiable.defvjp(_forwards, _backwards)


@compiled(0)
def _run(how: _How, recurrence: Recurrence, limits: Limits, guess: jax.Array) -> tuple[Found, jax.Array]:
    found = _by_method(how.method, recurrence, limits, guess)
    missed = (found.status != Status.CERTIFIED) & (found.status != Status.WITHIN_TOLERANCE)
    if not how.fallback or isinstance(how.method, InOrder):
        return found, jnp.zeros_like(missed)

    def repaired() -> jax.Array:
        return jnp.where(missed[:, None, None], recurrence.in_order(), found.states)

    states = jax.lax.cond(jnp.any(missed), repaired, lambda: found.states)
    return found._replace(states=states), missed


def _by_method(method: Method, recurrence: Recurrence, limits: Limits, guess: jax.Array) -> Found:
    if isinstance(method, InOrder):
        return _in_order(recurrence)
    if isinstance(method, Chunks):
        return solve_chunks(recurrence, method.chunk, method.warmup, limits)
    if isinstance(method, Picard | QuasiNewton | Newton):
        return iterate(recurrence, method, limits, guess)
    stop = Tolerance(limits.tolerance, limits.iterations, limits.relative)  # type: ignore[arg-type]
    solution = solve(recurrence, method, stop, guess=guess)
    residual = jnp.max(block_distance(solution.value, recurrence.sweep(solution.value)), axis=1)
    good = jnp.ones_like(residual, bool)
    return Found(solution.value, solution.status_codes, solution.iterations, solution.certified, residual, good)


def _in_order(recurrence: Recurrence) -> Found:
    states = recurrence.in_order()
    certified = prefix_length(block_finite(states))
    status = jnp.where(certified == recurrence.size, Status.CERTIFIED, Status.NOT_FINITE).astype(jnp.int32)
    residual = jnp.zeros_like(certified, jnp.float32)
    return Found(states, status, jnp.ones_like(status), certified, residual, jnp.ones_like(status, bool))
