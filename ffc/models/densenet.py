"""DenseNet, and its inference as a triangular system of the dense layers' feature maps (paper, section 4.2).

Weights are a nested dictionary by torchvision's parameter names. Images are NHWC inside the library.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from ffc.errors import FFCError
from ffc.models.base import Model, Params
from ffc.system import System

_EPSILON = 1e-5
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

Norm = Callable[[str, Params, jax.Array], jax.Array]


class Affine(NamedTuple):
    """A normalisation in evaluation mode, folded: x·scale + shift."""

    scale: jax.Array
    shift: jax.Array


@dataclass(frozen=True)
class DenseNet(Model):
    """Any DenseNet with bottlenecks and transitions that halve.

    DenseNet-201 is growth 32, blocks 6/12/48/32, features 64.
    """

    classes: int
    growth: int = 32
    blocks: tuple[int, ...] = (6, 12, 48, 32)
    features: int = 64
    bottleneck: int = 4

    kind: ClassVar[str] = "densenet"
    unit: ClassVar[str] = "nats"

    def __post_init__(self):
        if not self.blocks or min(self.classes, self.growth, self.features, self.bottleneck, *self.blocks) < 1:
            raise FFCError(f"{self}: every size must be at least 1")

    @classmethod
    def build(cls, shape, classes, **sizes: Any) -> "DenseNet":
        if not classes:
            raise FFCError("densenet: the data set has no labels; choose one with classes")
        return cls(classes=classes, **sizes)

    @staticmethod
    def is_params(tree: Any) -> bool:
        """Whether a tree of weights has torchvision's DenseNet layout."""
        return isinstance(tree, dict) and {"features", "classifier"} <= set(tree)

    @classmethod
    def from_params(cls, tree: Params) -> "DenseNet":
        """The model that a tree of weights belongs to; `FFCError` where layers are missing or do not fit."""
        try:
            features = tree["features"]
            blocks = [len(features[f"denseblock{k}"]) for k in range(1, _count(features, "denseblock") + 1)]
            first = features["denseblock1"]["denselayer1"]
            wide, growth = np.shape(first["conv1"]["weight"])[0], np.shape(first["conv2"]["weight"])[0]
            classes, stem = np.shape(tree["classifier"]["weight"])[0], np.shape(features["conv0"]["weight"])[0]
            model = cls(classes, growth, tuple(blocks), stem, wide // growth)
        except (KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise FFCError(f"not the weights of a DenseNet: no size can be read from them ({error!r})") from None
        model.check(tree)
        return model

    def init(self, key):
        counter = iter(range(10_000))

        def conv(inputs, outputs, size):
            scale = (2 / (inputs * size * size)) ** 0.5
            k = jax.random.fold_in(key, next(counter))
            return {"weight": scale * jax.random.normal(k, (outputs, inputs, size, size))}

        def norm(n):
            return {
                "weight": jnp.ones(n),
                "bias": jnp.zeros(n),
                "running_mean": jnp.zeros(n),
                "running_var": jnp.ones(n),
            }

        width, wide = self.features, self.bottleneck * self.growth
        features = {"conv0": conv(3, width, 7), "norm0": norm(width)}
        for k, layers in enumerate(self.blocks, 1):
            block = features[f"denseblock{k}"] = {}
            for j in range(1, layers + 1):
                block[f"denselayer{j}"] = {
                    "norm1": norm(width),
                    "conv1": conv(width, wide, 1),
                    "norm2": norm(wide),
                    "conv2": conv(wide, self.growth, 3),
                }
                width += self.growth
            if k < len(self.blocks):
                features[f"transition{k}"] = {"norm": norm(width), "conv": conv(width, width // 2, 1)}
                width //= 2
        features[f"norm{len(self.blocks) + 1}"] = norm(width)
        weight = jax.random.normal(jax.random.fold_in(key, next(counter)), (self.classes, width)) * width**-0.5
        return {"features": features, "classifier": {"weight": weight, "bias": jnp.zeros(self.classes)}}

    def loss(self, params, images, labels=None, key=None):
        """Cross entropy, normalised by the statistics of the batch (`finish` sets the running ones)."""
        logits = self._network(prepare_kernels(params), preprocess(images), _by_batch)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))

    def finish(self, params, images):
        """The weights with running statistics measured in one pass over (at most 512 of) `images`."""
        measured = {}

        def measure(name, node, x):
            measured[name] = (x.mean((0, 1, 2)), x.var((0, 1, 2)))
            return _by_batch(name, node, x)

        def statistics(params, x):
            self._network(prepare_kernels(params), x, measure)
            return measured

        found = jax.jit(statistics)(params, preprocess(images[:512]))
        return _with_statistics(params, found, "")

    def logits(self, params: Params, x: jax.Array) -> jax.Array:
        """The feedforward answer [batch, classes] for normalised images [batch, height, width, 3]."""
        return self.feedforward(prepare(params), x)

    def feedforward(self, layers: Params, x: jax.Array) -> jax.Array:
        """As `logits`, from weights that `prepare` has made ready."""
        return self._network(layers, x, _folded)

    def system(self, params: Params, x: jax.Array) -> "DenseFeatures":
        """The triangular system of all dense layers' features for normalised images `x` NHWC."""
        return DenseFeatures(layers=prepare(params), x=x, blocks=self.blocks, growth=self.growth)

    def layer_inputs(self, layers: Params, x: jax.Array) -> list[tuple[Params, jax.Array]]:
        """Each dense layer's prepared weights and its input in the feedforward pass, in order."""
        inputs = []
        self._network(layers, x, _folded, inputs)
        return inputs

    def _network(self, layers: Params, x: jax.Array, norm: Norm, inputs: list | None = None) -> jax.Array:
        x = stem(layers, x, norm)
        for k, count in enumerate(self.blocks, 1):
            for j in range(1, count + 1):
                layer = layers["features"][f"denseblock{k}"][f"denselayer{j}"]
                if inputs is not None:
                    inputs.append((layer, x))
                new = dense_layer(layer, x, norm, f"features/denseblock{k}/denselayer{j}")
                x = jnp.concatenate([x, new], axis=-1)
            if k < len(self.blocks):
                x = transition(layers, k, x, norm)
        return head(layers, len(self.blocks) + 1, x, norm)


@flax.struct.dataclass
class DenseFeatures(System):
    """Blocks are the dense layers in order; a leaf for each dense block [batch, layers, h, w, growth].

    A sweep recomputes stem and transitions from the features as they stand, then every layer at once.
    """

    layers: Params
    x: jax.Array
    blocks: tuple[int, ...] = flax.struct.field(pytree_node=False)
    growth: int = flax.struct.field(pytree_node=False)

    @property
    def size(self) -> int:
        return sum(self.blocks)

    def initial(self):
        batch, height, width, _ = self.x.shape
        sizes = _sides(height, len(self.blocks)), _sides(width, len(self.blocks))
        return tuple(jnp.zeros((batch, n, h, w, self.growth)) for n, h, w in zip(self.blocks, *sizes, strict=True))

    def sweep(self, x):
        return tuple(
            jnp.stack([self._layer(k, j, incoming, old) for j in range(old.shape[1])], axis=1)
            for k, (incoming, old) in enumerate(zip(self._incoming(x), x, strict=True), 1)
        )

    def logits(self, x) -> jax.Array:
        """Class scores [batch, classes] read from a state."""
        last = _joined(self._incoming(x)[-1], x[-1])
        return head(self.layers, len(self.blocks) + 1, last, _folded)

    def _layer(self, k: int, j: int, incoming: jax.Array, old: jax.Array) -> jax.Array:
        layer = self.layers["features"][f"denseblock{k}"][f"denselayer{j + 1}"]
        return dense_layer(layer, _joined(incoming, old[:, :j]), _folded)

    def _incoming(self, x) -> list[jax.Array]:
        """What enters each dense block."""
        incoming = [stem(self.layers, self.x, _folded)]
        for k, old in enumerate(x[:-1], 1):
            incoming.append(transition(self.layers, k, _joined(incoming[-1], old), _folded))
        return incoming


def preprocess(images: jax.Array) -> jax.Array:
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
    norm = norm or _folded
    x = _conv(jax.nn.relu(norm(f"{name}/norm1", layer["norm1"], x)), layer["conv1"]["weight"], 1, 0)
    return _conv(jax.nn.relu(norm(f"{name}/norm2", layer["norm2"], x)), layer["conv2"]["weight"], 1, 1)


def transition(layers: Params, k: int, x: jax.Array, norm: Norm) -> jax.Array:
    """Normalise, ReLU, 1×1 convolution to half the channels, 2×2 mean."""
    layer = layers["features"][f"transition{k}"]
    x = _conv(jax.nn.relu(norm(f"features/transition{k}/norm", layer["norm"], x)), layer["conv"]["weight"], 1, 0)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def head(layers: Params, k: int, x: jax.Array, norm: Norm) -> jax.Array:
    """Normalise, ReLU, mean over the image, linear classifier."""
    pooled = jax.nn.relu(norm(f"features/norm{k}", layers["features"][f"norm{k}"], x)).mean((1, 2))
    return pooled @ layers["classifier"]["weight"] + layers["classifier"]["bias"]


def prepare_kernels(params: Params) -> Params:
    """Kernels HWIO, the classifier [in, out]; all else as it is."""
    transposes = {4: (2, 3, 1, 0), 2: (1, 0)}
    return jax.tree.map(
        lambda leaf: jnp.transpose(leaf, transposes[leaf.ndim]) if leaf.ndim in transposes else leaf, params
    )


def prepare(params: Params) -> Params:
    """What inference runs on: kernels in place, every normalisation folded into `Affine`."""

    def fold(node):
        if not isinstance(node, dict):
            return node
        if "running_var" in node:
            scale = node["weight"] / jnp.sqrt(jnp.asarray(node["running_var"]) + _EPSILON)
            return Affine(scale, node["bias"] - node["running_mean"] * scale)
        return {name: fold(child) for name, child in node.items()}

    return fold(prepare_kernels(params))


def _folded(name: str, node: Affine, x: jax.Array) -> jax.Array:
    return x * node.scale + node.shift


def _by_batch(name: str, node: Params, x: jax.Array) -> jax.Array:
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / jnp.sqrt(var + _EPSILON) * node["weight"] + node["bias"]


def _with_statistics(node: Params, found: dict, name: str) -> Params:
    if not isinstance(node, dict):
        return node
    if name in found:
        return node | dict(zip(("running_mean", "running_var"), found[name], strict=True))
    return {child: _with_statistics(value, found, f"{name}/{child}".lstrip("/")) for child, value in node.items()}


def _conv(x: jax.Array, kernel: jax.Array, stride: int, pad: int) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _joined(incoming: jax.Array, features: jax.Array) -> jax.Array:
    """[batch, h, w, channels]: a block's input and the features [batch, layers, h, w, growth] so far."""
    batch, layers, height, width, growth = features.shape
    return jnp.concatenate(
        [incoming, features.transpose(0, 2, 3, 1, 4).reshape(batch, height, width, layers * growth)], -1
    )


def _sides(side: int, blocks: int) -> list[int]:
    """The side of the feature maps in each dense block, for an image's side."""
    sides = [((side + 1) // 2 + 1) // 2]
    for _ in range(blocks - 1):
        sides.append(sides[-1] // 2)
    if sides[-1] < 1:
        raise FFCError(f"densenet: images of {side} pixels a side are too small for {blocks} dense blocks")
    return sides


def _count(names: Iterable[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
