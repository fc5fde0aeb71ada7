"""Drafts: what becomes of the blocks behind the first one that an iteration changed.

An iteration evaluates y_i = f_i(x_<i) for a window. With p the first block that changed, the blocks up to p are y_i,
and certified. Jacobi takes y_i behind it, too, although each was computed from blocks that have just turned out
wrong. A draft takes instead, in order,

    x'_i = g_i(o_i, x_<i, x'_<i),      g_i(o_i, x_<i, x_<i) = y_i,

where o_i is what the evaluation found on its way to y_i (a network's outputs, say), and g a cheap model of how that
would change with the blocks before. The certificate compares x with y, and never asks where x came from: so a draft
decides how many iterations are needed, and no bit of what is certified.
"""

from typing import Any, NamedTuple

import jax

from ffc.core.errors import FFCError
from ffc.core.system import State, System, block_finite, described, select_blocks


class Evaluated(NamedTuple):
    """What an iteration found of a window, which is the whole state where sweeps evaluate it."""

    x: State  # the state before, all blocks
    start: jax.Array  # [batch] int32: the window's first block
    before: State  # [batch, window, ...] x there
    after: State  # [batch, window, ...] y there; blocks that were solved already keep their value
    outputs: Any  # what the system found on its way to y, [batch, window, ...]
    first: jax.Array  # [batch] int32: the window's first block that changed; blocks up to it are y, whatever is drafted


class Draft:
    """A way to guess the rest of a window from its evaluation.

    A subclass is a frozen dataclass registered as a pytree (`jax.tree_util.register_dataclass`); its arrays are of use
    to any sample, so that they have no axis for the batch. Give it to a solver: `GSJacobi(window, draft=draft)`.
    """

    def start(self, system: System, x: State) -> Any:
        """Return the draft's memory between iterations, leaves [batch, ...], before the first one, at `x`."""
        return ()

    def update(self, system: System, evaluated: Evaluated, memory: Any) -> tuple[State, Any]:
        """Return `redraft`, and the memory for the next iteration: for a draft that learns from those before."""
        return self.redraft(system, evaluated), memory

    def linear(self, transposed: bool) -> "Draft | None":
        """Return the draft of the tangent of `System.linear`, or of its adjoint (`transposed`); None: there is none."""
        return None

    def redraft(self, system: System, evaluated: Evaluated) -> State:
        """Return x' for the blocks of the window, with the shape and dtype of `evaluated.after`.

        Only blocks behind `evaluated.first` are taken from it. Where one is not finite, y_i is taken. Called once in
        every iteration, inside the compiled loop: let it cost little beside an evaluation of the window.
        """
        raise NotImplementedError(f"{type(self).__name__} has no redraft()")


def values(draft: Draft, system: System, evaluated: Evaluated, behind: jax.Array, memory: Any) -> tuple[State, Any]:
    """Return the window with the draft's values where `behind` [batch, window] holds, and what the draft keeps.

    The values are finite wherever x or y is.
    """
    drafted, memory = draft.update(system, evaluated, memory)
    if (expected := described(evaluated.after)) != (actual := described(drafted)):
        raise FFCError(
            f"draft: redraft of {type(draft).__name__} returns {actual}; the window is {expected}: let them agree"
        )
    x = select_blocks(behind & block_finite(drafted), drafted, evaluated.after)
    return select_blocks(block_finite(x), x, evaluated.before), memory
