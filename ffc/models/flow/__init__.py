"""An autoregressive flow of transformer blocks over the patches of an image, and its sampling system.

The construction of TarFlow (Zhai et al., *Normalizing Flows are Capable Generative Models*, arXiv 2412.06329). A block
takes patches x to z_i = (x_i − mean_i(x_<i))·exp(−s_i(x_<i)), all at once; the next block has them in reversed order.
So a likelihood takes one pass, and a sample a triangular system for each block (`ffc.models.flow.system`).
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import reproducible
from ffc.core.system import State
from ffc.models.base import Batch, Params, Sampler, cast, draw
from ffc.models.flow import network
from ffc.models.flow.network import Sizes
from ffc.models.flow.system import FlowSampling
from ffc.models.kinds import KINDS

__all__ = ["Flow", "FlowSampling"]


@dataclass(frozen=True)
class Flow(Sampler):
    """`blocks` transformers of `layers` layers and `width` channels, over patches of `patch`² pixels.

    Images are 8-bit; the flow is a density of real numbers in [−1, 1], which are pixels with noise of one level. Raises
    `FFCError` where a size is out of range.
    """

    shape: tuple[int, int, int]
    patch: int = 4
    blocks: int = 4
    width: int = 128
    layers: int = 2
    heads: int = 4

    kind: ClassVar[str] = "flow"
    unit: ClassVar[str] = "bits/dim"
    options: ClassVar = KINDS["flow"].options

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise FFCError(f"Flow: shape is {self.shape}; expected (height, width, channels)")
        for name in ("patch", "blocks", "width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise FFCError(f"Flow: {name} is {getattr(self, name)}; give 1 or more")
        if any(side % self.patch for side in self.shape[:2]) or self.sizes.patches < 2:
            height, width, _ = self.shape
            raise FFCError(
                f"Flow: patches of {self.patch}×{self.patch} must divide images of {height}×{width}, into two at "
                "least; give another patch"
            )
        if self.width % self.heads:
            raise FFCError(f"Flow: {self.heads} heads do not divide a width of {self.width}; give a divisor")

    @property
    def sizes(self) -> Sizes:
        height, width, channels = self.shape
        patches = (height // self.patch) * (width // self.patch)
        return Sizes(patches, self.patch**2 * channels, self.width, self.layers, self.heads)

    @reproducible
    def init(self, key: jax.Array) -> Params:
        """Fresh weights, with which the flow changes nothing but the order of patches."""
        return draw(key, {_name(k): network.fresh(self.sizes) for k in range(self.blocks)})

    def forward(self, params: Params, x: jax.Array, dtype: Any = jnp.float32) -> tuple[jax.Array, jax.Array]:
        """Return the noise u [batch, patches, entries] of the patches `x`, and the sum of log-scales [batch].

        The density of x is that of u times exp(−sum). Networks compute in `dtype`, the rest in float32.
        """
        log_scale = jnp.zeros(len(x), jnp.float32)
        for k in reversed(range(self.blocks)):
            weights, patches = cast((params[_name(k)], x), dtype)
            mean, s = network.whole(weights, patches, self.heads)
            x, log_scale = (x - mean) * jnp.exp(-s), log_scale + jnp.sum(s, axis=(1, 2))
            x = x[:, ::-1] if k else x  # row k of the sampler goes on from its row k − 1, reversed
        return x, log_scale

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Negative log-likelihood in bits for each 8-bit entry.

        Entries are dequantised uniformly with a `key`, and at the middle of their level without.
        """
        u, log_scale = self.forward(params, self._patches(batch.dequantised() / 128 - 1), batch.dtype)
        nats = jnp.mean(0.5 * (u**2 + math.log(2 * math.pi))) + jnp.mean(log_scale) / math.prod(self.shape)
        return 7 + nats / math.log(2)  # a level is 1/128 wide

    @reproducible
    def noise(self, key: jax.Array, batch: int) -> jax.Array:
        """Return standard normal noise [batch, patches, entries of a patch]."""
        return jax.random.normal(key, (batch, *self.sizes[:2]), jnp.float32)

    def system(self, params: Params, u: jax.Array, quantize: str = "12bit") -> FlowSampling:
        """Return the system of `FlowSampling`.

        quantize "12bit": inside the system, every entry is rounded to a multiple of 2⁻¹², a 32nd part of a level, so
        that the last bits of sums seldom matter; "none": entries are real numbers.
        """
        blocks = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(params[_name(k)] for k in range(self.blocks)))
        return FlowSampling(blocks, jnp.asarray(u), self.heads, 12 if quantize == "12bit" else None)

    def samples(self, x: State) -> jax.Array:
        """Images [batch, height, width, channels] float32 in about [−1, 1]: the last row."""
        height, width, channels = self.shape
        grid = (height // self.patch, width // self.patch, self.patch, self.patch, channels)
        patches = x[:, -self.sizes.patches :].reshape(-1, *grid)
        return patches.transpose(0, 1, 3, 2, 4, 5).reshape(-1, *self.shape)

    @property
    def black(self) -> float:
        return -1.0

    def pictures(self, samples: ArrayLike) -> jax.Array:
        return jnp.clip((jnp.asarray(samples) + 1) / 2, 0, 1)

    def _patches(self, images: jax.Array) -> jax.Array:
        """`images` [batch, height, width, channels] as [batch, patches, entries], row by row."""
        height, width, channels = self.shape
        grid = (height // self.patch, self.patch, width // self.patch, self.patch, channels)
        return images.reshape(-1, *grid).transpose(0, 1, 3, 2, 4, 5).reshape(len(images), *self.sizes[:2])


def _name(block: int) -> str:
    return f"block_{block}"
