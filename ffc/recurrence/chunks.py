"""A recurrence that forgets, in chunks that run all at once, each from a guess of the state that enters it.

What the chunks hand on to one another is a triangular system, and its certificate says when the guesses were the
true states. Parareal is this idea with another guess.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from ffc.core.arguments import count_of
from ffc.core.solution import Solution
from ffc.core.system import State, System, block_finite, indices, missing
from ffc.recurrence.affine import cut
from ffc.recurrence.system import Recurrence


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chunks(System):
    """A recurrence of T steps as ⌈T / chunk⌉ blocks: block i is the last state of chunk i, [batch, blocks, ...].

    Solve it by `Jacobi()` within a tolerance, and take all states by `states`. That is Jacobi-GS on the recurrence
    (paper, algorithm 2), of which it keeps only what an iteration hands on to the next. The first guess is made by the
    last `warmup` steps of each chunk, from zeros. Where influence fades within these steps, warmup + chunk steps
    follow one another, instead of T. Bits seldom settle: a wide network hands a difference of one unit in the last
    place on as one of another entry for ever. Raises `FFCError` where a length is no whole number of steps.
    """

    recurrence: Recurrence
    chunk: int = field(metadata={"static": True})
    warmup: int = field(metadata={"static": True}, default=0)
    returns_outputs = True

    def __post_init__(self) -> None:
        count_of("Chunks: chunk", self.chunk)
        count_of("Chunks: warmup", self.warmup, least=0)

    @property
    def size(self) -> int:
        return -(-self.recurrence.size // self.chunk)

    def initial(self) -> State:
        state, step = self.recurrence.initial()[:, : self.size], self._step()
        return jax.lax.fori_loop(max(0, self.chunk - self.warmup), self.chunk, step, state)

    def sweep(self, x: State) -> State:
        return self.sweep_outputs(x)[0]

    def sweep_outputs(self, x: State) -> tuple[State, jax.Array]:
        """Return `sweep(x)`, and all states on the way to it, [batch, blocks, chunk, ...]."""
        of_chunk = self._step()

        def step(j: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            state, states = carry
            state = of_chunk(j, state)
            return state, jax.lax.dynamic_update_index_in_dim(states, state, j, axis=2)

        entering = jnp.concatenate([self.recurrence.before(x)[:, :1], x[:, :-1]], axis=1)
        states = jnp.zeros((*entering.shape[:2], self.chunk, *entering.shape[2:]), entering.dtype)
        ends, states = jax.lax.fori_loop(0, self.chunk, step, (entering, states))
        # What is not finite on the way may be hidden at the end: by a tanh, say.
        finite = block_finite(states)
        return jnp.where(finite.reshape(*finite.shape, *[1] * (ends.ndim - 2)), ends, missing(ends.dtype)), states

    def states(self, solution: Solution) -> jax.Array:
        """Return x_1 … x_T [batch, T, ...] of a `solution` of this system; differentiable as its value is."""
        states = solution.outputs
        batch, _, _, *shape = states.shape
        return states.reshape(batch, self.size * self.chunk, *shape)[:, : self.recurrence.size]

    def _step(self) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """Step j of every chunk at once; behind the end of the recurrence nothing moves."""
        length = self.recurrence.size
        pieces = jax.tree.map(lambda leaf: cut(jnp.asarray(leaf), self.chunk), self.recurrence.inputs)

        def step(j: jax.Array, state: jax.Array) -> jax.Array:
            at = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, j, axis=2, keepdims=False), pieces)
            after = self.recurrence.stepped(state, at)
            if length % self.chunk == 0:
                return after
            inside = indices(self.size) * self.chunk + j < length
            return jnp.where(inside.reshape(-1, *[1] * (after.ndim - 2)), after, state)

        return step
