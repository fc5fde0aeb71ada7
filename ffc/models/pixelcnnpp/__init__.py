"""PixelCNN++: the network, its likelihood, and its sampling system (paper, section 4.3)."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import reproducible
from ffc.core.system import State
from ffc.models.base import Batch, Model, Params, Sampler, cast
from ffc.models.kinds import KINDS
from ffc.models.pixelcnnpp import mixture, network, weights
from ffc.models.pixelcnnpp.coupling import COUPLINGS
from ffc.models.pixelcnnpp.layers import Training, Whole
from ffc.models.pixelcnnpp.system import PixelSampling
from ffc.models.pixelcnnpp.widen import grow

__all__ = ["PixelCNNPP", "PixelSampling"]

_EXTENT = {1: (28, 28), 3: (32, 32)}  # of the released checkpoints, by channels
_LEAST = 1e-5  # the authors' uniforms lie in [1e-5, 1 − 1e-5]


@dataclass(frozen=True)
class PixelCNNPP(Sampler):
    """OpenAI's PixelCNN++ for 8-bit images of `shape` (height, width, 1 or 3 channels), both multiples of 4.

    Weights have the layout of the authors' `.flax` files. Images and samples are NHWC in [−1, 1].
    """

    shape: tuple[int, int, int]
    filters: int = 160
    resnets: int = 5
    mixtures: int = 10
    dropout: float = 0.5

    kind: ClassVar[str] = "pixelcnnpp"
    unit: ClassVar[str] = "bits/dim"
    options: ClassVar = KINDS["pixelcnnpp"].options

    def __post_init__(self) -> None:
        height, width, channels = self.shape
        if height % 4 or width % 4 or channels not in (1, 3):
            raise FFCError(f"PixelCNN++ takes 1 or 3 channels and sides that 4 divides, not {self.shape}")

    @staticmethod
    def is_params(tree: Any) -> bool:
        """Whether a tree of weights has the layout of a PixelCNN++."""
        return isinstance(tree, dict) and "PixelCNNLayer_up_0" in tree

    @classmethod
    def from_params(cls, tree: Params, shape: tuple[int, ...] | None = None) -> "PixelCNNPP":
        """Return the model that a tree of weights belongs to; its images are of `shape` (height, width, …) if given."""
        sizes = weights.infer_sizes(tree)
        channels = sizes.pop("channels")
        if shape is not None and len(shape) == 3 and shape[2] != channels:
            raise FFCError(f"these weights are for {channels} channels, not {shape[2]}")
        height, width = (shape or _EXTENT[channels])[:2]
        return cls((height, width, channels), **sizes)

    @property
    def channels(self) -> int:
        return self.shape[2]

    def init(self, key: jax.Array) -> Params:
        return weights.init(key, weights.shapes(self.channels, self.filters, self.resnets, self.mixtures))

    def grown(self, smaller: Model, params: Params, key: jax.Array) -> Params:
        """With more filters: fresh channels, which no old one sees before training (`ffc.models.pixelcnnpp.widen`)."""
        if not isinstance(smaller, PixelCNNPP) or replace(smaller, filters=self.filters) != self:
            return super().grown(smaller, params, key)
        return grow(params, self.init(key))

    def logits(
        self, params: Params, images: jax.Array, key: jax.Array | None = None, dtype: Any = jnp.float32
    ) -> jax.Array:
        """Mixture parameters [batch, height, width, outputs] float32 for `images` in [−1, 1].

        Dropout with a key; the network, but not the normalisation of its weights, computes in `dtype`.
        """
        ops = Whole(*self.shape[:2]) if key is None else Training(*self.shape[:2], key, self.dropout)
        return network.outputs(ops, *cast((weights.prepare(params), images), dtype)).astype(jnp.float32)

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Mean negative log2-likelihood for each 8-bit entry."""
        x = batch.images.astype(jnp.float32) / 127.5 - 1
        outputs = self.logits(params, x, batch.key, batch.dtype)
        return -jnp.mean(mixture.log_likelihood(outputs, x)) / (self.channels * jnp.log(2.0))

    @reproducible
    def noise(self, key: jax.Array, batch: int) -> jax.Array:
        """Uniforms [batch, height·width·(mixtures + channels)] in the authors' layout.

        All mixture uniforms first (pixel-major, `mixtures` each), then all sample uniforms (one a channel).
        """
        return jax.random.uniform(key, (batch, self._noise_size), jnp.float32, minval=_LEAST, maxval=1 - _LEAST)

    def check_noise(self, u: ArrayLike) -> jax.Array:
        u = np.asarray(u)
        if u.ndim != 2 or u.shape[1] != self._noise_size:
            raise FFCError(
                f"noise u has the shape {u.shape}; this PixelCNN++ takes (batch, {self._noise_size}):"
                f" {self.mixtures} + {self.channels} uniforms for each of {self.shape[0]}×{self.shape[1]} pixels"
            )
        if not np.issubdtype(u.dtype, np.floating) or not np.all((u > 0) & (u < 1)):
            raise FFCError("noise u must hold uniforms strictly between 0 and 1")
        return jnp.asarray(u, jnp.float32)

    def system(self, params: Params, u: jax.Array, quantize: str = "none", coupling: str = "gumbel") -> PixelSampling:
        """Return the system of `PixelSampling`.

        quantize "8bit": every entry is rounded to one of 256 levels inside the system, channel by channel, so
        that evaluation orders agree bit for bit except for ties; "none": entries are real numbers, as the paper's.
        coupling "gumbel": the paper's; "inverse_cdf": see `ffc.models.pixelcnnpp.coupling`.
        """
        height, width, channels = self.shape
        choice, draw = jnp.split(jnp.asarray(u), [height * width * self.mixtures], axis=1)
        choice = choice.reshape(-1, height, width, self.mixtures)
        draw = draw.reshape(-1, height, width, channels)
        return PixelSampling(weights.prepare(params), COUPLINGS[coupling].of(choice, draw, quantize == "8bit"))

    def samples(self, x: State) -> jax.Array:
        return x.reshape(-1, *self.shape)

    @property
    def black(self) -> float:
        return -1.0

    def pictures(self, samples: ArrayLike) -> jax.Array:
        return (jnp.asarray(samples) + 1) / 2

    @property
    def _noise_size(self) -> int:
        return self.shape[0] * self.shape[1] * (self.mixtures + self.channels)
