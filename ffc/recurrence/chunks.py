"""A recurrence that forgets, in chunks that run all at once, each from a guess of the state that enters it.

What the chunks hand on to one another is a triangular system, and its certificate says when the guesses were the
true states. Parareal is this idea with another guess.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.solution import Status
from ffc.core.solve import Tolerance, solve
from ffc.core.solvers import Jacobi
from ffc.core.system import (
    State,
    System,
    block_agreement,
    block_distance,
    block_finite,
    block_size,
    indices,
    prefix_length,
)
from ffc.recurrence.affine import cut
from ffc.recurrence.found import Found, Limits
from ffc.recurrence.system import Recurrence, Step


def solve_chunks(recurrence: Recurrence, chunk: int, warmup: int, limits: Limits) -> Found:
    """The states of `recurrence` by `ChunkEnds`: T / chunk states in one product of matrices.

    Where the guesses from `warmup` steps are true to the tolerance, that takes warmup + chunk steps that follow one
    another, instead of T; else the chunks are solved by Jacobi, in at most T steps more. Bits seldom settle: a wide
    network hands a difference of one unit in the last place on as one of another entry for ever. The residual of a
    step in order is such a unit, too. An iteration is a run through all chunks; only where a chunk begins is the
    residual not zero to the last bit.
    """
    chunk = min(chunk, recurrence.size)
    pieces = jax.tree.map(lambda a: cut(jnp.asarray(a), chunk, "edge"), recurrence.inputs)
    system = ChunkEnds(recurrence.step, min(warmup, chunk), recurrence.weights, pieces, recurrence.start)

    def solved() -> Found:
        stop = Tolerance(limits.tolerance, limits.iterations, limits.relative)  # type: ignore[arg-type]
        solution = solve(system, Jacobi(), stop)
        return _judged(system, recurrence, limits, solution.value, 1 + solution.iterations.max())

    first = _judged(system, recurrence, limits, system.initial(), jnp.int32(0))
    done = (first.status == Status.CERTIFIED) | (first.status == Status.WITHIN_TOLERANCE)
    return jax.lax.cond(jnp.all(done), lambda: first, solved)


def _judged(system: "ChunkEnds", recurrence: Recurrence, limits: Limits, guess: jax.Array, sweeps: jax.Array) -> Found:
    """The states of chunks that begin with `guess`, and how far each chunk's end is off what the next began with."""
    ends, states = system.states(guess)
    ends, guess, states = ends[:, :-1], guess[:, :-1], states[:, : recurrence.size]
    jump = block_distance(ends, guess)
    near = jump <= limits.tolerance + limits.relative * block_size(ends)
    chunks = prefix_length(block_agreement(ends, guess)) + 1
    finite = prefix_length(block_finite(states))
    certified = jnp.minimum(jnp.minimum(chunks * system.chunk, recurrence.size), finite)
    status = jnp.select(
        [finite < recurrence.size, certified == recurrence.size, jnp.all(near, axis=1)],
        [Status.NOT_FINITE, Status.CERTIFIED, Status.WITHIN_TOLERANCE],
        Status.ITERATION_LIMIT,
    ).astype(jnp.int32)
    trusted = (status != Status.NOT_FINITE)[:, None] | (indices(recurrence.size) < certified[:, None])
    return Found(
        states=jnp.where(trusted[..., None], states, 0),
        status=status,
        iterations=jnp.full_like(status, sweeps + 1),
        certified=certified,
        residual=jump.max(axis=1, initial=0),
        jacobian_finite=jnp.ones_like(status, bool),
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChunkEnds(System):
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
