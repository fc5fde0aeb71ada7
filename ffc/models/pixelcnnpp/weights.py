"""PixelCNN++ weights: the authors' parameter tree, and the kernels that the network runs on.

Weight normalisation is w = g·v/‖v‖, the norm over all axes but the first. Kernels are stored OIHW,
transposed ones (in, out, h, w); the network wants HWIO, which XLA runs fast inside loops.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.models.base import Normal, draw

Params = dict[str, Any]

#: Stride-2 and first layers: name in the tree, height, width of the kernel (the input has one more channel).
_FIRST = {"down_shifted_conv2d_0": (2, 3), "down_shifted_conv2d_1": (1, 3), "down_right_shifted_conv2d_0": (2, 1)}
_RESIZE = {
    "down_shifted_conv2d_2": (2, 3),
    "down_shifted_conv2d_3": (2, 3),
    "down_right_shifted_conv2d_1": (2, 2),
    "down_right_shifted_conv2d_2": (2, 2),
}
_DECONVS = {
    "down_shifted_deconv2d_0": (2, 3),
    "down_shifted_deconv2d_1": (2, 3),
    "down_right_shifted_deconv2d_0": (2, 2),
    "down_right_shifted_deconv2d_1": (2, 2),
}


class Layer(NamedTuple):
    """A kernel ready to run, HWIO or [in, out], and its bias [out]."""

    kernel: jax.Array
    bias: jax.Array


def level_resnets(resnets: int) -> dict[str, int]:
    """Gated resnets of each stack in each part of the tree, in the order in which the network meets them."""
    up = {f"PixelCNNLayer_up_{level}": resnets for level in range(3)}
    return up | {f"PixelCNNLayer_down_{step}": resnets + (step > 0) for step in range(3)}


def shapes(channels: int, filters: int, resnets: int, mixtures: int) -> Params:
    """Return the tree of a PixelCNN++ of these sizes, with the shape of `weight_v` in place of each layer's weights."""
    tree: Params = {}
    for names, inputs, wrapper in (
        (_FIRST, channels + 1, "WNConv_0"),
        (_RESIZE, filters, "WNConv_0"),
        (_DECONVS, filters, "WNConvTranspose_0"),
    ):
        tree |= {name: {wrapper: (filters, inputs, *size)} for name, size in names.items()}
    for part, count in level_resnets(resnets).items():
        down = "_down_" in part
        tree[part] = {}
        for i in range(count):
            tree[part][f"gated_resnet_{2 * i}"] = _resnet("down_shifted_conv2d", (2, 3), filters, int(down))
            tree[part][f"gated_resnet_{2 * i + 1}"] = _resnet("down_right_shifted_conv2d", (2, 2), filters, 1 + down)
    outputs = mixtures * (1 + (2 if channels == 1 else 3) * channels)
    return tree | {"nin_0": {"WNDense_0": (outputs, filters)}}


def _resnet(conv: str, size: tuple[int, int], filters: int, skips: int) -> Params:
    """Return a gated resnet; `skips` inputs of `filters` channels enter through its 1×1 layer (none where 0)."""
    tree: Params = {
        f"{conv}_0": {"WNConv_0": (filters, 2 * filters, *size)},
        f"{conv}_1": {"WNConv_0": (2 * filters, 2 * filters, *size)},
    }
    return tree | ({"nin_0": {"WNDense_0": (filters, 2 * skips * filters)}} if skips else {})


def init(key: jax.Array, tree: Params) -> Params:
    """Fresh weights for a tree of shapes: v ~ N(0, 0.05²), g such that a layer keeps its input's scale, bias 0."""
    return draw(key, jax.tree.map(_fresh_layer, tree, is_leaf=is_shape))


def _fresh_layer(shape: tuple[int, ...]) -> Params:
    gains = jnp.ones((shape[0],) + (1,) * (len(shape) - 1), jnp.float32)
    return {"weight_v": Normal(shape, 0.05), "weight_g": gains, "bias": jnp.zeros(shape[0], jnp.float32)}


@jax.jit
def prepare(params: Params) -> Params:
    """Return the tree with a `Layer` for each layer: weights normalised, laid out HWIO; the first ones as `_first`.

    Gated resnets with a 1×1 layer have it and their first convolution also as one, "joined".
    """
    layers = _layers(params)
    vertical, above, left = (layers.pop(name)["WNConv_0"] for name in _FIRST)
    for part, resnets in layers.items():
        if part.startswith("PixelCNNLayer"):
            layers[part] = {name: layer | _joined(**layer) for name, layer in resnets.items()}
    return layers | _first(vertical, above, left)


def _joined(nin_0: Params | None = None, **convolutions: Params) -> Params:
    """Return a gated resnet's first convolution and its 1×1 layer, if it has one, as one product of matrices."""
    if nin_0 is None:
        return {}
    first = next(conv["WNConv_0"] for name, conv in convolutions.items() if name.endswith("_0"))
    both = (first, nin_0["WNDense_0"])
    kernel = jnp.concatenate([layer.kernel.reshape(-1, layer.kernel.shape[-1]) for layer in both])
    return {"joined": Layer(kernel, first.bias + both[1].bias)}


def _first(vertical: Layer, above: Layer, left: Layer) -> Params:
    """Return the first layers, that of the horizontal stack as one: what it sees above, and what to the left.

    Where a layer sees nothing of the image, it has no bias. So biases are weights of the input's channel of ones.
    """
    none = jnp.zeros_like(vertical.bias)
    down = vertical.kernel.at[1, 1, -1].add(vertical.bias)
    across = jnp.zeros_like(vertical.kernel).at[0].add(above.kernel[0]).at[:, 0].add(left.kernel[:, 0])
    across = across.at[0, 1, -1].add(above.bias).at[1, 0, -1].add(left.bias)
    return {"first_vertical": Layer(down, none), "first_horizontal": Layer(across, none)}


def _layers(params: Params) -> Any:
    if "weight_v" in params:
        return _kernel(params)
    return {
        name: _transposed(child) if name == "WNConvTranspose_0" else _layers(child) for name, child in params.items()
    }


def _normalised(layer: Params) -> jax.Array:
    v = jnp.asarray(layer["weight_v"])
    norm = jnp.sqrt(jnp.sum(v**2, axis=tuple(range(1, v.ndim)), keepdims=True))
    return layer["weight_g"] * v / norm


def _kernel(layer: Params) -> Layer:
    w = _normalised(layer)
    return Layer(w.T if w.ndim == 2 else w.transpose(2, 3, 1, 0), jnp.asarray(layer["bias"]))


def _transposed(layer: Params) -> Layer:
    """Return a stride-2 transposed convolution as a plain one onto the 2×2 pixels that a coarse pixel owns.

    Kernel [1, 1 or 2, in, 2·2·out]: even columns see the coarse column of their own, odd columns of the
    3-wide kernel also the next one.
    """
    w = _normalised(layer).transpose(2, 3, 0, 1)  # [h, w, in, out]
    if w.shape[1] == 2:
        taps = [[w[a, b]] for a in range(2) for b in range(2)]
    else:
        taps = [tap for a in range(2) for tap in ([w[a, 1], jnp.zeros_like(w[a, 1])], [w[a, 2], w[a, 0]])]
    kernel = jnp.stack([jnp.stack(tap) for tap in taps], axis=2)  # [taps, in, 4, out]
    kernel = kernel.reshape(1, *kernel.shape[:2], -1)
    return Layer(kernel, jnp.tile(jnp.asarray(layer["bias"]), 4))


def infer_sizes(tree: Any) -> dict[str, int]:
    """channels, filters, resnets and mixtures of a tree; `FFCError` names the first leaf that does not fit."""
    try:
        filters, inputs = np.shape(tree["down_shifted_conv2d_0"]["WNConv_0"]["weight_v"])[:2]
        outputs = np.shape(tree["nin_0"]["WNDense_0"]["weight_v"])[0]
        resnets = len(tree["PixelCNNLayer_up_0"]) // 2
    except (KeyError, TypeError, IndexError, ValueError):
        raise FFCError("not the weights of a PixelCNN++: its first or last layer is missing") from None
    channels = inputs - 1
    if channels not in (1, 3):
        raise FFCError(f"PixelCNN++ of {channels} channels: expected 1 or 3")
    mixtures, rest = divmod(outputs, 1 + (2 if channels == 1 else 3) * channels)
    if rest or not mixtures or not resnets:
        raise FFCError(f"PixelCNN++ with {outputs} outputs for {channels} channels: not a whole number of mixtures")
    sizes = {"channels": channels, "filters": filters, "resnets": resnets, "mixtures": mixtures}
    _check(tree, shapes(**sizes), "")
    return sizes


def _check(actual: Any, expected: Any, where: str) -> None:
    if is_shape(expected):
        gains = (expected[0],) + (1,) * (len(expected) - 1)
        expected = {"weight_v": expected, "weight_g": gains, "bias": expected[:1]}
        if isinstance(actual, dict) and set(actual) == set(expected):
            actual = {name: np.shape(value) for name, value in actual.items()}
            wrong = [name for name in expected if actual[name] != expected[name]]
            if not wrong:
                return
            name = wrong[0]
            raise FFCError(f"{where}{name} has the shape {actual[name]}, expected {expected[name]}")
    if not isinstance(actual, dict) or set(actual) != set(expected):
        names = sorted(set(expected) ^ set(actual)) if isinstance(actual, dict) else sorted(expected)
        raise FFCError(f"PixelCNN++ weights: missing or unknown below '{where or '/'}': {', '.join(map(str, names))}")
    for name, child in expected.items():
        _check(actual[name], child, f"{where}{name}/")


def is_shape(node: Any) -> bool:
    """Whether a node of a tree of `shapes` is a layer."""
    return isinstance(node, tuple)
