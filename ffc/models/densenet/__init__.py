"""DenseNet: the network, its training objective, and its inference as a system (paper, section 4.2).

Weights are a nested dictionary by torchvision's parameter names. Images are NHWC inside the library.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.models.base import Batch, Model, Normal, Params, cast, draw
from ffc.models.densenet.layers import (
    LAST_NORM,
    Norm,
    by_batch,
    dense_layer,
    folded,
    head,
    prepare,
    prepare_kernels,
    preprocess,
    stem,
    transition,
)
from ffc.models.densenet.system import DenseFeatures

__all__ = ["DenseFeatures", "DenseNet"]


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

    def __post_init__(self) -> None:
        if not self.blocks or min(self.classes, self.growth, self.features, self.bottleneck, *self.blocks) < 1:
            raise FFCError(f"{self}: every size must be at least 1")

    @classmethod
    def build(cls, shape: tuple[int, int, int], classes: int | None, **sizes: Any) -> "DenseNet":
        if not classes:
            raise FFCError("densenet: the data set has no labels; choose one with classes")
        return cls(classes=classes, **sizes)

    @staticmethod
    def is_params(tree: Any) -> bool:
        """Whether a tree of weights has torchvision's DenseNet layout."""
        return isinstance(tree, dict) and {"features", "classifier"} <= set(tree)

    @classmethod
    def from_params(cls, tree: Params) -> "DenseNet":
        """Return the model that a tree of weights belongs to; `FFCError` where layers are missing or do not fit."""
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

    def init(self, key: jax.Array) -> Params:
        def conv(inputs: int, outputs: int, size: int) -> Params:
            return {"weight": Normal((outputs, inputs, size, size), (2 / (inputs * size * size)) ** 0.5)}

        def norm(n: int) -> Params:
            return {
                "weight": jnp.ones(n, jnp.float32),
                "bias": jnp.zeros(n, jnp.float32),
                "running_mean": jnp.zeros(n, jnp.float32),
                "running_var": jnp.ones(n, jnp.float32),
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
        features[LAST_NORM] = norm(width)
        classifier = {
            "weight": Normal((self.classes, width), width**-0.5),
            "bias": jnp.zeros(self.classes, jnp.float32),
        }
        return draw(key, {"features": features, "classifier": classifier})

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Cross entropy, normalised by the statistics of the batch (`finish` sets the running ones)."""
        layers, x = cast((prepare_kernels(params), preprocess(batch.images)), batch.dtype)
        return _cross_entropy(self._network(layers, x, by_batch).astype(jnp.float32), batch.labels)

    def test_loss(self, params: Params, batch: Batch) -> jax.Array:
        """Cross entropy, normalised by the running statistics, as in inference."""
        return _cross_entropy(self.logits(params, preprocess(batch.images)), batch.labels)

    def finish(self, params: Params, images: jax.Array) -> Params:
        """Return the weights with running statistics measured in one pass over (at most 512 of) `images`."""
        return _with_statistics(params, self._statistics(params, images[:512]), "")

    @partial(jax.jit, static_argnames="self")
    def _statistics(self, params: Params, images: jax.Array) -> dict[str, tuple[jax.Array, jax.Array]]:
        """(mean, variance) of what each normalisation meets, by the normalisation's name."""
        measured = {}

        def measure(name: str, node: Params, x: jax.Array) -> jax.Array:
            measured[name] = (x.mean((0, 1, 2)), x.var((0, 1, 2)))
            return by_batch(name, node, x)

        self._network(prepare_kernels(params), preprocess(images), measure)
        return measured

    def logits(self, params: Params, x: jax.Array) -> jax.Array:
        """Return the feedforward answer [batch, classes] for normalised images [batch, height, width, 3]."""
        return self.feedforward(prepare(params), x)

    def feedforward(self, layers: Params, x: jax.Array) -> jax.Array:
        """As `logits`, from weights that `prepare` has made ready."""
        return self._network(layers, x, folded)

    def system(self, params: Params, x: jax.Array) -> DenseFeatures:
        """Return the triangular system of all dense layers' features for normalised images `x` NHWC."""
        return DenseFeatures(layers=prepare(params), x=x, blocks=self.blocks, growth=self.growth)

    def layer_inputs(self, layers: Params, x: jax.Array) -> list[tuple[Params, jax.Array]]:
        """Each dense layer's prepared weights and its input in the feedforward pass, in order."""
        inputs: list[tuple[Params, jax.Array]] = []
        self._network(layers, x, folded, inputs)
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
        return head(layers, x, norm)


def _cross_entropy(logits: jax.Array, labels: jax.Array | None) -> jax.Array:
    assert labels is not None, "a classifier's data have labels (`build`)"
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))


def _with_statistics(node: Params, statistics: dict, name: str) -> Params:
    if not isinstance(node, dict):
        return node
    if name in statistics:
        return node | dict(zip(("running_mean", "running_var"), statistics[name], strict=True))
    return {child: _with_statistics(value, statistics, f"{name}/{child}".lstrip("/")) for child, value in node.items()}


def _count(names: Iterable[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
