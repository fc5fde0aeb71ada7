"""The same function in a wider network: channels of zeros are added, so that only the work grows."""

from functools import partial

import jax
import numpy as np

from ffc.core.errors import FFCError
from ffc.models.pixelcnnpp.weights import Params, infer_sizes, is_shape, shapes


def widen(params: Params, filters: int) -> Params:
    """The weights `params` as those of a PixelCNN++ of more `filters`, with the same outputs up to rounding.

    Raises `FFCError` where it has more filters already.
    """
    sizes = infer_sizes(params)
    if filters < sizes["filters"]:
        raise FFCError(f"filters: {filters}; these weights have {sizes['filters']}, and channels can only be added")
    before, after = shapes(**sizes), shapes(**sizes | {"filters": filters})
    return jax.tree.map(partial(_layer, sizes["filters"]), before, after, params, is_leaf=is_shape)


def _layer(filters: int, before: tuple[int, ...], after: tuple[int, ...], layer: Params) -> Params:
    """What a new channel gives is switched off by its gain; what it takes from new ones is zero."""
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
