"""What a layer of PixelCNN++ does to a region of an image: convolve it, enlarge it, combine it.

Every layer is causal, so each output region names the inputs that it needs. `Layers` states that once;
`Whole` evaluates it over whole images, `ffc.models.pixelcnnpp.windows` over the part that changed.
A *feature* is what one layer hands the next; only `read` and `write` know how it is kept.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp.weights import Layer

Index = jax.Array | int

#: Pixels that are few enough for a product of matrices: a window of two rows of an image of 32 columns.
_FEW = 64


class Region(NamedTuple):
    """Rows `row … row + rows` and columns `column … column + columns` of one resolution."""

    row: Index
    rows: int
    column: Index
    columns: int


def concat_elu(x: jax.Array) -> jax.Array:
    """elu of x and of −x, side by side: twice the channels. Zero stays zero, so padding commutes with it."""
    return jax.nn.elu(jnp.concatenate([x, -x], axis=-1))


def identity(x: jax.Array) -> jax.Array:
    return x


class Layers:
    """The operations of the network; level 0, 1, 2 is the full, half and quarter resolution."""

    def region(self, level: int) -> Region:
        """Return what is to be evaluated at a level."""
        raise NotImplementedError

    def read(self, feature: Any, region: Region) -> jax.Array:
        """Return a region of a feature [batch, rows, columns, channels]; zeros outside the image."""
        raise NotImplementedError

    def write(self, name: str, level: int, values: jax.Array) -> Any:
        """Keep `values` of `region(level)` as the feature `name`."""
        raise NotImplementedError

    def drop(self, x: jax.Array) -> jax.Array:
        """Dropout where the network has it; nothing but in training."""
        return x

    def convolve(
        self,
        level: int,
        x: Any,
        layer: Layer,
        activation: Callable = identity,
        stride: int = 1,
        down: int = 0,
        dropout: bool = False,
        beside: tuple[jax.Array, Layer] | None = None,
    ) -> jax.Array:
        """Return a causal convolution: a kernel reaches up, left, and right only where it is three wide.

        `down` moves the output by rows, and zeros move in. `beside` are values already read and the layer of their 1×1
        convolution, which is added.
        """
        out = self.region(level)
        height, width = layer.kernel.shape[:2]
        inputs = Region(
            stride * out.row - (height - 1) - down,
            stride * (out.rows - 1) + height,
            stride * out.column - (width > 1),
            stride * (out.columns - 1) + width,
        )
        y = activation(self.read(x, inputs))
        return _conv(self.drop(y) if dropout else y, layer, stride, beside)

    def enlarge(self, level: int, x: Any, layer: Layer) -> jax.Array:
        """Return a stride-2 transposed convolution from `level + 1`: fine pixel (2i + a, 2j + b) is owned by (i, j)."""
        out, coarse = self.region(level), self.region(level + 1)
        row, rows = _owners(out.row, out.rows, coarse.row, coarse.rows)
        column, columns = _owners(out.column, out.columns, coarse.column, coarse.columns)
        source = Region(row, rows, column, columns + layer.kernel.shape[1] - 1)
        y = _conv(self.read(x, source), layer, 1)
        batch, channels = y.shape[0], y.shape[3] // 4
        y = y.reshape(batch, rows, columns, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, 2 * rows, 2 * columns, channels)
        return cut(y, Region(out.row - 2 * row, out.rows, out.column - 2 * column, out.columns))

    def dense(self, x: jax.Array, layer: Layer) -> jax.Array:
        """Return a 1×1 convolution of values already read."""
        return x @ layer.kernel + layer.bias


class Whole(Layers):
    """Whole images: a feature is an array [batch, height, width, channels]."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width

    def region(self, level: int) -> Region:
        return Region(0, self.height >> level, 0, self.width >> level)

    def read(self, feature: Any, region: Region) -> jax.Array:
        width = feature.shape[2]
        top, left = max(0, -region.row), max(0, -region.column)
        right = max(0, region.column + region.columns - width)
        if top or left or right:
            feature = jnp.pad(feature, ((0, 0), (top, 0), (left, right), (0, 0)))
        row, column = region.row + top, region.column + left
        return feature[:, row : row + region.rows, column : column + region.columns]

    def write(self, name: str, level: int, values: jax.Array) -> Any:
        return values


class Training(Whole):
    """Whole images with dropout before the second convolution of every gated resnet."""

    def __init__(self, height: int, width: int, key: jax.Array, rate: float):
        super().__init__(height, width)
        self._key, self._rate = key, rate

    def drop(self, x: jax.Array) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        keep = jax.random.bernoulli(key, 1 - self._rate, x.shape)
        return jnp.where(keep, x / (1 - self._rate), 0)


def _owners(fine: Index, count: int, coarse: Index, held: int) -> tuple[Index, int]:
    """Of `held` rows (or columns) from `coarse` on, those that own the `count` finer ones from `fine` on."""
    if count == 1 or count == 2 * held:
        return coarse, held
    needed = min(held, count // 2 + 1)
    return jnp.minimum(fine // 2, coarse + held - needed), needed


def corner(row: Index, column: Index) -> tuple[jax.Array, ...]:
    """Where a slice of [batch, rows, columns, channels] begins, as indices of one dtype in every mode of JAX."""
    return tuple(jnp.asarray(index, jnp.int32) for index in (0, row, column, 0))


def cut(x: jax.Array, region: Region) -> jax.Array:
    """Return a region of an array [batch, rows, columns, channels]; starts may be traced, for all or each sample."""
    sizes = (region.rows, region.columns)
    if x.shape[1:3] == sizes:
        return x
    if all(isinstance(start, int) for start in (region.row, region.column)):
        return x[:, region.row : region.row + region.rows, region.column : region.column + region.columns]
    if max(jnp.ndim(region.row), jnp.ndim(region.column)) == 0:
        return jax.lax.dynamic_slice(x, corner(region.row, region.column), (x.shape[0], *sizes, x.shape[3]))
    row, column = (jnp.broadcast_to(start, x.shape[:1]) for start in (region.row, region.column))
    return jax.vmap(lambda a, r, c: jax.lax.dynamic_slice(a, corner(r, c)[1:], (*sizes, x.shape[3])))(x, row, column)


def _conv(x: jax.Array, layer: Layer, stride: int, beside: tuple[jax.Array, Layer] | None = None) -> jax.Array:
    """Return a convolution without padding, and what is `beside` it.

    Of few pixels it is one product of matrices, which takes half the time for a pixel, and few launches on a GPU.
    """
    height, width, _, outputs = layer.kernel.shape
    rows, columns = ((extent - size) // stride + 1 for extent, size in zip(x.shape[1:3], (height, width), strict=True))
    if rows * columns > _FEW:
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, layer.kernel, (stride, stride), "VALID", dimension_numbers=dimensions)
        return y + layer.bias if beside is None else y + layer.bias + beside[0] @ beside[1].kernel + beside[1].bias
    else:
        last_row, last_column = stride * (rows - 1) + 1, stride * (columns - 1) + 1
        corners = [(i, j) for i in range(height) for j in range(width)]
        patches = [x[:, i : i + last_row : stride, j : j + last_column : stride] for i, j in corners]
        kernel, bias = layer.kernel.reshape(-1, outputs), layer.bias
        if beside is not None:
            values, other = beside
            patches, kernel, bias = [*patches, values], jnp.concatenate([kernel, other.kernel]), bias + other.bias
        y = jnp.concatenate(patches, axis=-1) @ kernel
        return y + bias
