"""MADE: a masked autoencoder whose D inputs each see only those before them, and its sampling system.

Paper, section 4.3. Samples live in logit space: pixel p in [0, 1] becomes logit(λ + (1 − 2λ)·p). Colour
images are flattened channel first, as torchvision's tensors are.
"""

import itertools
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import reproducible
from ffc.core.system import State
from ffc.models.base import Batch, Params, Sampler, cast
from ffc.models.made.system import MADESampling, output

__all__ = ["MADE", "MADESampling"]

#: Sizes that a state dict leaves open, by its number of inputs: those of the released checkpoints.
RELEASED = {784: ((28, 28, 1), 1e-6), 3072: ((32, 32, 3), 0.05)}
_LAYERS = ("0", "2", "4")


@dataclass(frozen=True)
class MADE(Sampler):
    """Two hidden ReLU layers, natural order, a logistic distribution for each entry.

    Weights mirror the authors' state dict, `net.{0,2,4}.{weight,bias,mask}`, weight and mask [out, in].
    Masks are constants: gradients to them are zero. Raises `FFCError` where a size is out of range.
    """

    shape: tuple[int, int, int]
    hidden: tuple[int, int] = (512, 512)
    trunc_lambda: float = 1e-6

    kind: ClassVar[str] = "made"
    unit: ClassVar[str] = "bits/dim"

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1 or self.size < 2:
            raise FFCError(f"MADE: shape is {self.shape}; expected (height, width, channels) of two entries or more")
        if len(self.hidden) != 2 or min(self.hidden) < 1:
            raise FFCError(f"MADE: hidden is {self.hidden}; expected the widths of two layers, say 256,256")
        if not 0 < self.trunc_lambda < 0.5:
            raise FFCError(f"MADE: trunc_lambda is {self.trunc_lambda}; it must lie between 0 and 0.5")

    @property
    def size(self) -> int:
        """Number of entries D of an image."""
        return math.prod(self.shape)

    @staticmethod
    def is_params(tree: Any) -> bool:
        """Return whether a tree of weights has the layout of a MADE: three linear layers of these names."""
        net = tree.get("net") if isinstance(tree, dict) else None
        layers = [net.get(name) for name in _LAYERS] if isinstance(net, dict) else [None]
        return all(isinstance(layer, dict) and len(np.shape(layer.get("weight", ()))) == 2 for layer in layers)

    @classmethod
    def from_params(
        cls, tree: Params, shape: tuple[int, ...] | None = None, trunc_lambda: float | None = None
    ) -> "MADE":
        """Return the model that a tree of weights belongs to.

        `shape` and `trunc_lambda` are needed unless it has 784 or 3072 inputs, as the released checkpoints.
        Raises `FFCError` where sizes are unknown or contradict each other, or the masks leave no order.
        """
        first, second, _ = (np.shape(tree["net"][name]["weight"]) for name in _LAYERS)
        size = first[1]
        released = RELEASED.get(size, (None, None))
        shape, trunc_lambda = shape or released[0], released[1] if trunc_lambda is None else trunc_lambda
        if shape is not None and len(shape) == 2:
            shape = (*shape, size // max(1, math.prod(shape)))
        if shape is None or trunc_lambda is None or len(shape) != 3 or math.prod(shape) != size:
            raise FFCError(
                f"MADE of {size} inputs, with image size {shape} and trunc_lambda {trunc_lambda}: name both, as "
                f"(height, width, channels) with {size} entries in all, and the λ that it was trained with"
            )
        height, width, channels = shape
        model = cls((height, width, channels), (first[0], second[0]), float(trunc_lambda))
        model.check(tree)
        return model

    def shapes(self) -> Params:
        widths = (self.size, *self.hidden, 2 * self.size)
        leaves = {"weight": lambda i, o: (o, i), "bias": lambda i, o: (o,), "mask": lambda i, o: (o, i)}
        net = {
            name: {leaf: jax.ShapeDtypeStruct(of(*sizes), jnp.float32) for leaf, of in leaves.items()}
            for name, sizes in zip(_LAYERS, itertools.pairwise(widths), strict=True)
        }
        return {"net": net}

    def check(self, params: Params) -> None:
        """As for every model; the masks must leave an order, too."""
        super().check(params)
        last = _last_seen(params["net"])[-1].reshape(2, self.size)
        if np.any(last >= np.arange(self.size)):
            raise FFCError("MADE: the masks let an output see its own or a later input; no order can sample from it")

    def bare(self, params: Params) -> Params:
        """Without masks, and with zeros where they are: such weights pack well."""
        layers = {name: params["net"][name] for name in _LAYERS}
        return {
            "net": {
                name: {"weight": layer["weight"] * layer["mask"], "bias": layer["bias"]}
                for name, layer in layers.items()
            }
        }

    def complete(self, params: Params) -> Params:
        """With the masks of fresh weights, where there are none."""
        if not self.is_params(params):
            return params
        net, shapes = params["net"], self.shapes()["net"]
        if any(
            "mask" in net[name] or np.shape(net[name].get("weight")) != shapes[name]["weight"].shape for name in _LAYERS
        ):
            return params  # also weights that claim sizes which are not theirs: masks would take memory for them
        masks = zip(_LAYERS, self._masks(), strict=True)
        return {**params, "net": net | {name: net[name] | {"mask": mask} for name, mask in masks}}

    def _masks(self) -> list[np.ndarray]:
        """0/1 masks [out, in]; a unit of degree d sees the entries 0 … d, and the degrees are the authors' draws."""
        draws = np.random.RandomState(0)
        degrees = [np.arange(self.size)]
        for width in self.hidden:
            degrees.append(draws.randint(degrees[-1].min(), self.size - 1, size=width))
        hidden = [(after[:, None] >= before[None, :]) for before, after in pairwise(degrees)]
        output = degrees[0][:, None] > degrees[-1][None, :]
        return [mask.astype(np.float32) for mask in (*hidden, np.concatenate([output, output]))]

    @reproducible
    def init(self, key: jax.Array) -> Params:
        layers = {}
        for name, mask in zip(_LAYERS, self._masks(), strict=True):
            key, one, two = jax.random.split(key, 3)
            bound = mask.shape[1] ** -0.5
            layers[name] = {
                "weight": jax.random.uniform(one, mask.shape, jnp.float32, minval=-bound, maxval=bound),
                "bias": jax.random.uniform(two, mask.shape[:1], jnp.float32, minval=-bound, maxval=bound),
                "mask": jnp.asarray(mask),
            }
        return {"net": layers}

    def mean_and_log_scale(self, params: Params, x: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
        """Return the network's output [batch, 2·D] float32, means and log-scales, for `x` [batch, D] in logit space.

        The network computes in `dtype`.
        """
        return output(*cast((_prepare(params), x), dtype)).astype(jnp.float32)

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Negative log-likelihood in bits for each 8-bit entry.

        Entries are dequantised to p in (0, 1), uniformly with a `key` and at their middle without; the density
        of p is the network's in logit space times the Jacobian of the logit.
        """
        pixels = jnp.moveaxis(batch.dequantised() / 256, -1, 1).reshape(len(batch.images), -1)
        scale = 1 - 2 * self.trunc_lambda
        log_p, log_q = (jnp.log(self.trunc_lambda + scale * side) for side in (pixels, 1 - pixels))
        x = log_p - log_q
        mean, log_scale = jnp.split(self.mean_and_log_scale(params, x, batch.dtype), 2, axis=1)
        z = (x - mean) * jnp.exp(-log_scale)
        log_density = -z - log_scale - 2 * jax.nn.softplus(-z)
        log_jacobian = jnp.log(scale) - log_p - log_q
        return 8 - jnp.mean(log_density + log_jacobian) / jnp.log(2.0)

    def finish(self, params: Params, images: jax.Array) -> Params:
        """Masks as they were before the training loop averaged the weights: 0 and 1, to the bit."""
        net = {name: {**layer, "mask": jnp.round(layer["mask"])} for name, layer in params["net"].items()}
        return {"net": net}

    @reproducible
    def noise(self, key: jax.Array, batch: int) -> jax.Array:
        """Return standard logistic noise [batch, D], in logit space."""
        return jax.random.logistic(key, (batch, self.size), jnp.float32)

    def system(self, params: Params, u: jax.Array) -> MADESampling:
        """Return the system of `MADESampling`. Call it outside `jit`: the masks decide the order of its units."""
        limits = _last_seen(params["net"])[:2]
        one, two = (np.argsort(last, kind="stable") for last in limits)
        (w1, b1), (w2, b2), (w3, b3) = _prepare(params)
        return MADESampling(
            u=u,
            limit=jnp.float32(-self.black),
            layers=((w1[:, one], b1[one]), (w2[one][:, two], b2[two]), (w3[two], b3)),
            last_seen=tuple(tuple(last[order].tolist()) for last, order in zip(limits, (one, two), strict=True)),
            row_length=self.shape[1],
        )

    def samples(self, x: State) -> jax.Array:
        """Return samples in logit space, [batch, D] float32."""
        return x

    @property
    def black(self) -> float:
        """logit(λ)."""
        return math.log(self.trunc_lambda) - math.log1p(-self.trunc_lambda)

    def pictures(self, samples: ArrayLike) -> jax.Array:
        height, width, channels = self.shape
        squeezed = jax.nn.sigmoid(jnp.asarray(samples))
        pixels = jnp.clip((squeezed - self.trunc_lambda) / (1 - 2 * self.trunc_lambda), 0, 1)
        return jnp.moveaxis(pixels.reshape(-1, channels, height, width), 1, -1)


def _prepare(params: Params) -> tuple:
    """(weight [in, out], bias) of each layer; what the masks exclude is zero and has no gradient."""
    layers = (params["net"][name] for name in _LAYERS)
    return tuple((jnp.where(layer["mask"] > 0.5, layer["weight"], 0).T, jnp.asarray(layer["bias"])) for layer in layers)


def _last_seen(net: Params) -> list[np.ndarray]:
    """For each layer, the last input that each of its units sees; −1 for none."""
    last = [np.arange(np.shape(net[_LAYERS[0]]["mask"])[1])]
    for name in _LAYERS:
        last.append(np.max(np.where(np.asarray(net[name]["mask"]) > 0.5, last[-1], -1), axis=1))
    return last[1:]
