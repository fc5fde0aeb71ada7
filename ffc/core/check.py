"""Whether a system is what the certificate takes for granted: triangular, deterministic, each sample on its own.

And whether its windows are parts of its sweep (`ffc.core.check_windows`).
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core import arguments
from ffc.core.check_windows import Sweep, check_windows
from ffc.core.compiled import standard_modes
from ffc.core.errors import FFCError
from ffc.core.examples import Examples
from ffc.core.system import State, System, block_agreement, select_blocks


@standard_modes()
def check(
    system: System,
    blocks: Iterable[int] | None = None,
    seed: int = 0,
    windows: Iterable[tuple[int, int]] | None = None,
    draws: int = 2,
) -> None:
    """`FFCError`, naming the first block at fault, where `system` is shown not to be triangular, or its windows wrong.

    Changes the blocks from i on of two states, for every i of `blocks` (all, unless given): block i must keep its
    bits. Sweeps the same state twice, in programs compiled apart, and beside other samples: it must, too. States are
    `initial()`, and what `System.example` draws by `seed` or a sweep makes of that, `draws` in all. That takes
    `draws`·(N + batch) sweeps, and some more for the states.
    Where blocks are thresholds of what they see, as a pixel is that is black or white, a faulty entry shows in few
    states: give more `draws`, and larger batches.

    `windows` are pairs (count, stride) of `System.window`: all that a solver may ask for, where these are no more
    than 8; else the narrowest, the widest, that of a row, and others drawn by `seed`. Each follows a prefix from
    block 0 to the end, by one cache, while the blocks behind change: what it gives must be that of a sweep, to the bit
    for whole numbers and truth values, else to half of the digits of the sample's largest value. Blocks that are ties
    are left out. That takes N sweeps or so for a window of one block, and 2·N / count for others.

    Small systems take their time for compiling: `sweep` twice, and each window. `blocks` and `windows` bound it.

    It is evidence, no proof: what shows in no such state is not found.
    """
    states = arguments.state_of(system)
    arguments.check_outside_jit(system, "check")
    arguments.check_example(system, states)
    cuts = arguments.blocks_of(blocks, system.size)
    first = jax.tree.map(jnp.asarray, system.initial())
    sweep, anew = _program(system), _program(system)
    examples = Examples(system, seed, sweep)
    for x in (first, *(examples.unlike(first) for _ in range(arguments.count_of("draws", draws) - 1))):
        _check_sweep(sweep, anew, examples, x, cuts)
    check_windows(system, sweep, examples, first, windows, seed)


def _check_sweep(sweep: Sweep, anew: Sweep, examples: Examples, x: State, cuts: Iterable[int]) -> None:
    """`FFCError` where sweeps from `x` show that they are not what the certificate takes them for."""
    values = sweep(x)
    samples, blocks = (np.arange(length) for length in np.shape(_agreement(x, x)))
    for again in (sweep, anew):
        _compare(values, again(x), "two sweeps of the same state differ: sweep must not count, nor draw at random")
    hint = examples.hint
    for sample in samples:
        alone = np.broadcast_to(samples[:, None] == sample, (len(samples), len(blocks)))
        other = sweep(_select(alone, x, examples.unlike(x)))
        problem = f"it changes with other samples: each must be computed from its own state{hint}"
        _compare(values, other, problem, alone)
    for i in cuts:
        before, settled = (np.broadcast_to(mask, (len(samples), len(blocks))) for mask in (blocks < i, blocks <= i))
        other = sweep(_select(before, x, examples.unlike(x)))
        problem = f"it changes with blocks from {i} on: block i must depend on x[<i] alone{hint}"
        _compare(values, other, problem, settled)


def _program(system: System) -> Sweep:
    """`sweep`, compiled anew."""
    program = jax.jit(lambda system, x: system.sweep(x))
    return lambda x: program(system, x)


_select = jax.jit(select_blocks)


@jax.jit
def _agreement(x: State, y: State) -> jax.Array:
    """`block_agreement`, where what is no number in both agrees."""
    return block_agreement(*(jax.tree.map(lambda leaf: jnp.nan_to_num(leaf, nan=0.1234), state) for state in (x, y)))


def _compare(x: State, y: State, problem: str, where: np.ndarray | bool = True) -> None:
    """`FFCError` unless the blocks `where` (of the shape [batch, N], or one that broadcasts) agree."""
    differ = ~np.asarray(_agreement(x, y)) & where
    if differ.any():
        block = int(np.flatnonzero(differ.any(axis=0))[0])
        sample = int(np.flatnonzero(differ[:, block])[0])
        raise FFCError(f"block {block} of sample {sample}: {problem}; mend the system's sweep")
