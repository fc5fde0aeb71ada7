"""A decoder-only transformer over tokens: bytes of a text, or the levels of an image's entries in raster order."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import reproducible
from ffc.core.system import State
from ffc.models.base import Batch, Normal, Params, Sampler, cast, draw
from ffc.models.kinds import KINDS
from ffc.models.tokens import Cheap, TokenSampling
from ffc.models.transformer.network import Decoder, fresh

__all__ = ["Decoder", "Transformer"]


@dataclass(frozen=True)
class Transformer(Sampler):
    """Of N = height · width · channels tokens, 0 … levels − 1.

    `shape` (1, N, 1) is a text of N bytes, each below `levels`. Any other is an image, whose entries 0 … 255 are
    reduced to `levels`. `cheap`: hidden units of the cheap model that drafts are made by; it is trained beside
    the network, and lies with its weights. Raises `FFCError` where a size is out of range.
    """

    shape: tuple[int, int, int]
    levels: int = 256
    width: int = 128
    depth: int = 2
    heads: int = 4
    positions: str = "rotary"
    cheap: int = 128

    kind: ClassVar[str] = "transformer"
    unit: ClassVar[str] = "bits/dim"
    options: ClassVar = KINDS["transformer"].options

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1 or self.size < 2:
            raise FFCError(f"Transformer: shape is {self.shape}; expected (height, width, channels), or (1, length, 1)")
        if not 2 <= self.levels <= 256:
            raise FFCError(f"Transformer: levels is {self.levels}; expected 2 … 256")
        if min(self.width, self.depth, self.heads, self.cheap) < 1 or self.width % (2 * self.heads):
            raise FFCError(
                f"Transformer: width {self.width}, depth {self.depth}, heads {self.heads}, cheap {self.cheap}; "
                "expected 1 or more each, and heads of an even width"
            )
        choices = KINDS["transformer"].sizes["positions"]["enum"]
        if self.positions not in choices:
            raise FFCError(f"Transformer: positions is {self.positions!r}; expected {' or '.join(choices)}")

    @property
    def size(self) -> int:
        """Number of tokens N."""
        return math.prod(self.shape)

    @property
    def is_text(self) -> bool:
        """Whether tokens are bytes of a text, not levels of an image."""
        return self.shape[0] == 1 and self.shape[2] == 1

    @property
    def has_pictures(self) -> bool:
        """Whether samples are images, not a text."""
        return not self.is_text

    @property
    def places(self) -> tuple[int, ...]:
        """What the cheap model looks at: the last four bytes; or entries of an image to the left, and above."""
        _, width, channels = self.shape
        row = width * channels
        near = (1, 2, 3, 4) if self.is_text else (1, channels, 2 * channels, row - channels, row, row + channels)
        return tuple(sorted({place for place in near if 0 < place < self.size}))

    def init(self, key: jax.Array) -> Params:
        tables = (len(self.places), self.levels + 1, self.cheap)
        cheap = {
            "tables": Normal(tables, 0.5 * len(self.places) ** -0.5),
            "bias": jnp.zeros(self.cheap, jnp.float32),
            "out": Normal((self.cheap, self.levels), self.cheap**-0.5),
        }
        network = fresh(self.levels, self.size, self.width, self.depth, self.positions == "learned")
        return draw(key, network | {"cheap": cheap})

    def check(self, params: Params) -> None:
        """As for every model; weights of another vocabulary are called so."""
        actual = np.shape(params.get("embedding", ())) if isinstance(params, dict) else ()
        if len(actual) == 2 and actual[0] != self.levels:
            raise FFCError(
                f"these weights are for a vocabulary of {actual[0]} tokens; the model has levels={self.levels}"
            )
        super().check(params)

    def check_images(self, images: np.ndarray) -> None:
        """`FFCError` where a text has a byte outside the vocabulary."""
        if self.is_text and images.size and (most := int(images.max())) >= self.levels:
            raise FFCError(
                f"Transformer: the text has the byte {most}; levels is {self.levels}: give {most + 1} or more"
            )

    def tokens(self, images: jax.Array) -> jax.Array:
        """[batch, N] int32 of `images` [batch, height, width, channels] uint8."""
        levels = images.astype(jnp.int32)
        return (levels if self.is_text else levels * self.levels // 256).reshape(-1, self.size)

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Bits for each byte of a text, or for each 8-bit entry of an image, which is uniform within its level.

        With a `key`, as in training, the gradient is also that of the cheap model's loss, which adds nothing.
        """
        tokens = self.tokens(batch.images)
        logits = self._network(cast(params, batch.dtype))(tokens).astype(jnp.float32)
        within = 0.0 if self.is_text else 8 - math.log2(self.levels)
        loss = _bits(logits, tokens) + within
        if batch.key is None:
            return loss
        beside = _bits(self._cheap(params).everywhere(tokens), tokens)
        return loss + beside - jax.lax.stop_gradient(beside)

    @reproducible
    def noise(self, key: jax.Array, batch: int) -> jax.Array:
        """Return standard Gumbel noise [batch, N, levels]."""
        return jax.random.gumbel(key, (batch, self.size, self.levels), jnp.float32)

    def system(
        self,
        params: Params,
        u: jax.Array,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prompt: ArrayLike | str | None = None,
    ) -> TokenSampling:
        """Return the system of `TokenSampling`, with the cheap model of `params`.

        `prompt`: the first tokens, [length] or [batch, length]; a text may be given as `str`.
        """
        tokens = self._encoded(prompt) if isinstance(prompt, str) else prompt
        network, cheap = self._network(params), self._cheap(params)
        return TokenSampling.of(network, u, temperature, top_k, top_p, tokens, cheap, check=False)

    def samples(self, x: State) -> jax.Array:
        """[batch, *shape] int32: bytes, or levels."""
        return x.reshape(-1, *self.shape)

    @property
    def black(self) -> float:
        return 0

    def pictures(self, samples: ArrayLike) -> jax.Array:
        return jnp.asarray(samples, jnp.float32) / (self.levels - 1)

    def text(self, samples: ArrayLike) -> list[str]:
        """Return samples of a text, none of an image; bytes that are no UTF-8 become the replacement character."""
        rows = np.asarray(samples).astype(np.uint8).reshape(-1, self.size) if self.is_text else ()
        return [row.tobytes().decode("utf-8", "replace") for row in rows]

    def _encoded(self, prompt: str) -> np.ndarray:
        if not self.is_text:
            raise FFCError("prompt: this transformer draws images; give the levels of the first entries, not a text")
        if beyond := next((letter for letter in prompt if max(letter.encode()) >= self.levels), None):
            raise FFCError(f"prompt: {beyond!r} has bytes that are none of the {self.levels} tokens; leave it out")
        return np.frombuffer(prompt.encode(), np.uint8)

    def _network(self, params: Params) -> Decoder:
        network = {name: part for name, part in params.items() if name != "cheap"}
        return Decoder(jax.tree.map(jnp.asarray, network), self.heads)

    def _cheap(self, params: Params) -> Cheap:
        return Cheap(**params["cheap"], places=self.places)


def _bits(logits: jax.Array, tokens: jax.Array) -> jax.Array:
    """Mean negative log2-likelihood of `tokens` [...] by `logits` [..., vocabulary]."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1)
    return -jnp.mean(chosen) / jnp.log(2.0)
