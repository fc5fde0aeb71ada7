"""Evaluating only what changed: the network over a window of rows, pixels of one row, or one column of every row.

Each layer's activations are kept for the whole image. A window of rows recomputes the matching rows at all
three resolutions: row r of the image meets rows r >> 1 and r >> 2. Pixels need the vertical stack only when
their row begins, and of the horizontal stack only their own columns; a column of all rows likewise.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp.layers import Index, Layers, Region, Whole, corner, cut

# Zeros kept around every feature, so that a halo is part of the same slice: two rows above (the first
# layers reach that far), a column on either side.
_TOP, _SIDE = 2, 1


class Window(Layers):
    """Layers over a window; a feature is the name of its padded array in `arrays`, which `write` replaces.

    `row` and `column` may be traced: one for all samples, or [batch] each sample's own.
    """

    def __init__(
        self, height: int, width: int, arrays: dict[str, jax.Array], row: Index, rows: int, column: Index, columns: int
    ):
        self.height, self.width, self.arrays = height, width, arrays
        self._row, self._rows, self._column, self._columns = row, rows, column, columns

    @property
    def features(self) -> dict[str, jax.Array]:
        """All that is kept, but for the image."""
        return {name: array for name, array in self.arrays.items() if name != "x"}

    def region(self, level: int) -> Region:
        return Region(
            *_at_level(level, self.height, self._row, self._rows),
            *_at_level(level, self.width, self._column, self._columns),
        )

    def read(self, feature: Any, region: Region) -> jax.Array:
        return cut(self.arrays[feature], region._replace(row=region.row + _TOP, column=region.column + _SIDE))

    def write(self, name: str, level: int, values: jax.Array) -> Any:
        region = self.region(level)
        self.arrays[name] = paste(self.arrays[name], values, region.row + _TOP, region.column + _SIDE)
        return name


class Names(Whole):
    """Walks through the network on whole images to learn the shape of every feature that a window keeps."""

    def __init__(self, height: int, width: int):
        super().__init__(height, width)
        self.shapes: dict[str, jax.Array] = {}

    def write(self, name: str, level: int, values: jax.Array) -> Any:
        self.shapes[name] = padded(values)
        return values


def padded(x: jax.Array) -> jax.Array:
    """`x` [batch, rows, columns, channels] with the border of zeros that windows read their halo from."""
    return jnp.pad(x, ((0, 0), (_TOP, 0), (_SIDE, _SIDE), (0, 0)))


def _at_level(level: int, extent: int, start: Index, count: int) -> tuple[Index, int]:
    """Where the rows (or columns) that meet `count` from `start` on begin at a level, and how many there are.

    As many wherever they begin, so one or two more than some starts need; but one or all remain so.
    """
    extent_here = extent >> level
    if count in (1, extent):
        here = max(1, count >> level)
    else:
        here = min(extent_here, ((count - 1) >> level) + 2 if level else count)
    return (0 if here == extent_here else jnp.minimum(start >> level, extent_here - here)), here


def paste(x: jax.Array, values: jax.Array, row: Index, column: Index) -> jax.Array:
    """`x` with `values` from `row`, `column` on; starts as in `cut`."""
    if max(jnp.ndim(row), jnp.ndim(column)) == 0:
        return jax.lax.dynamic_update_slice(x, values, corner(row, column))
    row, column = (jnp.broadcast_to(start, x.shape[:1]) for start in (row, column))
    return jax.vmap(lambda a, v, r, c: jax.lax.dynamic_update_slice(a, v, corner(r, c)[1:]))(x, values, row, column)
