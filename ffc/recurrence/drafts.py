"""Drafts of a recurrence: Picard iteration, and Newton's method with all of the Jacobian or with its diagonal.

An iteration evaluates y_t = step(x_{t−1}) for all t at once, from an iterate x. A draft then says what the next
iterate x' makes of it, in order, by a matrix A_t for the state before:

    x'_t = y_t + A_t (x'_{t−1} − x_{t−1})

| draft         | A_t                                | is called                                             |
|---------------|------------------------------------|-------------------------------------------------------|
| none          | 0                                  | fixed-point iteration                                 |
| Picard()      | 1                                  | Picard iteration                                      |
| QuasiNewton() | the diagonal of the step's Jacobian| quasi-DEER; quasi-ELK's purpose with `damping`        |
| Newton()      | the step's Jacobian                | DEER; ELK's purpose with `damping`                    |

DEER: Lim, Zhu, Selfridge, Kasim, Parallelizing non-linear sequential models over the sequence length, 2024.
Quasi-DEER, ELK, quasi-ELK: Gonzalez, Warrington, Smith, Linderman, Towards scalable and stable parallelization of
nonlinear RNNs, 2024.

Only y − x enters, so that near the solution the correction is small, and so is its rounding.

**Damping.** ELK ties each step to the iterate before by a Levenberg–Marquardt term λ, solved by a Kalman smoother. Here
the term ties x'_t to y_t instead, which shrinks A_t to A_t / (1 + λ g_t), with g_t the mean square of what J_t does to
the entries of a state. λ = 0 is Newton, a large λ is Jacobi. Every sample has a λ of its own: it falls to a quarter
where the squares of the residuals shrink; where they do not, it grows fourfold, and the sample goes back to the
evaluation before, as Jacobi would. So nothing overflows unless the step itself does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.arguments import count_of
from ffc.core.drafts import Draft, Evaluated
from ffc.core.errors import FFCError
from ffc.core.system import State, System, block_count, block_finite, select_blocks, select_samples, take_blocks
from ffc.recurrence import arguments
from ffc.recurrence.affine import corrections
from ffc.recurrence.system import At, Recurrence

#: `(weights, states, inputs)` → the Jacobian [..., K, K] for the K numbers of a state, entry (i, k) being
#: ∂step_i / ∂state_k; or its diagonal, in the shape of the states.
Derivative = Callable[[Any, jax.Array, Any], jax.Array]

_SMALLEST, _LARGEST = 1e-6, 1e6  # λ below the one counts as 0; it stays below the other
_STATIC = {"static": True}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Picard(Draft):
    """A = 1: the next iterate is the sum of all changes. For steps that stay near the state before (small Δt)."""

    def redraft(self, system: System, evaluated: Evaluated) -> State:
        def leaf(before: jax.Array, after: jax.Array) -> jax.Array:
            change = jnp.cumsum(after - before, axis=1, dtype=after.dtype)
            return after + jnp.pad(change[:, :-1], ((0, 0), (1, 0), *((0, 0) for _ in change.shape[2:])))

        return jax.tree.map(leaf, evaluated.before, evaluated.after)


class _Memory(NamedTuple):
    """Hold what a damped draft remembers of the iterations before."""

    damping: jax.Array  # [batch] λ
    merit: jax.Array  # [batch] sum of squares of the residual of the last iterate that was taken
    jacobi: State  # what was evaluated from it
    back: jax.Array  # [batch] bool: `jacobi` is what is evaluated now, and is taken in any case


@dataclass(frozen=True)
class _Newton(Draft):
    """Newton's method, with all of the Jacobian or with its diagonal: the matrices are a subclass's."""

    damping: float | None = field(default=None, metadata=_STATIC)

    def __post_init__(self) -> None:
        if self.damping is not None and not (isinstance(self.damping, int | float) and 0 <= self.damping < math.inf):
            name = type(self).__name__
            raise FFCError(f"{name}: damping is {self.damping!r}; give a number λ ≥ 0 to begin with, or None for none")

    def matrices(self, system: Recurrence, before: jax.Array, inputs: Any) -> jax.Array:
        """Return A_t for row vectors, [..., K, K], or its diagonal [..., K]."""
        raise NotImplementedError

    def start(self, system: System, x: State) -> Any:
        if not isinstance(system, Recurrence):
            name, other = type(self).__name__, type(system).__name__
            raise FFCError(f"draft: {name} is for a Recurrence; {other} is none: give a draft of its own, or none")
        arguments.check_differentiable(system)
        if self.damping is None:
            return ()
        first = jnp.full(len(x), self.damping, x.dtype)
        return _Memory(first, jnp.full_like(first, jnp.inf), x, first >= 0)

    def update(self, system: System, evaluated: Evaluated, memory: Any) -> tuple[State, Any]:
        if self.damping is None:
            return self._drafted(system, evaluated, None), memory
        if block_count(evaluated.after) < system.size:
            raise FFCError(f"draft: the damping of {type(self).__name__} is for Jacobi; leave it out, or the window")
        merit = jnp.sum(_flat(evaluated.after - evaluated.before) ** 2, axis=(1, 2))
        better = memory.back | (merit < memory.merit)  # False where the residual is not finite
        less = jnp.where(memory.damping > _SMALLEST, memory.damping / 4, 0)
        more = jnp.minimum(4 * memory.damping + 1e-2, _LARGEST)
        damping = jnp.where(memory.back, memory.damping, jnp.where(better, less, more))
        drafted = self._drafted(system, evaluated, damping)
        jacobi = select_blocks(block_finite(evaluated.after), evaluated.after, evaluated.before)
        drafted, jacobi = select_samples(better, (drafted, jacobi), (memory.jacobi, memory.jacobi))
        return drafted, _Memory(damping, jnp.where(better, merit, jnp.inf), jacobi, ~better)

    def _drafted(self, system: Any, evaluated: Evaluated, damping: jax.Array | None) -> State:
        width = block_count(evaluated.after)

        def matrices(at: tuple[jax.Array, Any]) -> jax.Array:
            values = self.matrices(system, *at)
            return values if damping is None else _damped(values, damping)

        def corrected() -> State:
            x, start, before, after = evaluated[:4]
            at = jax.tree.map(lambda leaf: take_blocks(leaf, start, width), (system.before(x), system.inputs))
            residual = jnp.where(block_finite(after)[..., None], _flat(after - before), 0)
            added = corrections(at, residual, getattr(self, "chunk", None), matrices)
            return after + added.reshape(after.shape)

        # After the last iteration nothing is drafted any more.
        return jax.lax.cond(jnp.all(evaluated.first >= width - 1), lambda: evaluated.after, corrected)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class QuasiNewton(_Newton):
    """A = the Jacobian's diagonal, of which T·K numbers are kept: quasi-DEER.

    The diagonal costs K forward derivatives (JVPs) of all states of K numbers, unless `diagonal` gives it as a function
    of a module. With `damping`, λ begins there. Raises `FFCError` where the step has no derivatives.
    """

    diagonal: Derivative | None = field(default=None, metadata=_STATIC)

    def matrices(self, system: Recurrence, before: jax.Array, inputs: Any) -> jax.Array:
        if self.diagonal is not None:
            own = self.diagonal(system.weights, system.unpack(before), inputs)
            return _flat(system.packing.pack(own))
        along = jax.linearize(lambda x: system.stepped(x, inputs), before)[1]

        def entry(diagonal: jax.Array, unit: jax.Array) -> tuple[jax.Array, None]:
            return jnp.where(unit > 0, along(jnp.broadcast_to(unit, before.shape)), diagonal), None

        return _flat(jax.lax.scan(entry, jnp.zeros_like(before), _units(before))[0])

    def linear(self, transposed: bool) -> Draft:
        own = None if self.diagonal is None else _OfStep(self.diagonal, transposed=False)
        return replace(self, damping=None, diagonal=own)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Newton(_Newton):
    """A = the whole Jacobian: DEER. On an affine step one iteration is the answer: an associative scan.

    The Jacobian costs K forward derivatives (JVPs) of all states of K numbers, unless `jacobian` gives it as a function
    of a module. `chunk` steps are composed at a time (None: all T): about 4·chunk·K² numbers of memory for each sample.
    With `damping`, λ begins there. Raises `FFCError` where the step has no derivatives.
    """

    chunk: int | None = field(default=None, metadata=_STATIC)
    jacobian: Derivative | None = field(default=None, metadata=_STATIC)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk is not None:
            count_of("Newton: chunk", self.chunk)

    def matrices(self, system: Recurrence, before: jax.Array, inputs: Any) -> jax.Array:
        if self.jacobian is not None:
            return jnp.swapaxes(self.jacobian(system.weights, system.unpack(before), inputs), -1, -2)
        along = jax.linearize(lambda x: system.stepped(x, inputs), before)[1]
        rows = jax.vmap(lambda unit: _flat(along(jnp.broadcast_to(unit, before.shape))))
        return jnp.moveaxis(rows(_units(before)), 0, -2)

    def linear(self, transposed: bool) -> Draft:
        own = None if self.jacobian is None else _OfStep(self.jacobian, transposed)
        return replace(self, damping=None, jacobian=own)


@dataclass(frozen=True)
class _OfStep:
    """A derivative given by hand, for the linear recurrences of derivatives: that of the step, or its transpose."""

    derivative: Derivative
    transposed: bool

    def __call__(self, weights: Any, state: Any, at: At) -> jax.Array:
        value = self.derivative(weights, at.state, at.inputs)
        return jnp.swapaxes(value, -1, -2) if self.transposed else value


def _flat(states: jax.Array) -> jax.Array:
    """[batch, times, ...] as [batch, times, K]."""
    return states.reshape(*states.shape[:2], math.prod(states.shape[2:]))


def _units(states: jax.Array) -> jax.Array:
    """[K, *a state] the unit vectors of a state."""
    shape = states.shape[2:]
    return jnp.eye(math.prod(shape), dtype=states.dtype).reshape(math.prod(shape), *shape)


def _damped(matrices: jax.Array, damping: jax.Array) -> jax.Array:
    """Return A / (1 + λ g) with λ = `damping` [batch]; g is each entry's square, or a matrix's mean square gain."""
    damping = damping.reshape(-1, *[1] * (matrices.ndim - 1))
    if matrices.ndim == 4:
        gain = jnp.sum(matrices**2, axis=(-2, -1), keepdims=True) / matrices.shape[-1]
        return matrices / (1 + damping * gain)
    return matrices / (1 + damping * matrices**2)
