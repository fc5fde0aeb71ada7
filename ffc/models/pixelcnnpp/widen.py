"""The same function in a wider network: of zeros, so that only the work grows, or of channels that can learn."""

from functools import partial
from typing import Any

import jax
import numpy as np

from ffc.core.errors import FFCError
from ffc.models.pixelcnnpp.weights import Params, infer_sizes, is_shape, shapes


def widen(params: Params, filters: int) -> Params:
    """Return the weights `params` as those of a PixelCNN++ of more `filters`, with the same outputs up to rounding.

    Raises `FFCError` where it has more filters already.
    """
    sizes = infer_sizes(params)
    if filters < sizes["filters"]:
        raise FFCError(f"filters: {filters}; these weights have {sizes['filters']}, and channels can only be added")
    before, after = shapes(**sizes), shapes(**sizes | {"filters": filters})
    return jax.tree.map(partial(_layer, sizes["filters"]), before, after, params, is_leaf=is_shape)


def grow(params: Params, fresh: Params) -> Params:
    """Return the weights `fresh` of a wider PixelCNN++, with those of `params` in place of its first channels.

    Old channels see nothing of the new ones, so the outputs are those of `params` up to rounding. New ones see all, and
    training may let the old ones see them.
    """
    sizes, filters = infer_sizes(params), infer_sizes(fresh)["filters"]
    before, wide = shapes(**sizes), widen(params, filters)
    grown = partial(_grown, sizes["filters"])
    return jax.tree_util.tree_map_with_path(grown, before, wide, fresh, is_leaf=is_shape)


def _grown(filters: int, path: Any, before: tuple[int, ...], wide: Params, fresh: Params) -> Params:
    old = _spread(np.ones(before[0], bool), filters, before[0], len(fresh["weight_v"]), 0)
    layer: dict[str, np.ndarray] = {}
    for name, part in wide.items():
        layer[name] = np.array(fresh[name])
        layer[name][old] = part[old]
    if path[-1].key == "WNConvTranspose_0":  # its first axis is that of inputs; the norm is over the others
        layer["weight_v"][np.ix_(~old, old)] = 0
    return layer


def _layer(filters: int, before: tuple[int, ...], after: tuple[int, ...], layer: Params) -> Params:
    """Return a layer with new channels: a gain switches off their outputs, and weights from new channels are zero."""
    v, gain, bias = (np.asarray(layer[name]) for name in ("weight_v", "weight_g", "bias"))
    for axis, (old, new) in enumerate(zip(before[:2], after[:2], strict=True)):
        v = _spread(v, filters, old, new, axis)
    gain, bias = (_spread(part, filters, before[0], after[0], 0) for part in (gain, bias))
    v[(gain == 0).reshape(-1)] = 1  # a norm must not vanish
    return {"weight_v": v, "weight_g": gain, "bias": bias}


def _spread(x: np.ndarray, filters: int, old: int, new: int, axis: int) -> np.ndarray:
    """Zeros behind every run of `filters` channels of an axis that grows from `old` to `new`."""
    if old == new:
        return x.copy()
    runs = old // filters
    split = x.reshape(*x.shape[:axis], runs, filters, *x.shape[axis + 1 :])
    padding = [(0, 0)] * split.ndim
    padding[axis + 1] = (0, new // runs - filters)
    return np.pad(split, padding).reshape(*x.shape[:axis], new, *x.shape[axis + 1 :])
