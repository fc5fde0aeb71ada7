"""MADE: a masked autoencoder whose D inputs each see only those before them, and its sampling system.

Paper, section 4.3. Samples live in logit space: pixel p in [0, 1] becomes logit(λ + (1 − 2λ)·p). Colour
images are flattened channel first, as torchvision's tensors are.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from ffc.errors import FFCError
from ffc.models.base import Params, Sampler
from ffc.system import System

#: λ of the released checkpoints, by the number of inputs: MNIST and CIFAR-10.
TRUNC_LAMBDA = {784: 1e-6, 3072: 0.05}
_SHAPES = {784: (28, 28, 1), 3072: (32, 32, 3)}
_LAYERS = ("0", "2", "4")


@dataclass(frozen=True)
class MADE(Sampler):
    """Two hidden ReLU layers, natural order, a logistic distribution for each entry.

    Weights mirror the authors' state dict: `net.{0,2,4}.{weight,bias,mask}`, weight and mask [out, in].
    """

    shape: tuple[int, int, int]
    hidden: tuple[int, int] = (512, 512)
    trunc_lambda: float = 1e-6

    kind: ClassVar[str] = "made"
    unit: ClassVar[str] = "bits/dim"

    @property
    def size(self) -> int:
        """Number of entries D of an image."""
        return int(np.prod(self.shape))

    @classmethod
    def build(cls, shape, classes, **sizes: Any) -> "MADE":
        return cls(shape=tuple(shape), **sizes)

    @staticmethod
    def is_params(tree: Any) -> bool:
        """Whether a tree of weights has the layout of a MADE."""
        return isinstance(tree, dict) and set(tree) == {"net"} and set(tree["net"]) == set(_LAYERS)

    @classmethod
    def from_params(cls, tree: Params, shape=None, trunc_lambda: float | None = None) -> "MADE":
        """The model that a tree of weights belongs to; `FFCError` where sizes contradict or are unknown."""
        weights = [np.asarray(tree["net"][name]["weight"]) for name in _LAYERS]
        if any(weight.ndim != 2 for weight in weights):
            raise FFCError("MADE: every net.*.weight must be a matrix")
        size = weights[0].shape[1]
        shape = shape if shape is not None and len(shape) == 3 else _SHAPES.get(size)
        trunc_lambda = trunc_lambda if trunc_lambda is not None else TRUNC_LAMBDA.get(size)
        if shape is None or trunc_lambda is None or int(np.prod(shape)) != size:
            raise FFCError(f"MADE of {size} inputs: name the image's size (height, width, channels) and trunc_lambda")
        model = cls(tuple(shape), (weights[0].shape[0], weights[1].shape[0]), float(trunc_lambda))
        for name, mask in zip(_LAYERS, model._masks(), strict=True):
            for leaf, expected in (("weight", mask.shape), ("mask", mask.shape), ("bias", mask.shape[:1])):
                found = np.shape(tree["net"][name].get(leaf))
                if found != expected:
                    raise FFCError(f"MADE: net.{name}.{leaf} has the shape {found}, expected {expected}")
        return model

    def _masks(self) -> list[np.ndarray]:
        """0/1 masks [out, in]; hidden degrees are the authors' draws."""
        draws = np.random.RandomState(0)
        degrees = [np.arange(self.size)]
        for width in self.hidden:
            degrees.append(draws.randint(degrees[-1].min(), self.size - 1, size=width))
        hidden = [(after[:, None] >= before[None, :]) for before, after in pairwise(degrees)]
        output = degrees[0][:, None] > degrees[-1][None, :]
        return [mask.astype(np.float32) for mask in (*hidden, np.concatenate([output, output]))]

    def init(self, key):
        layers = {}
        for name, mask in zip(_LAYERS, self._masks(), strict=True):
            key, one, two = jax.random.split(key, 3)
            bound = mask.shape[1] ** -0.5
            layers[name] = {
                "weight": jax.random.uniform(one, mask.shape, minval=-bound, maxval=bound),
                "bias": jax.random.uniform(two, mask.shape[:1], minval=-bound, maxval=bound),
                "mask": jnp.asarray(mask),
            }
        return {"net": layers}

    def mean_and_log_scale(self, params: Params, x: jax.Array) -> jax.Array:
        """The network's output [batch, 2·D] for `x` [batch, D] in logit space: D means, then D log-scales."""
        return _output(_prepare(params), x)

    def loss(self, params, images, labels=None, key=None):
        """Bits for each 8-bit entry, dequantised uniformly (at the middle without a key), logit's Jacobian included."""
        noise = 0.5 if key is None else jax.random.uniform(key, images.shape)
        pixels = (images.astype(jnp.float32) + noise) / 256
        flat = jnp.moveaxis(pixels, -1, 1).reshape(len(images), -1)
        squeezed = self.trunc_lambda + (1 - 2 * self.trunc_lambda) * flat
        x = jnp.log(squeezed) - jnp.log1p(-squeezed)
        mean, log_scale = jnp.split(self.mean_and_log_scale(params, x), 2, axis=1)
        z = (x - mean) * jnp.exp(-log_scale)
        log_density = -z - log_scale - 2 * jax.nn.softplus(-z)
        log_jacobian = jnp.log(1 - 2 * self.trunc_lambda) - jnp.log(squeezed) - jnp.log1p(-squeezed)
        return 8 - jnp.mean(log_density + log_jacobian) / jnp.log(2.0)

    def noise(self, key, batch):
        """Logistic noise [batch, D]."""
        return jax.random.logistic(key, (batch, self.size))

    def check_noise(self, u):
        u = np.asarray(u)
        if u.ndim != 2 or u.shape[1] != self.size:
            raise FFCError(f"noise u has the shape {u.shape}; this MADE takes (batch, {self.size})")
        if not np.issubdtype(u.dtype, np.floating) or not np.all(np.isfinite(u)):
            raise FFCError("noise u must hold finite floating-point numbers: logistic noise, in logit space")
        return jnp.asarray(u, jnp.float32)

    def system(self, params, u):
        limit = np.float32(np.log1p(-self.trunc_lambda) - np.log(self.trunc_lambda))
        return MADESampling(u=u, limit=jnp.float32(limit), layers=_prepare(params))

    def samples(self, x):
        return x

    def pictures(self, samples):
        height, width, channels = self.shape
        squeezed = jax.nn.sigmoid(jnp.asarray(samples))
        pixels = jnp.clip((squeezed - self.trunc_lambda) / (1 - 2 * self.trunc_lambda), 0, 1)
        return jnp.moveaxis(pixels.reshape(-1, channels, height, width), 1, -1)


@flax.struct.dataclass
class MADESampling(System):
    """x_i = clip(mean_i(x_<i) + exp(log_scale_i(x_<i))·u_i), a system of D scalars (paper, section 4.3)."""

    u: jax.Array  # [batch, D]
    limit: jax.Array  # scalar
    layers: tuple  # (weight [in, out], bias [out]) three times, masked

    @property
    def size(self) -> int:
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self._sample(_output(self.layers, x), self.u)

    def windowed(self, count, stride):
        return stride == 1 and 2 * count <= self.size

    def prepare(self, x):
        """The first layer's pre-activations [batch, hidden] of a solved prefix, and how long that is."""
        bias = self.layers[0][1]
        return jnp.broadcast_to(bias, (x.shape[0], len(bias))), jnp.zeros(x.shape[0], jnp.int32)

    def window(self, cache, x, start, count, stride):
        """Only the new entries enter the first layer, only the window's outputs leave the last."""
        (w1, _), (w2, b2), (w3, b3) = self.layers
        first, reached = cache
        entering = jnp.maximum(start - count, 0)
        solved = (entering[:, None] + jnp.arange(count) >= reached[:, None]) & (
            entering[:, None] + jnp.arange(count) < start[:, None]
        )
        first = first + _rows_times(jnp.where(solved, _slice(x, entering, count), 0), w1, entering)
        here = first if count == 1 else first + _rows_times(_slice(x, start, count), w1, start)
        hidden = jax.nn.relu(jax.nn.relu(here) @ w2 + b2)
        column = start[:, None] + jnp.arange(count)
        columns = jnp.concatenate([column, column + self.size], axis=1)
        # The two outputs of every entry are rows of w3ᵀ: gathering rows is one copy, columns would be strided.
        output = jnp.einsum("bh,bkh->bk", hidden, w3.T[columns]) + b3[columns]
        return self._sample(output, jnp.take_along_axis(self.u, column, axis=1)), (first, start)

    def _sample(self, output, u):
        mean, log_scale = jnp.split(output, 2, axis=1)
        return jnp.clip(mean + jnp.exp(log_scale) * u, -self.limit, self.limit)


def _prepare(params: Params) -> tuple:
    layers = (params["net"][name] for name in _LAYERS)
    masked = ((layer["weight"] * jax.lax.stop_gradient(layer["mask"]), layer["bias"]) for layer in layers)
    return tuple((jnp.asarray(weight).T, jnp.asarray(bias)) for weight, bias in masked)


def _output(layers: tuple, x: jax.Array) -> jax.Array:
    (w1, b1), (w2, b2), (w3, b3) = layers
    return jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def _slice(x: jax.Array, start: jax.Array, width: int) -> jax.Array:
    return jax.vmap(lambda row, s: jax.lax.dynamic_slice_in_dim(row, s, width))(x, start)


def _rows_times(values: jax.Array, weight: jax.Array, start: jax.Array) -> jax.Array:
    """[batch, hidden]: each sample's `values` [batch, count] times the rows of `weight` that begin at `start`."""
    index = start[:, None] + jnp.arange(values.shape[1])
    return jnp.einsum("bk,bkh->bh", values, weight[index])
