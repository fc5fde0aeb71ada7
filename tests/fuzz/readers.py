"""Every reader of files of ours: a small sound file, how it is read, and how it is damaged."""

import lzma
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plot_data
import yaml
from flax.serialization import msgpack_serialize
from mutate import Damage, as_json, as_yaml, in_xz, in_zip
from presets import load_preset
from sound import MODELS, member, pth, state_dict, tar, weights, zipped
from tiny import TINY

from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.paper import authors
from ffc.store import checkpoints
from ffc.store.released import extract
from ffc.training import store


@dataclass(frozen=True)
class Reader:
    """`write` makes a sound `file` and what it needs; `read` gives what is in it, as a tree."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    damages: tuple[Damage, ...] = ()  # beside `raw`
    sealed: bool = False  # by checksums: what is read is what was written
    error: type[Exception] = FFCError


MADE, PIXELCNNPP = MODELS["made"], MODELS["pixelcnnpp"]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
DATASET = Dataset("x", "X", IMAGES, (IMAGES[0], IMAGES[1, :2]), np.arange(5, dtype=np.int32), None, 5)
CONTENTS = {"mnist.flax": b"a" * 1000, "mnist_made.pth": b"b", "mnist_jacobi/report.npz": bytes(range(256))}
TAR = tar(*(member(f"runs/{name}", content) for name, content in CONTENTS.items()))
REPORT = plot_data.pixelcnnpp("mnist", "gs_jacobi")


def _of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _ours(path: Path) -> None:
    checkpoints.save(path.with_suffix(".flax"), MADE, weights(MADE), {"data": "x"})


def _weights(path: Path, *sizes: Any) -> Any:
    checkpoint = checkpoints.load(path, *sizes)
    return checkpoint.params, repr(checkpoint.model)


def _state() -> store.Progress:
    return store.Progress({"w": np.ones((3, 4), np.float32)}, {"w": np.zeros((3, 4), np.float32)})


def _extracted(path: Path) -> dict[str, bytes]:
    shutil.rmtree(path.parent / "out", ignore_errors=True)
    return {name: file.read_bytes() for name, file in extract(path, list(CONTENTS), path.parent / "out").items()}


def _report(path: Path) -> Any:
    record = authors.read("pixelcnnpp_mnist", "gs_jacobi", {"mnist_gs_jacobi/report.npz": path})
    return record.arrays, repr(record.meta)


READERS: dict[str, Reader] = {
    "preset (.yaml)": Reader("a.yaml", _of(yaml.safe_dump(TINY).encode()), load_preset, (as_yaml,)),
    "PixelCNN++ (.flax)": Reader(
        "model.flax",
        _of(msgpack_serialize({"params": weights(PIXELCNNPP)})),
        lambda path: _weights(path, PIXELCNNPP.shape),
    ),
    "our .flax": Reader("model.flax", _ours, _weights, sealed=True),
    "our .json beside .flax": Reader("model.json", _ours, lambda path: _weights(path.with_suffix(".flax")), (as_json,)),
    "MADE (.pth)": Reader(
        "model.pth", _of(pth(state_dict(MADE))), lambda path: _weights(path, MADE.shape, 1e-6), (in_zip,)
    ),
    "data set, a record (.npz)": Reader(
        "x.npz", DATASET.to_record().save, lambda path: Dataset.load(path).sha256(), (in_zip,), True
    ),
    "state of training": Reader(
        store.STATE,
        lambda path: store.save(path, "print", _state()),
        lambda path: vars(store.restore(path, "print", _state(), lambda line: None)),
        sealed=True,
    ),
    "released archive (zip)": Reader("archive", _of(zipped(CONTENTS)), _extracted, (in_zip,), True),
    "released archive (tar.xz)": Reader("archive", _of(lzma.compress(TAR)), _extracted, (in_xz,), True),
    "authors' report (.npz)": Reader(
        "report.npz", lambda path: plot_data.save(path, REPORT), _report, (in_zip,), sealed=True
    ),
}
