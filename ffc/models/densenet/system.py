"""DenseNet's inference as a triangular system of the dense layers' feature maps (paper, section 4.2)."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from ffc.core.errors import FFCError
from ffc.core.system import State, System
from ffc.models.base import Params
from ffc.models.densenet.layers import dense_layer, folded, head, stem, transition


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseFeatures(System):
    """Blocks are the dense layers in order; a leaf for each dense block [batch, layers, h, w, growth].

    A sweep recomputes stem and transitions from the features as they stand, then every layer at once.
    """

    layers: Params
    x: jax.Array
    blocks: tuple[int, ...] = field(metadata={"static": True})
    growth: int = field(metadata={"static": True})

    @property
    def size(self) -> int:
        return sum(self.blocks)

    def initial(self) -> State:
        batch, height, width, _ = self.x.shape
        sizes = _sides(height, len(self.blocks)), _sides(width, len(self.blocks))
        return tuple(
            jnp.zeros((batch, n, h, w, self.growth), self.x.dtype) for n, h, w in zip(self.blocks, *sizes, strict=True)
        )

    def sweep(self, x: State) -> State:
        return tuple(
            self._block(k, incoming, old) for k, (incoming, old) in enumerate(zip(self._incoming(x), x, strict=True), 1)
        )

    def logits(self, x: State) -> jax.Array:
        """Class scores [batch, classes] read from a state."""
        last = _joined(self._incoming(x)[-1], x[-1])
        return head(self.layers, last, folded)

    def _block(self, k: int, incoming: jax.Array, old: jax.Array) -> jax.Array:
        """All layers of a dense block; each sees a leading part of what the last one sees, which is joined once."""
        layers, channels = self.layers["features"][f"denseblock{k}"], incoming.shape[-1]
        joined = _joined(incoming, old[:, :-1])
        new = [
            dense_layer(layers[f"denselayer{j + 1}"], joined[..., : channels + j * self.growth], folded)
            for j in range(old.shape[1])
        ]
        return jnp.stack(new, axis=1)

    def _incoming(self, x: State) -> list[jax.Array]:
        """Return what enters each dense block."""
        incoming = [stem(self.layers, self.x, folded)]
        for k, old in enumerate(x[:-1], 1):
            incoming.append(transition(self.layers, k, _joined(incoming[-1], old), folded))
        return incoming


def _joined(incoming: jax.Array, features: jax.Array) -> jax.Array:
    """[batch, h, w, channels]: a block's input and the features [batch, layers, h, w, growth] so far."""
    batch, layers, height, width, growth = features.shape
    return jnp.concatenate(
        [incoming, features.transpose(0, 2, 3, 1, 4).reshape(batch, height, width, layers * growth)], -1
    )


def _sides(side: int, blocks: int) -> list[int]:
    """Return the side of the feature maps in each dense block, for an image's side."""
    sides = [((side + 1) // 2 + 1) // 2]
    for _ in range(blocks - 1):
        sides.append(sides[-1] // 2)
    if sides[-1] < 1:
        raise FFCError(f"densenet: images of {side} pixels a side are too small for {blocks} dense blocks")
    return sides
