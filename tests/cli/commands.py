"""Commands that are called in this process, and the tiny models that they are called on."""

from functools import partial
from typing import Any

import sound

from ffc.cli import main as cli
from ffc.models.flow import Flow
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.transformer import Transformer

#: A model of each kind; `pair` has images of two channels, which are no pictures.
MODELS: dict[str, Any] = {
    "made": MADE((3, 4, 1), hidden=(16, 16)),
    "rgb": MADE((3, 4, 3), hidden=(16, 16)),
    "pair": MADE((3, 4, 2), hidden=(16, 16)),
    "pixelcnnpp": PixelCNNPP((4, 4, 3), filters=4, resnets=0, mixtures=3),
    "flow": Flow((4, 4, 1), patch=2, blocks=2, width=8, layers=1, heads=1),
    "text": Transformer((1, 16, 1), levels=128, width=8, depth=1, heads=1, cheap=4),
}
#: Blocks of `made`, and samples of a batch: all tests have the same, so that they share what is compiled.
BLOCKS, BATCH = 12, 3

weights = partial(sound.weights, scale=0.3)


def run(*words: Any) -> int:
    """The exit code of `ffc` with these words."""
    return cli.main([str(word) for word in words])
