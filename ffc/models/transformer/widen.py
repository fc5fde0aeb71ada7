"""A wider and deeper transformer that gives the same logits: what a pass costs at that size, with what was learned.

Further channels, heads, hidden units and blocks hold zeros. A root mean square over more channels is smaller, which the
scales make up for. Only its tiny epsilon weighs more, so that logits differ in their last digits.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ffc.core.errors import FFCError
from ffc.models.base import Params
from ffc.models.transformer import Transformer


def grown(model: Transformer, params: Params, width: int, depth: int) -> tuple[Transformer, Params]:
    """Return the model and its weights with `width` channels, in heads as wide as before, and `depth` blocks.

    Raises `FFCError` where that is less than they have, or no whole number of heads.
    """
    head = model.width // model.heads
    if width < model.width or depth < model.depth or width % head:
        raise FFCError(
            f"width {width}, depth {depth}: these weights have width {model.width} in heads of {head}, and depth "
            f"{model.depth}; give as much or more, in whole heads"
        )
    wide = replace(model, width=width, depth=depth, heads=width // head)

    def filled(path: Any, target: jax.ShapeDtypeStruct) -> jax.Array:
        leaf = _leaf(params, path)
        if leaf is None:  # a block that adds nothing
            return jnp.zeros(target.shape, jnp.float32)
        name, more = path[-1].key, width - model.width
        if name == "qkv":  # queries, keys and values lie side by side
            parts = leaf.reshape(model.width, 3, model.width)
            return jnp.pad(parts, ((0, more), (0, 0), (0, more))).reshape(target.shape)
        padded = jnp.pad(leaf, [(0, new - old) for new, old in zip(target.shape, leaf.shape, strict=True)])
        return padded * (model.width / width) ** 0.5 if name.startswith("norm") else padded

    return wide, jax.tree_util.tree_map_with_path(filled, wide.shapes())


def _leaf(params: Params, path: Any) -> jax.Array | None:
    """Return what `params` hold at `path`; None in a block that they lack."""
    for key in path:
        if key.key not in params:
            return None
        params = params[key.key]
    return params
