"""Small sound files of the kinds that readers of ours read, to be compared or damaged."""

import functools
import io
import tarfile
import zipfile

import jax
import numpy as np
import torch

from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP

MODELS = {
    "made": MADE((2, 3, 1), hidden=(8, 8)),
    "pixelcnnpp": PixelCNNPP((4, 8, 3), filters=2, resnets=1, mixtures=1),
    "densenet": DenseNet(classes=3, growth=2, blocks=(1, 2), features=4),
}


@functools.cache
def weights(model, seed=0, scale=1.0):
    """Random numbers in the model's shapes, variances above zero, with the masks of a MADE; nothing is compiled."""
    draw = np.random.default_rng(seed)

    def leaf(path, shape):
        numbers = np.float32(scale * draw.normal(size=shape.shape))
        return np.abs(numbers) if "var" in str(path[-1]) else numbers

    return model.complete(model.bare(jax.tree_util.tree_map_with_path(leaf, model.shapes())))


def state_dict(model):
    """The weights as PyTorch names them."""
    leaves = jax.tree_util.tree_leaves_with_path(weights(model))
    return {".".join(key.key for key in path): torch.tensor(leaf) for path, leaf in leaves}


def pth(content, **options) -> bytes:
    """What `torch.save` writes."""
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def zipped(members, packing=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of {name: content}; a name may be a `ZipInfo`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def member(name: str, content: bytes = b"", **fields) -> bytes:
    """One file of a tar archive; `fields` of its header are claims."""
    header = tarfile.TarInfo(name)
    for field, value in ({"size": len(content)} | fields).items():
        setattr(header, field, value)
    return header.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def tar(*members: bytes) -> bytes:
    """A tar archive of what `member` returns."""
    return b"".join(members) + bytes(1024)
