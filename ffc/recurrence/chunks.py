"""A recurrence that forgets, in chunks that run all at once, each from a guess of the state that enters it.

What the chunks hand on to one another is a triangular system, and its certificate says when the guesses were the
true states. Parareal is this idea with another guess.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.solution import Status
from ffc.core.solve import Tolerance, solve
from ffc.core.solvers import Jacobi
from ffc.core.system import State, System
from ffc.recurrence.affine import cut
from ffc.recurrence.system import Step

#: Residuals of states of order 1 that count as rounding: some tens of units in the last place of float32.
TOLERANCE = 4e-6


class Chunked(NamedTuple):
    """States that were evaluated in chunks, and how far they can be trusted."""

    states: jax.Array  # [batch, T, H], x_1 … x_T
    jump: jax.Array  # [batch] largest residual; only where a chunk begins is it not zero to the last bit
    status: jax.Array  # [batch] CERTIFIED or WITHIN_TOLERANCE, from jump
    passes: jax.Array  # scalar: how often all chunks were run through


def chunked_states(
    step: Step, weights: Any, inputs: Any, start: jax.Array, chunk: int, warmup: int, tolerance: float = TOLERANCE
) -> Chunked:
    """x_1 … x_T from x_0 = `start` [batch, H] by `Chunks`: T / chunk states in one product of matrices.

    Leaves of `inputs` are [batch, T, ...]. Where the guesses from `warmup` steps are true to `tolerance`, that
    takes warmup + chunk steps that follow one another, instead of T; else the chunks are solved by Jacobi, in
    at most T steps more. Bits seldom settle: a wide network hands a difference of one unit in the last place on
    as one of another entry for ever. The residual of a step in order is such a unit, too.
    """
    length = jax.tree.leaves(inputs)[0].shape[1]
    chunk = min(chunk, length)
    pieces = jax.tree.map(lambda a: cut(a, chunk), inputs)
    system = Chunks(step=step, warmup=min(warmup, chunk), weights=weights, inputs=pieces, start=start)

    def finish(guess, sweeps) -> Chunked:
        ends, states = system.states(guess)
        jump = jnp.abs(ends - guess)[:, :-1].max(axis=(1, 2), initial=0)
        status = jnp.where(jump == 0, Status.CERTIFIED, Status.WITHIN_TOLERANCE)
        return Chunked(states[:, :length], jump, status, sweeps + 1)

    def solved() -> Chunked:
        solution = solve(system, Jacobi(), Tolerance(tolerance))
        return finish(solution.value, 1 + solution.iterations.max())

    first = finish(system.initial(), jnp.int32(0))
    return jax.lax.cond(jnp.all(first.jump <= tolerance), lambda: first, solved)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chunks(System):
    """The state that each of N chunks of a recurrence hands on to the next: block i is the last state of chunk i.

    Jacobi on it is Jacobi-GS on the recurrence (paper, algorithm 2), of which it keeps only what an iteration
    hands on to the next.
    """

    step: Step = field(metadata={"static": True})
    warmup: int = field(metadata={"static": True})  # last steps of each chunk that make the first guess
    weights: Any
    inputs: Any  # leaves [batch, N, chunk, ...]
    start: jax.Array  # [batch, H]

    @property
    def size(self) -> int:
        return jax.tree.leaves(self.inputs)[0].shape[1]

    @property
    def chunk(self) -> int:
        return jax.tree.leaves(self.inputs)[0].shape[2]

    def initial(self) -> State:
        zeros = jnp.zeros((self.start.shape[0], self.size, self.start.shape[1]), self.start.dtype)
        return self._run(self.chunk - self.warmup, zeros)

    def sweep(self, x: State) -> State:
        return self._run(0, self._entering(x))

    def states(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`sweep(x)`, and all states on the way to it [batch, N · chunk, H]."""

        def step(j, carry):
            state, states = carry
            state = self._step(j, state)
            return state, jax.lax.dynamic_update_index_in_dim(states, state, j, axis=2)

        entering = self._entering(x)
        states = jnp.zeros((*entering.shape[:2], self.chunk, entering.shape[2]), entering.dtype)
        ends, states = jax.lax.fori_loop(0, self.chunk, step, (entering, states))
        return ends, states.reshape(states.shape[0], -1, states.shape[3])

    def _entering(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([self.start[:, None], x[:, :-1]], axis=1)

    def _run(self, first: int, entering: jax.Array) -> jax.Array:
        """The chunks' last states, from states that enter step `first` of each."""
        return jax.lax.fori_loop(first, self.chunk, self._step, entering)

    def _step(self, j, state: jax.Array) -> jax.Array:
        at = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, j, axis=2, keepdims=False), self.inputs)
        return self.step(self.weights, state, at)
