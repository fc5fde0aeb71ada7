"""The network of PixelCNN++, written once over `Layers` (Salimans et al. 2017; paper, section 4.3).

A vertical stack sees the rows above a pixel, a horizontal stack also the pixels to its left. Both run up
through three resolutions and down again, each gated resnet on the way down taking the matching feature
of the way up. The vertical stack never looks at the horizontal one, so it is a function of its own.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp.layers import Beside, Layers, concat_elu
from ffc.models.pixelcnnpp.weights import Params, level_resnets

_VERTICAL, _HORIZONTAL = "down_shifted", "down_right_shifted"


class Feature(NamedTuple):
    """A feature as a window keeps it: some channels of an array that has all features of a stack at a level."""

    array: str
    first: int
    channels: int


def vertical(ops: Layers, layers: Params, x: Any) -> list[Any]:
    """Return the vertical stack's features in the order in which the horizontal stack asks for them."""
    first = ops.write("v", 0, ops.convolve(0, x, layers["first_vertical"], down=1))
    return _stack(ops, layers, first, _VERTICAL, None)


def horizontal(ops: Layers, layers: Params, x: Any, above: list[Any]) -> jax.Array:
    """Return the network's outputs [batch, rows, columns, outputs] of `ops.region(0)`, given the vertical features."""
    first = ops.write("h", 0, ops.convolve(0, x, layers["first_horizontal"]))
    last = _stack(ops, layers, first, _HORIZONTAL, above)[-1]
    return ops.dense(jax.nn.elu(ops.read(last, 0)), layers["nin_0"]["WNDense_0"])


def vertical_features(layers: Params) -> list[Feature]:
    """Return where windows keep the features that `vertical` returns.

    At each level a stack begins with one feature on the way up, another on the way down but for the lowest level; then
    each gated resnet writes two, of which it returns the second.
    """
    resnets, channels = _resnets(layers), len(layers["first_vertical"].bias)
    up = [(level, 2 * i + 2) for level in range(3) for i in range(resnets)]
    down = [(level, 2 * (resnets + i + 1) + (level < 2)) for level in (2, 1, 0) for i in range(resnets + (level < 2))]
    return [Feature(f"v{level}", number * channels, channels) for level, number in up + down]


def with_ones(x: jax.Array) -> jax.Array:
    """Return the network's input: the image and a channel of ones, which tells it from the padding."""
    return jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)


def outputs(ops: Layers, layers: Params, images: jax.Array) -> jax.Array:
    """Mixture parameters [batch, height, width, outputs] for whole images in [−1, 1]."""
    x = with_ones(images)
    return horizontal(ops, layers, x, vertical(ops, layers, x))


def _stack(ops: Layers, layers: Params, first: Any, kind: str, above: list[Any] | None) -> list[Any]:
    """One stack, up and down; returns its features in the order of evaluation (the first one left out)."""
    name = "v" if above is None else "h"
    parts = list(level_resnets(_resnets(layers)).items())
    waiting, done = [first], []
    above_next = iter(above or [])

    def resnets(part: str, count: int, level: int, x: Any, going_down: bool) -> Any:
        for i in range(count):
            skips = ([next(above_next)] if above is not None else []) + ([waiting.pop()] if going_down else [])
            layer = layers[part][f"gated_resnet_{2 * i + (above is not None)}"]
            x = _gated_resnet(ops, layer, kind, name, level, x, skips)
            done.append(x)
            if not going_down:
                waiting.append(x)
        return x

    x = first
    for level, (part, count) in enumerate(parts[:3]):
        if level:
            conv = layers[f"{kind}_conv2d_{level + (above is None)}"]["WNConv_0"]
            x = ops.write(name, level, ops.convolve(level, x, conv, stride=2))
            waiting.append(x)
        x = resnets(part, count, level, x, going_down=False)
    waiting.pop()
    for step, (part, count) in enumerate(parts[3:]):
        level = 2 - step
        if step:
            deconv = layers[f"{kind}_deconv2d_{step - 1}"]["WNConvTranspose_0"]
            x = ops.write(name, level, ops.enlarge(level, x, deconv))
        x = resnets(part, count, level, x, going_down=True)
    return done


def _gated_resnet(ops: Layers, layer: Params, kind: str, stack: str, level: int, x: Any, skips: list[Any]) -> Any:
    """x + a·sigmoid(b), with a and b from two convolutions and, through a 1×1 one, from `skips`."""
    beside = None
    if skips:
        aside = concat_elu(jnp.concatenate([ops.read(skip, level) for skip in skips], axis=-1))
        beside = Beside(aside, layer["nin_0"]["WNDense_0"], layer["joined"])
    y = ops.convolve(level, x, layer[f"{kind}_conv2d_0"]["WNConv_0"], concat_elu, beside=beside)
    y = ops.write(stack, level, y)
    y = ops.convolve(level, y, layer[f"{kind}_conv2d_1"]["WNConv_0"], concat_elu, dropout=True)
    a, b = jnp.split(y, 2, axis=-1)
    return ops.write(stack, level, ops.read(x, level) + a * jax.nn.sigmoid(b))


def _resnets(layers: Params) -> int:
    return len(layers["PixelCNNLayer_up_0"]) // 2
