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
    """Rows `row … row + rows` and columns `column … column + columns` of one resolution, from a corner on."""

    row: Index
    rows: int
    column: Index
    columns: int


class Beside(NamedTuple):
    """A 1×1 convolution to be added to another: of values already read."""

    values: jax.Array
    layer: Layer
    joined: Layer  # kernel [in, out]: the rows of the convolution's, then those of the 1×1 one's


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

    def read(self, feature: Any, level: int, region: Region | None = None) -> jax.Array:
        """Return a region of a feature [batch, rows, columns, channels]: zeros outside the image.

        Its corner is counted from that of `region(level)`, which is read by default.
        """
        raise NotImplementedError

    def write(self, stack: str, level: int, values: jax.Array) -> Any:
        """Keep `values` of `region(level)` as the next feature of a stack."""
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
        beside: Beside | None = None,
    ) -> jax.Array:
        """Return a causal convolution: a kernel reaches up, left, and right only where it is three wide.

        `down` moves the output by rows, and zeros move in. `stride` 2 reads the next finer level.
        """
        out, finer = self.region(level), level - (stride > 1)
        height, width = layer.kernel.shape[:2]
        row, column = (0, 0) if stride == 1 else _apart(self.region(finer), out)
        inputs = Region(
            row - (height - 1) - down,
            stride * (out.rows - 1) + height,
            column - (width > 1),
            stride * (out.columns - 1) + width,
        )
        y = activation(self.read(x, finer, inputs))
        return _conv(self.drop(y) if dropout else y, layer, stride, beside)

    def enlarge(self, level: int, x: Any, layer: Layer) -> jax.Array:
        """Return a stride-2 transposed convolution from `level + 1`: fine pixel (2i + a, 2j + b) is owned by (i, j)."""
        out, coarse = self.region(level), self.region(level + 1)
        row, rows = _owners(out.row, out.rows, coarse.row, coarse.rows)
        column, columns = _owners(out.column, out.columns, coarse.column, coarse.columns)
        y = _conv(self.read(x, level + 1, Region(row, rows, column, columns + layer.kernel.shape[1] - 1)), layer, 1)
        batch, channels = y.shape[0], y.shape[3] // 4
        y = y.reshape(batch, rows, columns, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, 2 * rows, 2 * columns, channels)
        top, left = out.row - 2 * (coarse.row + row), out.column - 2 * (coarse.column + column)
        return cut(y, Region(top, out.rows, left, out.columns))

    def dense(self, x: jax.Array, layer: Layer) -> jax.Array:
        """Return a 1×1 convolution of values already read."""
        return x @ layer.kernel + layer.bias


class Whole(Layers):
    """Whole images: a feature is an array [batch, height, width, channels]."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width

    def region(self, level: int) -> Region:
        return Region(0, self.height >> level, 0, self.width >> level)

    def read(self, feature: Any, level: int, region: Region | None = None) -> jax.Array:
        if region is None:
            return feature
        width = feature.shape[2]
        top, left = max(0, -region.row), max(0, -region.column)
        right = max(0, region.column + region.columns - width)
        if top or left or right:
            feature = jnp.pad(feature, ((0, 0), (top, 0), (left, right), (0, 0)))
        row, column = region.row + top, region.column + left
        return feature[:, row : row + region.rows, column : column + region.columns]

    def write(self, stack: str, level: int, values: jax.Array) -> Any:
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


def _apart(fine: Region, coarse: Region) -> tuple[Index, Index]:
    """Return how many rows and columns a coarse region begins behind a fine one, in fine ones."""
    return 2 * coarse.row - fine.row, 2 * coarse.column - fine.column


def _owners(fine: Index, count: int, coarse: Index, held: int) -> tuple[Index, int]:
    """Return which rows (or columns) of `held` from `coarse` on own `count` finer ones: the first, and how many."""
    if count == 1 or count == 2 * held:
        return 0, held
    needed = min(held, count // 2 + 1)
    return jnp.minimum(fine // 2 - coarse, held - needed), needed


def corner(*starts: Index) -> tuple[jax.Array, ...]:
    """Return where a slice begins, as indices of one dtype in every mode of JAX."""
    return tuple(jnp.asarray(start, jnp.int32) for start in starts)


def cut(x: jax.Array, region: Region, first: int = 0, channels: int | None = None) -> jax.Array:
    """Return a region of an array [batch, rows, columns, channels], of `channels` from `first` on; all of them if None.

    The region's corner may be traced, for all samples or for each.
    """
    row, column = region.row, region.column
    sizes = (region.rows, region.columns, channels or x.shape[3])
    if x.shape[1:] == sizes:
        return x
    if max(jnp.ndim(row), jnp.ndim(column)) == 0:
        return jax.lax.dynamic_slice(x, corner(0, row, column, first), (x.shape[0], *sizes))
    row, column = (jnp.broadcast_to(start, x.shape[:1]) for start in (row, column))
    return jax.vmap(lambda a, r, c: jax.lax.dynamic_slice(a, corner(r, c, first), sizes))(x, row, column)


def _conv(x: jax.Array, layer: Layer, stride: int, beside: Beside | None = None) -> jax.Array:
    """Return a convolution without padding, and the one `beside` it.

    Of few pixels it is one product of matrices, which takes half the time for a pixel, and few launches on a GPU.
    """
    height, width, _, outputs = layer.kernel.shape
    rows, columns = ((extent - size) // stride + 1 for extent, size in zip(x.shape[1:3], (height, width), strict=True))
    if rows * columns > _FEW:
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, layer.kernel, (stride, stride), "VALID", dimension_numbers=dimensions)
        y = y + layer.bias
        return y if beside is None else y + beside.values @ beside.layer.kernel + beside.layer.bias
    patches, kernel, bias = (
        _patches(x, height, width, rows, columns, stride),
        layer.kernel.reshape(-1, outputs),
        layer.bias,
    )
    if beside is not None:
        patches, (kernel, bias) = [*patches, beside.values], beside.joined
    return jnp.concatenate(patches, axis=-1) @ kernel + bias


def _patches(x: jax.Array, height: int, width: int, rows: int, columns: int, stride: int) -> list[jax.Array]:
    """Return what each place of a kernel sees, [batch, rows, columns, channels]; of one pixel as one array."""
    if rows * columns == 1:
        return [x.reshape(len(x), 1, 1, -1)]
    last_row, last_column = stride * (rows - 1) + 1, stride * (columns - 1) + 1
    corners = [(i, j) for i in range(height) for j in range(width)]
    return [x[:, i : i + last_row : stride, j : j + last_column : stride] for i, j in corners]
