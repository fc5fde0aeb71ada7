"""Whether a system is what the certificate takes for granted: triangular, deterministic, each sample on its own."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.system import State, System, batch_size, block_agreement, select_blocks


def check(system: System, blocks: Iterable[int] | None = None, seed: int = 0) -> None:
    """`FFCError`, naming the first block at fault, where sweeps show that `system` is not triangular.

    Changes the blocks from i on of two states, for every i of `blocks` (all, unless told): block i must keep its
    bits. Sweeps the same state twice, in programs compiled apart, and beside other samples: it must, too. That
    takes 2·N sweeps, and is evidence, no proof: what shows in no such state is not found.
    """
    draw = np.random.default_rng(seed)
    first = jax.tree.map(jnp.asarray, system.initial())
    cuts = range(system.size) if blocks is None else tuple(blocks)
    sweep, anew = _program(system), _program(system)
    for x in (sweep(first), _changed(draw, first)):
        values = sweep(x)
        for again in (sweep, anew):
            _compare(values, again(x), "two sweeps of the same state differ: sweep must not count, nor draw at random")
        for sample in range(batch_size(x)):
            kept = jnp.zeros((batch_size(x), system.size), bool).at[sample].set(True)
            other = sweep(select_blocks(kept, x, _changed(draw, x)))
            _compare(values, other, "it changes with other samples: each must be computed from its own state", kept)
        for i in cuts:
            before = jnp.broadcast_to(jnp.arange(system.size) < i, (batch_size(x), system.size))
            other = sweep(select_blocks(before, x, _changed(draw, x)))
            settled = jnp.broadcast_to(jnp.arange(system.size) <= i, before.shape)
            _compare(values, other, f"it changes with blocks from {i} on: block i must depend on x[<i] alone", settled)


def _program(system: System):
    """`sweep`, compiled anew."""
    program = jax.jit(lambda system, x: system.sweep(x))
    return lambda x: program(system, x)


def _changed(draw: np.random.Generator, x: State) -> State:
    """`x` with every number changed by about its own size, or by about one."""

    def leaf(values):
        noise = draw.normal(size=values.shape) * (1 + np.abs(np.asarray(values, np.float64)))
        return jnp.asarray(np.asarray(values, np.float64) + noise, values.dtype)

    return jax.tree.map(leaf, x)


def _compare(x: State, y: State, problem: str, where: jax.Array | None = None) -> None:
    """`FFCError` unless the blocks `where` [batch, N] agree; what is no number in both does."""
    x, y = (jax.tree.map(jnp.nan_to_num, state) for state in (x, y))
    differ = ~block_agreement(x, y) & (True if where is None else where)
    if differ.any():
        block = int(np.flatnonzero(np.asarray(differ).any(axis=0))[0])
        sample = int(np.flatnonzero(np.asarray(differ)[:, block])[0])
        raise FFCError(f"block {block} of sample {sample}: {problem}; mend the system's sweep")
