"""DenseNet's layers: plain functions of prepared weights. Images are NHWC, kernels HWIO."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.models.base import Params

#: torchvision's name of the normalisation after the last block, however many blocks there are.
LAST_NORM = "norm5"

_EPSILON = 1e-5
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

Norm = Callable[[str, Params, jax.Array], jax.Array]


class Affine(NamedTuple):
    """A normalisation in evaluation mode, folded: x·scale + shift."""

    scale: jax.Array
    shift: jax.Array


def preprocess(images: ArrayLike) -> jax.Array:
    """uint8 NHWC with 1 or 3 channels → float32 with 3, normalised by ImageNet's mean and deviation."""
    x = jnp.asarray(images, jnp.float32) / 255
    return (jnp.broadcast_to(x, (*x.shape[:3], 3)) - _MEAN) / _STD


def stem(layers: Params, x: jax.Array, norm: Norm) -> jax.Array:
    """7×7 convolution, normalisation, ReLU, 3×3 maximum: a quarter of the resolution."""
    features = layers["features"]
    x = jax.nn.relu(norm("features/norm0", features["norm0"], _conv(x, features["conv0"]["weight"], 2, 3)))
    pads = ((0, 0), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), pads)


def dense_layer(layer: Params, x: jax.Array, norm: Norm | None = None, name: str = "") -> jax.Array:
    """Normalise, ReLU, 1×1 convolution; normalise, ReLU, 3×3 convolution to `growth` channels."""
    norm = norm or folded
    x = _conv(jax.nn.relu(norm(f"{name}/norm1", layer["norm1"], x)), layer["conv1"]["weight"], 1, 0)
    return _conv(jax.nn.relu(norm(f"{name}/norm2", layer["norm2"], x)), layer["conv2"]["weight"], 1, 1)


def transition(layers: Params, k: int, x: jax.Array, norm: Norm) -> jax.Array:
    """Normalise, ReLU, 1×1 convolution to half the channels, 2×2 mean."""
    layer = layers["features"][f"transition{k}"]
    x = _conv(jax.nn.relu(norm(f"features/transition{k}/norm", layer["norm"], x)), layer["conv"]["weight"], 1, 0)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def head(layers: Params, x: jax.Array, norm: Norm) -> jax.Array:
    """Normalise, ReLU, mean over the image, linear classifier."""
    pooled = jax.nn.relu(norm(f"features/{LAST_NORM}", layers["features"][LAST_NORM], x)).mean((1, 2))
    return pooled @ layers["classifier"]["weight"] + layers["classifier"]["bias"]


def prepare_kernels(params: Params) -> Params:
    """Kernels HWIO, the classifier [in, out]; all else as it is."""
    transposes = {4: (2, 3, 1, 0), 2: (1, 0)}
    return jax.tree.map(
        lambda leaf: jnp.transpose(leaf, transposes[leaf.ndim]) if leaf.ndim in transposes else leaf, params
    )


@jax.jit
def prepare(params: Params) -> Params:
    """Return what inference runs on: kernels in place, every normalisation folded into `Affine`."""

    def fold(node: Params) -> Params:
        if not isinstance(node, dict):
            return node
        if "running_var" in node:
            scale = node["weight"] / jnp.sqrt(jnp.asarray(node["running_var"]) + _EPSILON)
            return Affine(scale, node["bias"] - node["running_mean"] * scale)
        return {name: fold(child) for name, child in node.items()}

    return fold(prepare_kernels(params))


def folded(name: str, node: Affine, x: jax.Array) -> jax.Array:
    return x * node.scale + node.shift


def by_batch(name: str, node: Params, x: jax.Array) -> jax.Array:
    """Normalised by the batch's own statistics, in float32 whatever the network's type."""
    wide = x.astype(jnp.float32)
    mean, var = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    return ((wide - mean) / jnp.sqrt(var + _EPSILON) * node["weight"] + node["bias"]).astype(x.dtype)


def _conv(x: jax.Array, kernel: jax.Array, stride: int, pad: int) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
