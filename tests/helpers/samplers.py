"""Small samplers of every kind, with weights that are far from fresh ones: what the laws of all samplers run on."""

import functools
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from ffc.core.keys import key_of
from ffc.models import Sampler
from ffc.models.flow import Flow
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.transformer import Transformer

FLOW = Flow((4, 6, 3), patch=2, blocks=2, width=8, layers=2, heads=2)
GRAY = PixelCNNPP((4, 8, 1), filters=4, resnets=1, mixtures=3)
PIXELS = PixelCNNPP((4, 4, 3), filters=4, resnets=0, mixtures=3)
TEXT = Transformer((1, 12, 1), levels=5, width=16, depth=1, heads=2, cheap=8)
IMAGE = Transformer((3, 4, 1), levels=4, width=8, depth=2, heads=1, positions="learned", cheap=8)


@functools.cache
def weights(model: Sampler):
    """Weights with which blocks hang on those before them, and a flow changes more than the order of patches."""
    params, draw = jax.jit(model.init)(key_of(0)), np.random.default_rng(0)
    if isinstance(model, Flow):
        return jax.tree.map(lambda leaf: leaf + np.float32(0.2 * draw.normal(size=leaf.shape)), params)
    scale = {"made": 1, "pixelcnnpp": 1 + (model.shape[2] == 3), "transformer": 3}[model.kind]  # gray would be black
    return jax.tree.map(lambda leaf: scale * np.asarray(leaf), params)


@dataclass(frozen=True)
class Small:
    """A sampler, windows (count, stride) that its system evaluates in ways of their own, and the system's options."""

    model: Sampler
    windows: tuple[tuple[int, int], ...]
    options: dict = field(default_factory=dict)

    def system(self, seed: int = 1, batch: int = 3, **options):
        return self.model.system(weights(self.model), self.model.noise(key_of(seed), batch), **self.options | options)


#: Windows of pixels are a part of a row, whole rows, or a column of all rows; golden samples have one pixel, and gray.
SAMPLERS = {
    "made gray": Small(MADE((3, 4, 1), hidden=(16, 16)), ((1, 1), (2, 1))),
    "made colour": Small(MADE((2, 2, 3), hidden=(16, 16), trunc_lambda=0.05), ((3, 1),)),
    "pixels": Small(
        replace(GRAY, shape=(4, 8, 3)), ((5, 1), (16, 1), (4, 8)), {"quantize": "8bit", "coupling": "inverse_cdf"}
    ),
    "tokens of a text": Small(TEXT, ((5, 1),), {"temperature": 0.7, "top_k": 4, "prompt": [1, 4, 0]}),
    "tokens of an image": Small(IMAGE, ((1, 1),), {"top_p": 0.8, "prompt": [[1], [3], [0]]}),
    "flow": Small(FLOW, ((4, 1), (6, 1)), {"quantize": "12bit"}),
}

#: Fields of a system that have an entry for each sample.
_NOISE = ("u", "coupling", "noise", "prompt")


def select(system, index):
    """The system of the samples `index` alone."""
    own = {name: getattr(system, name) for name in _NOISE if hasattr(system, name)}
    return replace(system, **jax.tree.map(lambda leaf: leaf[index], own))


@jax.jit
def _swept(system, x):
    """A sweep, and the ties before it: they share a network, which takes long to compile."""
    return system.sweep(x), system.ties(x)


def sweep(system, x) -> jax.Array:
    return _swept(system, x)[0]


def ties(system, x) -> jax.Array:
    return _swept(system, x)[1]


def in_order(system) -> jax.Array:
    """The solution, by definition: of N sweeps each settles one block more, until one changes no bit."""
    x = system.initial()
    for _ in range(system.size):
        x, before = sweep(system, x), x
        if np.asarray(x).tobytes() == np.asarray(before).tobytes():
            break
    return x
