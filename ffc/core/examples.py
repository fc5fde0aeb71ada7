"""Random states of a system, to try it on."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.compiled import compiled
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.system import State, System, block_agreement, block_finite, select_blocks

#: Draws in which a block should come to another value: of two that are as likely, all but one block in 65,536 does.
_TRIES = 16


class Examples:
    """States to try a system on: what `System.example` draws, and in turn what `sweep` makes of such a state.

    An example of whole numbers moves `initial()` by little; a sweep has the values that the system itself gives.
    """

    def __init__(self, system: System, seed: int, sweep: Callable[[State], State]):
        self._system, self._seeds, self._sweep = system, np.random.default_rng(seed), sweep
        self._swept = False

    @property
    def hint(self) -> str:
        """What may be amiss in place of the system: whole numbers that nobody said which ones they may be."""
        states = jax.tree.leaves(jax.eval_shape(lambda system: system.initial(), self._system))
        own = type(self._system).example is not System.example
        whole = any(jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in states)
        return " (if its numbers are tokens, let example draw them)" if whole and not own else ""

    def draw(self) -> State:
        x = _draw(self._system, key_of(int(self._seeds.integers(2**63))))
        self._swept = not self._swept
        if self._swept:
            return x
        y = self._sweep(x)
        return _select(_finite(y), y, x)  # what is no number may spoil any block, as 0 · NaN does

    def unlike(self, x: State) -> State:
        """Return a state of which every block differs from that of `x`, where the block has more than one value.

        Raises `FFCError` where none differs.
        """
        y = self.draw()
        for _ in range(_TRIES):
            same = _agreement(x, y)
            if not same.any():
                return y
            y = _select(same, self.draw(), y)
        if _agreement(x, y).all():
            name = type(self._system).__name__
            raise FFCError(f"system: example of {name} gives one state alone; let it draw blocks at random by its key")
        return y


_agreement, _select, _finite = jax.jit(block_agreement), jax.jit(select_blocks), jax.jit(block_finite)


@compiled()
def _draw(system: System, key: jax.Array) -> State:
    return system.example(key)
