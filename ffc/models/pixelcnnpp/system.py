"""Sampling from PixelCNN++ as a triangular system: a block is a pixel, a function of the pixels before it."""

import flax.struct
import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp import mixture, network
from ffc.models.pixelcnnpp.layers import Whole, cut
from ffc.models.pixelcnnpp.weights import Params
from ffc.models.pixelcnnpp.windows import Names, Window, padded
from ffc.system import System


@flax.struct.dataclass
class PixelSampling(System):
    """State [batch, height·width, channels] in [−1, 1]; row by row (paper, section 4.3)."""

    layers: Params  # prepared by ffc.models.pixelcnnpp.weights.prepare
    gumbel: jax.Array  # [batch, height, width, mixtures]
    logistic: jax.Array  # [batch, height, width, channels]

    @property
    def size(self) -> int:
        return self.gumbel.shape[1] * self.gumbel.shape[2]

    @property
    def group(self) -> int:
        """Windows begin with a row."""
        return self.gumbel.shape[2]

    def initial(self):
        return jnp.zeros((self.logistic.shape[0], self.size, self.logistic.shape[3]))

    def sweep(self, x):
        outputs = network.outputs(Whole(*self._extent), self.layers, x.reshape(self.logistic.shape))
        return mixture.sample(outputs, self.gumbel, self.logistic).reshape(x.shape)

    def windowed(self, count, stride):
        height, width = self._extent
        whole_rows = stride == 1 and count % width == 0 and count < self.size
        return count == 1 or whole_rows or (stride, count) == (width, height)

    def prepare(self, x):
        """Zeros for every feature: a window recomputes all that it reads below its first row."""

        def walk():
            names = Names(*self._extent)
            network.outputs(names, self.layers, x.reshape(self.logistic.shape))
            return names.shapes

        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(walk))

    def window(self, cache, x, start, count, stride):
        """A pixel, a column of all rows, or a window of rows; all samples stand at the same pixel or column."""
        height, width = self._extent
        image = padded(network.with_ones(x.reshape(self.logistic.shape)))
        if stride == 1 and count > 1:
            ops = Window(height, width, cache | {"x": image}, start // width, count // width, 0, width)
            outputs = self._outputs(ops, always=True)
        else:
            # Samples march in step: one that stopped early is behind, and what it is given is not kept.
            row, column = (jnp.max(start) // width, jnp.max(start) % width) if stride == 1 else (0, jnp.max(start))
            rows = 1 if stride == 1 else height
            cache = self._vertical_when_new(cache, image, row, rows, column)
            ops = Window(height, width, cache | {"x": image}, row, rows, column, 1)
            outputs = self._outputs(ops, always=False)
        region = ops.region(0)
        values = mixture.sample(outputs, cut(self.gumbel, region), cut(self.logistic, region))
        kept = {name: array for name, array in ops.kept.items() if name != "x"}
        return values.reshape(x.shape[0], count, x.shape[2]), kept

    @property
    def _extent(self) -> tuple[int, int]:
        return self.gumbel.shape[1], self.gumbel.shape[2]

    def _outputs(self, ops: Window, always: bool) -> jax.Array:
        above = network.vertical(ops, self.layers, "x") if always else network.vertical_names(self.layers)
        return network.horizontal(ops, self.layers, "x", above)

    def _vertical_when_new(self, cache, image, row, rows: int, column):
        """The cache with the vertical stack of `rows` evaluated, if `column` is the first."""
        height, width = self._extent
        stack = {name: array for name, array in cache.items() if name.startswith("v_")}

        def evaluate(stack):
            ops = Window(height, width, stack | {"x": image}, row, rows, 0, width)
            network.vertical(ops, self.layers, "x")
            return {name: ops.kept[name] for name in stack}

        return cache | jax.lax.cond(column == 0, evaluate, lambda stack: stack, stack)
