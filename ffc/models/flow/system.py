"""A flow's sampling as triangular systems: of one block of the flow (`Link`), and of all of them (`FlowSampling`).

A block's inverse is x_i = z_i·exp(s_i(x_<i)) + mean_i(x_<i), patch after patch. Its z is the solution of the block
before, in reversed order. The whole system has a row for each block of the flow, and a block of the system is a patch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.system import Cache, State, System, take_blocks
from ffc.models.base import Params
from ffc.models.flow import network

#: Errors that sums in another order may have, seldom more: an entry as near to the middle of two numbers is a tie.
_TIE = 2e-6


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inverse:
    """One block of the flow, backwards: its network, and what becomes of means and log-scales."""

    params: Params
    heads: int = field(metadata={"static": True})
    bits: int | None = field(metadata={"static": True})  # of the fraction of a fixed-point number; None: real numbers

    def whole(self, x: jax.Array, z: jax.Array) -> jax.Array:
        return self._rounded(self.real(x, z))

    def real(self, x: jax.Array, z: jax.Array) -> jax.Array:
        """All patches, before they are rounded."""
        return _sampled(network.whole(self.params, x, self.heads), z)

    def window(self, cache: Cache, x: jax.Array, z: jax.Array, start: jax.Array, count: int) -> tuple[jax.Array, Cache]:
        outputs, cache = network.window(self.params, cache, x, start, count, self.heads)
        return self._rounded(_sampled(outputs, take_blocks(z, start, count))), cache

    def cache(self, batch: int) -> Cache:
        return network.init_cache(self.params, batch, self.heads)

    def _rounded(self, x: jax.Array) -> jax.Array:
        return x if self.bits is None else jnp.round(x * 2.0**self.bits) * 2.0**-self.bits


def _sampled(outputs: tuple[jax.Array, jax.Array], z: jax.Array) -> jax.Array:
    mean, log_scale = outputs
    return z * jnp.exp(log_scale) + mean


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Link(System):
    """x_i = z_i·exp(s_i(x_<i)) + mean_i(x_<i): the inverse of one block of a flow, for a z that is known."""

    block: Inverse
    z: jax.Array  # [batch, patches, entries]

    @property
    def size(self) -> int:
        return self.z.shape[1]

    @property
    def row_length(self) -> int:
        return self.size

    @property
    def discrete(self) -> bool:
        return self.block.bits is not None

    def initial(self) -> State:
        return jnp.zeros_like(self.z)

    def sweep(self, x: State) -> State:
        return self.block.whole(x, self.z)

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def init_cache(self, x: State) -> Cache:
        return self.block.cache(len(x))

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        return self.block.window(cache, x, self.z, start, count)

    def with_median_noise(self) -> System:
        return replace(self, z=jnp.zeros_like(self.z))

    def ties(self, x: State) -> jax.Array:
        return _ties(self.block, x, self.z)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FlowSampling(System):
    """All blocks of a flow, from noise to patches: a row of blocks for each, the last of them the image.

    Windows lie inside one row. Samples in one row are evaluated together, others one by one. `link` gives each row as
    a system of its own, so that `Chained` evaluates one network at a time, and has another window for each.
    """

    blocks: tuple[Inverse, ...]
    u: jax.Array  # [batch, patches, entries]

    @property
    def size(self) -> int:
        return self.links * self.row_length

    @property
    def row_length(self) -> int:
        return self.u.shape[1]

    @property
    def links(self) -> int:
        return len(self.blocks)

    @property
    def discrete(self) -> bool:
        return self.blocks[0].bits is not None

    def link(self, number: int, before: State | None) -> Link:
        return Link(self.blocks[number], self.u if before is None else before[:, ::-1])

    def link_above(self, number: int, before: State | None) -> State:
        return self.link(number, before).z

    def initial(self) -> State:
        return jnp.zeros((len(self.u), self.size, self.u.shape[2]), self.u.dtype)

    def sweep(self, x: State) -> State:
        return self._by_row(x, Inverse.whole)

    def supports_window(self, count: int, stride: int) -> bool:
        part = count < self.row_length or count % self.row_length == 0
        return stride == 1 and part and count < self.size

    def init_cache(self, x: State) -> Cache:
        return self.blocks[0].cache(len(x))

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        row = start // self.row_length

        window = partial(self._window_of_row, count)

        def alone(row: jax.Array, *given: Any) -> tuple[jax.Array, Cache]:
            def sample(one):
                row, *rest = jax.tree.map(lambda leaf: leaf[None], one)
                return jax.tree.map(lambda leaf: leaf[0], window(row[0], *rest))

            return jax.lax.map(sample, (row, *given))

        def together(row: jax.Array, *given: Any) -> tuple[jax.Array, Cache]:
            return window(row[0], *given)

        given = (row, cache, x, self.u, start)
        return together(*given) if len(x) == 1 else jax.lax.cond(jnp.all(row == row[0]), together, alone, *given)

    def with_median_noise(self) -> System:
        return replace(self, u=jnp.zeros_like(self.u))

    def ties(self, x: State) -> jax.Array:
        return self._by_row(x, _ties)

    def _by_row(self, x: State, of_row: Callable[[Inverse, jax.Array, jax.Array], jax.Array]) -> jax.Array:
        """`of_row(block, row, z)` of every row of `x`, one after the other along the blocks."""
        rows = jnp.split(x, self.links, axis=1)
        inputs = (self.u, *(row[:, ::-1] for row in rows[:-1]))
        return jnp.concatenate(list(map(of_row, self.blocks, rows, inputs)), axis=1)

    def _window_of_row(
        self, count: int, row: jax.Array, cache: Cache, x: State, u: jax.Array, start: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """A window of samples that all stand in `row`: a part of it, or `row` and some that follow, whole."""
        length = self.row_length
        if count >= length:
            rows = [self._switch(Inverse.whole, row + i, x, u) for i in range(count // length)]
            return jnp.concatenate(rows, axis=1), cache

        def part(block: Inverse, own: jax.Array, z: jax.Array) -> tuple[jax.Array, Cache]:
            return block.window(cache, own, z, start - row * length, count)

        return self._switch(part, row, x, u)

    def _switch(
        self, of_row: Callable[[Inverse, jax.Array, jax.Array], Any], row: jax.Array, x: State, u: jax.Array
    ) -> Any:
        """`of_row(block, row, z)` of one row."""
        own, above = (self._row(x, at) for at in (row, jnp.maximum(row - 1, 0)))
        z = jnp.where(row == 0, u, above[:, ::-1])
        return jax.lax.switch(row, [partial(of_row, block) for block in self.blocks], own, z)

    def _row(self, x: State, number: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(x, number * self.row_length, self.row_length, axis=1)


def _ties(block: Inverse, x: jax.Array, z: jax.Array) -> jax.Array:
    """[batch, patches] whether an entry of a patch lies near the middle of two fixed-point numbers."""
    if block.bits is None:
        return jnp.zeros(x.shape[:2], bool)
    steps = 2.0**block.bits
    scaled = block.real(x, z) * steps
    return jnp.any(jnp.abs(scaled - jnp.floor(scaled) - 0.5) < _TIE * steps, axis=-1)
