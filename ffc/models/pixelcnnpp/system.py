"""Sampling from PixelCNN++ as a triangular system: a block is a pixel, a function of the pixels before it."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.solve import solve
from ffc.core.solvers import Sequential
from ffc.core.system import Cache, State, System
from ffc.models.pixelcnnpp import mixture, network
from ffc.models.pixelcnnpp.coupling import Coupling
from ffc.models.pixelcnnpp.drafts import NEIGHBOURS, ROWS, LinearOutputs, constants
from ffc.models.pixelcnnpp.layers import Index, Whole
from ffc.models.pixelcnnpp.mixture import EIGHT_BIT
from ffc.models.pixelcnnpp.weights import Params
from ffc.models.pixelcnnpp.windows import Arrays, Window, padded

#: Rounding errors of another order of summation, in the network's outputs.
TIE = 1e-5


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PixelSampling(System):
    """State [batch, height·width, channels] in [−1, 1]; row by row (paper, section 4.3)."""

    layers: Params  # prepared by ffc.models.pixelcnnpp.weights.prepare
    coupling: Coupling  # the noise, and what it makes of the network's outputs
    together: bool = field(metadata={"static": True}, default=False)  # windows of all samples begin at one block

    @property
    def size(self) -> int:
        return math.prod(self._extent)

    @property
    def row_length(self) -> int:
        """Windows are of whole rows, or lie in one."""
        return self._extent[1]

    @property
    def discrete(self) -> bool:
        return self.coupling.discrete

    def initial(self) -> State:
        batch, _, _, channels = self.coupling.shape
        dtype = jnp.result_type(*jax.tree.leaves((self.layers, self.coupling)))
        return jnp.zeros((batch, self.size, channels), dtype)

    def example(self, key: jax.Array) -> State:
        """Pixels of 8 bits, each level as likely."""
        x = self.initial()
        index = jax.random.randint(key, x.shape, 0, mixture.EIGHT_BIT + 1, jnp.int32)
        return mixture.level(index, mixture.EIGHT_BIT, x.dtype)

    def sweep(self, x: State) -> State:
        return self.coupling.pixels(self._outputs_everywhere(x)).reshape(x.shape)

    def with_median_noise(self) -> System:
        return replace(self, coupling=self.coupling.with_median_noise())

    def ties(self, x: State, tolerance: float = TIE) -> jax.Array:
        return self.coupling.ties(self._outputs_everywhere(x), tolerance).reshape(x.shape[:2])

    def supports_window(self, count: int, stride: int) -> bool:
        height, width = self._extent
        whole_rows = count % width == 0 and count < self.size
        return (stride == 1 and (count < width or whole_rows)) or (stride, count) == (width, height)

    def init_cache(self, x: State) -> Cache:
        """Zeros for every feature: a window recomputes all that it reads below its first row."""
        shapes = jax.eval_shape(self.features, x.reshape(self.coupling.shape))
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def enter(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> Cache:
        """Return the vertical stack in the window's rows: it sees no pixel of theirs."""
        row, rows, _, _ = self._place(x, start, count, stride)
        ops = self._over(cache, x, row, rows, 0, self.row_length)
        network.vertical(ops, self.layers, self._image)
        return ops.cache()

    def sweep_outputs(self, x: State) -> tuple[State, tuple[jax.Array, Coupling]]:
        outputs = self._outputs_everywhere(x)
        return self.coupling.pixels(outputs).reshape(x.shape), _by_block((outputs, self.coupling), x.shape[1])

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        """Return some rows, pixels of one row, or a column of all rows: where all samples stand, or each on its own."""
        outputs, coupling, extended = self._window(cache, x, start, count, stride)
        return coupling.pixels(outputs).reshape(x.shape[0], count, x.shape[2]), extended

    def window_outputs(
        self, cache: Cache, x: State, start: jax.Array, count: int
    ) -> tuple[jax.Array, tuple[jax.Array, Coupling], Cache]:
        """Return the pixels; as outputs, the network's and the noise that makes pixels of them."""
        outputs, coupling, extended = self._window(cache, x, start, count, 1)
        values = coupling.pixels(outputs).reshape(x.shape[0], count, x.shape[2])
        return values, _by_block((outputs, coupling), count), extended

    def in_step(self) -> System:
        return replace(self, together=True)

    def draft(self) -> LinearOutputs | None:
        """Averaged over rows of an image that other noise gives: the first sample's, upside down.

        None where pixels are real numbers: no draft guesses all of their bits.
        """
        if self.coupling.steps != EIGHT_BIT:
            return None
        height, width = self._extent
        noise = jax.tree.map(lambda noise: jnp.flip(noise[:1], axis=1), self.coupling)
        image = solve(replace(self, coupling=noise), Sequential(cached=True)).value
        rows = jnp.linspace(1, height - 1, min(ROWS, height - 1)).astype(jnp.int32)
        return constants(self, image.reshape(noise.shape), rows, min(NEIGHBOURS, width - 1))

    def features(self, image: jax.Array) -> dict[str, jax.Array]:
        """All that windows keep, for whole images [batch, height, width, channels]."""
        arrays = Arrays(*self._extent)
        network.outputs(arrays, self.layers, image)
        return arrays.cache()

    def row_outputs(self, features: dict[str, jax.Array], image: jax.Array, row: jax.Array) -> jax.Array:
        """Return the network's outputs [batch, columns, outputs] in a row, with `features` for all above it."""
        return self._outputs(self._over(features, image, row, 1, 0, self.row_length), always=False)[:, 0]

    def _window(
        self, cache: Cache, x: State, start: jax.Array, count: int, stride: int
    ) -> tuple[jax.Array, Coupling, Cache]:
        """Return the network's outputs in a window, the noise there, and the next cache."""
        ops = self._over(cache, x, *self._place(x, start, count, stride))
        outputs = self._outputs(ops, always=stride == 1 and count > self.row_length)
        return outputs, self.coupling.at(ops.region(0)), ops.cache()

    def _place(self, x: State, start: jax.Array, count: int, stride: int) -> tuple[Index, int, Index, int]:
        """Return a window's first row, rows, first column, and columns."""
        height, width = self._extent
        if self.together or count == 1 or stride > 1 or len(x) == 1:
            # Samples march in step: one that stopped early is behind, and what it is given is not kept.
            start = jnp.max(start)
        if stride > 1:
            return 0, height, start, 1
        length = jnp.asarray(width, start.dtype)  # of starts that are never negative, which `//` would ask for each
        row, column = jax.lax.div(start, length), jax.lax.rem(start, length)
        return (row, count // width, 0, width) if count > width else (row, 1, column, count)

    def _over(self, cache: Cache, x: State, row: Index, rows: int, column: Index, columns: int) -> Window:
        image = padded(network.with_ones(x.reshape(-1, *self.coupling.shape[1:])))
        return Window(*self._extent, cache | {"x": image}, row, rows, column, columns)

    @property
    def _extent(self) -> tuple[int, int]:
        _, height, width, _ = self.coupling.shape
        return height, width

    def _outputs_everywhere(self, x: jax.Array) -> jax.Array:
        return network.outputs(Whole(*self._extent), self.layers, x.reshape(self.coupling.shape))

    def _outputs(self, ops: Window, always: bool) -> jax.Array:
        above = network.vertical(ops, self.layers, self._image) if always else network.vertical_features(self.layers)
        return network.horizontal(ops, self.layers, self._image, above)

    @property
    def _image(self) -> network.Feature:
        return network.Feature("x", 0, self.coupling.shape[-1] + 1)


def _by_block(tree: Any, count: int) -> Any:
    """Leaves [batch, rows, columns, ...] as [batch, rows · columns, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(len(leaf), count, *leaf.shape[3:]), tree)
