"""A flow's sampling as a triangular system, with a row of blocks for each block of the flow.

A block's inverse is x_i = z_i·exp(s_i(x_<i)) + mean_i(x_<i), patch after patch. Its z is the row before, in reversed
order; that of the first row is the noise. The last row is the image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, State, System, take_blocks
from ffc.models.base import Params
from ffc.models.decoder import init_cache
from ffc.models.flow import network

#: Errors that sums in another order may have, seldom more: an entry as near to the middle of two numbers is a tie.
_TIE = 2e-6


class _Row(NamedTuple):
    """Hold what windows share while they stay in a row."""

    number: jax.Array  # of the row
    params: Params  # of its block of the flow
    z: jax.Array  # [batch, patches, entries]
    layers: Cache  # of its network


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FlowSampling(System):
    """All blocks of a flow, from noise to patches: a row of blocks for each, the last of them the image.

    A window of one patch is the sampler with a cache.
    """

    blocks: Params  # leaves [rows, ...]: the network of each row
    u: jax.Array  # [batch, patches, entries]
    heads: int = field(metadata={"static": True})
    bits: int | None = field(metadata={"static": True})  # of the fraction of a fixed-point number; None: real numbers
    mirrored = True

    @property
    def size(self) -> int:
        return len(jax.tree.leaves(self.blocks)[0]) * self.row_length

    @property
    def row_length(self) -> int:
        return self.u.shape[1]

    @property
    def discrete(self) -> bool:
        return self.bits is not None

    def initial(self) -> State:
        return jnp.zeros((len(self.u), self.size, self.u.shape[2]), self.u.dtype)

    def sweep(self, x: State) -> State:
        return self._by_row(x, lambda params, row, z: self._rounded(self._real(params, row, z)))

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count <= self.row_length and count < self.size

    def window_start(self, count: int, prefix: jax.Array, slowest: jax.Array) -> jax.Array:
        """Return windows inside the row of the slowest sample: one network is evaluated at a time."""
        last = (slowest // self.row_length + 1) * self.row_length - 1
        return super().window_start(count, jnp.minimum(prefix, last), slowest)

    def init_cache(self, x: State) -> Cache:
        return self._row_of(jnp.int32(0), x)

    def enter(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> Cache:
        number = start[0] // self.row_length
        # A loop that goes on after a stop enters the row that it stands in.
        return jax.lax.cond(number == cache.number, lambda: cache, lambda: self._row_of(number, x))

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        first = start[0] // self.row_length * self.row_length
        own = jax.lax.dynamic_slice_in_dim(x, first, self.row_length, axis=1)
        outputs, layers = network.window(cache.params, cache.layers, own, start - first, count, self.heads)
        values = self._rounded(_sampled(outputs, take_blocks(cache.z, start - first, count)))
        return values, cache._replace(layers=layers)

    def with_median_noise(self) -> System:
        return replace(self, u=jnp.zeros_like(self.u))

    def ties(self, x: State) -> jax.Array:
        """Return [batch, N] whether an entry of a patch lies near the middle of two fixed-point numbers."""
        if self.bits is None:
            return jnp.zeros(x.shape[:2], bool)
        steps = 2.0**self.bits

        def of_row(params: Params, row: jax.Array, z: jax.Array) -> jax.Array:
            scaled = self._real(params, row, z) * steps
            return jnp.any(jnp.abs(scaled - jnp.floor(scaled) - 0.5) < _TIE * steps, axis=-1)

        return self._by_row(x, of_row)

    def _row_of(self, number: jax.Array, x: State) -> _Row:
        """Return a row at its beginning."""
        params = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, number, keepdims=False), self.blocks)
        before = jnp.maximum(number - 1, 0) * self.row_length
        above = jax.lax.dynamic_slice_in_dim(x, before, self.row_length, axis=1)
        z = jnp.where(number == 0, self.u, above[:, ::-1])
        return _Row(number, params, z, init_cache(params, self.heads, len(x), self.row_length))

    def _by_row(self, x: State, of_row: Callable[[Params, jax.Array, jax.Array], jax.Array]) -> jax.Array:
        """`of_row(params, row, z)` of every row of `x`, one after the other along the blocks."""
        rows = jnp.split(x, self.size // self.row_length, axis=1)
        inputs = (self.u, *(row[:, ::-1] for row in rows[:-1]))
        params = [jax.tree.map(lambda leaf, i=i: leaf[i], self.blocks) for i in range(len(rows))]
        return jnp.concatenate(list(map(of_row, params, rows, inputs)), axis=1)

    def _real(self, params: Params, x: jax.Array, z: jax.Array) -> jax.Array:
        """All patches of a row, before they are rounded."""
        return _sampled(network.whole(params, x, self.heads), z)

    def _rounded(self, x: jax.Array) -> jax.Array:
        return x if self.bits is None else jnp.round(x * 2.0**self.bits) * 2.0**-self.bits


def _sampled(outputs: tuple[jax.Array, jax.Array], z: jax.Array) -> jax.Array:
    mean, log_scale = outputs
    return z * jnp.exp(log_scale) + mean
