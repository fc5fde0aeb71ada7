"""Windows of a solver: the blocks that they begin at, and their rows."""

import jax
import jax.numpy as jnp

from ffc.core.system import State, System, put_blocks


def window_start(
    system: System, width: int, prefix: jax.Array, running: jax.Array, together: bool = False
) -> jax.Array:
    """Return [batch] where windows of `width` begin: at a sample's prefix or a little before, inside the system."""
    if width == system.size:
        return jnp.zeros_like(prefix)
    slowest = jnp.min(jnp.where(running, prefix, system.size), initial=system.size)
    prefix = jnp.full_like(prefix, slowest) if together else prefix
    return jnp.minimum(system.window_start(width, prefix, slowest), system.size - width)


def samples_wait(system: System, together: bool) -> bool:
    """Return whether the windows of samples may wait for that of another."""
    return together or type(system).window_start is not System.window_start


def enters_rows(system: System, count: int, stride: int) -> bool:
    """Return whether each window lies in a row, and the system's cache keeps something of one (`System.enter`)."""
    return stride == 1 and count <= system.row_length and type(system).enter is not System.enter


def like_row_above(system: System, x: State, met: jax.Array, index: jax.Array) -> State:
    """Return `x` with the blocks `index` [batch, window] as the row before them, but for the `met` first ones."""
    length = system.row_length
    last = jnp.maximum(met - length, 0)[:, None]
    new = (index >= met[:, None]) & (met > 0)[:, None]
    above = last + (index - last) % length
    if system.mirrored:
        above = (2 * (index // length) - 1) * length + length - 1 - index
    source = jnp.where(new, above, index)

    def leaf(x):
        return put_blocks(x, jax.vmap(lambda row, at: row[at])(x, source), index[:, 0])

    return jax.tree.map(leaf, x)
