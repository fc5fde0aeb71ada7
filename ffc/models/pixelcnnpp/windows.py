"""Evaluating only what changed: the network over a window of rows, pixels of one row, or one column of every row.

Each layer's activations are kept for the whole image. A window of rows recomputes the matching rows at all
three resolutions: row r of the image meets rows r >> 1 and r >> 2. Pixels need the vertical stack only when
their row begins, and of the horizontal stack only their own columns; a column of all rows likewise.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp.layers import Index, Layers, Region, Whole, corner, cut
from ffc.models.pixelcnnpp.network import Feature

# Zeros kept around every feature, so that a halo is part of the same slice: two rows above (the first
# layers reach that far), a column on either side.
_TOP, _SIDE = 2, 1


class Window(Layers):
    """Layers over a window; `arrays` hold, for whole images, the image "x" and all features of a stack at a level.

    New values stay aside until all are there: an array then changes once, which is one launch on a GPU. `row` and
    `column` may be traced: one for all samples, or [batch] each sample's own.
    """

    def __init__(
        self, height: int, width: int, arrays: dict[str, jax.Array], row: Index, rows: int, column: Index, columns: int
    ):
        self.height, self.width, self._arrays = height, width, arrays
        self._row, self._rows, self._column, self._columns = row, rows, column, columns
        self._new: dict[Feature, jax.Array] = {}

    def cache(self) -> dict[str, jax.Array]:
        """Return all that is kept, but for the image, with the new values."""
        cache = {name: array for name, array in self._arrays.items() if name != "x"}
        for name, array in cache.items():
            if values := [new for feature, new in self._new.items() if feature.array == name]:
                here = self.region(int(name[-1]))
                cache[name] = paste(array, jnp.concatenate(values, axis=-1), here.row + _TOP, here.column + _SIDE)
        return cache

    def region(self, level: int) -> Region:
        return Region(
            *_at_level(level, self.height, self._row, self._rows),
            *_at_level(level, self.width, self._column, self._columns),
        )

    def read(self, feature: Any, level: int, region: Region | None = None) -> jax.Array:
        here, new = self.region(level), self._new.get(feature)
        if region is None and new is not None:
            return new
        row, rows, column, columns = region or Region(0, here.rows, 0, here.columns)
        place = Region(here.row + row + _TOP, rows, here.column + column + _SIDE, columns)
        old = cut(self._arrays[feature.array], place, feature.first, feature.channels)
        return old if new is None else _over(old, new, -row, -column)

    def write(self, stack: str, level: int, values: jax.Array) -> Any:
        name = f"{stack}{level}"
        first = sum(feature.channels for feature in self._new if feature.array == name)
        feature = Feature(name, first, values.shape[-1])
        self._new[feature] = values
        return feature


class Arrays(Whole):
    """Walks through the network on whole images to learn the shape of every array that a window keeps."""

    def __init__(self, height: int, width: int):
        super().__init__(height, width)
        self._values: dict[str, list[jax.Array]] = {}

    def cache(self) -> dict[str, jax.Array]:
        return {name: padded(jnp.concatenate(values, axis=-1)) for name, values in self._values.items()}

    def write(self, stack: str, level: int, values: jax.Array) -> Any:
        self._values.setdefault(f"{stack}{level}", []).append(values)
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
        return jax.lax.dynamic_update_slice(x, values, corner(0, row, column, 0))
    row, column = (jnp.broadcast_to(start, x.shape[:1]) for start in (row, column))
    return jax.vmap(lambda a, v, r, c: jax.lax.dynamic_update_slice(a, v, corner(r, c, 0)))(x, values, row, column)


def _over(x: jax.Array, values: jax.Array, row: Index, column: Index) -> jax.Array:
    """`x` with `values` from `row`, `column` on, as far as they lie in it (traced starts may be negative)."""
    if isinstance(row, int) and isinstance(column, int):
        return paste(x, values[:, : x.shape[1] - row, : x.shape[2] - column], row, column)
    _, rows, columns, _ = values.shape
    around = jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    return paste(around, values, row + rows, column + columns)[:, rows:-rows, columns:-columns]
