"""Every reader of files of ours: a small sound file, how it is read, and how it is damaged."""

import gzip
import io
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
from mutate import Damage, as_json, as_msgpack, as_tar, as_yaml, in_pth, in_zip, packed, raw
from PIL import Image
from presets import ConfigError, load_preset
from sound import MODELS, member, pth, state_dict, tar, weights, zipped
from tiny import TINY

from ffc import data
from ffc.cli.files import read_rows
from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.paper import authors
from ffc.store import checkpoints
from ffc.store.records import Record
from ffc.store.released import extract
from ffc.training import store


@dataclass(frozen=True)
class Reader:
    """`write` makes a sound `file` and what it needs; `read` gives what is in it, as a tree."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    damages: tuple[Damage, ...] = (raw,)
    sealed: bool = False  # by checksums: what is read is what was written
    error: type[Exception] = FFCError


MADE, PIXELCNNPP = MODELS["made"], MODELS["pixelcnnpp"]
RNN = {"data": {"name": "digits"}, "hidden": 8, "scale": 1.0, "learning_rate": 1.0e-3, "steps": 2, "samples": 1}
RNN |= {"lengths": [8], "solvers": {"feedforward": {}, "jacobi_2": {"solver": "jacobi", "iterations": 2}}}
PRESET = yaml.safe_dump(TINY | {"tasks": TINY["tasks"] | {"memory": RNN}}, sort_keys=False).encode()
ARRAYS = {"x": np.arange(60.0), "names": np.array(["a", "bc"]), "f": np.asfortranarray(np.ones((3, 4)))}
RECORD = Record(ARRAYS, {"task": "made", "settings": {"a": [1, 2]}})
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
DATASET = Dataset("x", "X", IMAGES, (IMAGES[0], IMAGES[1, :2]), np.arange(5, dtype=np.int32), None, 5)
CONTENTS = {"mnist.flax": b"a" * 1000, "mnist_made.pth": b"b", "mnist_jacobi/report.npz": bytes(range(256))}
TAR = tar(*(member(f"runs/{name}", content) for name, content in CONTENTS.items()))
LOSS = plot_data.averaged(plot_data.loss("GS_RNN"))


def _picture(form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(stream, form)
    return stream.getvalue()


JPEGS = tar(*(member(name, _picture("JPEG")) for name in ("train/a/0.jpg", "train/b/0.jpg", "test/a/0.jpg")))


def _of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _ours(path: Path) -> None:
    checkpoints.save(path.with_suffix(".flax"), MADE, weights(MADE), {"data": "x"})


def _weights(path: Path, *given: Any) -> Any:
    checkpoint = checkpoints.load(path, *given)
    return checkpoint.params, repr(checkpoint.model)


def _record(record: Record) -> Any:
    return record.arrays, repr(record.meta)


def _fresh() -> store.Progress:
    return store.Progress({"w": np.ones((3, 4), np.float32)}, {"w": np.zeros((3, 4), np.float32)})


def _extracted(path: Path) -> dict[str, bytes]:
    shutil.rmtree(path.parent / "out", ignore_errors=True)
    return {name: file.read_bytes() for name, file in extract(path, list(CONTENTS), path.parent / "out").items()}


def _authors(record: str, arrays: dict[str, np.ndarray]) -> Reader:
    name = authors.RECORDS[record][0]
    file, packs = Path(name).name, name.endswith("npz")

    def read(path: Path) -> Any:
        return _record(authors.read(*record.split("/"), {name: path}))

    return Reader(
        file, lambda path: plot_data.save(path, arrays), read, (in_zip if packs else in_pth, raw), sealed=packs
    )


READERS: dict[str, Reader] = {
    "preset (.yaml)": Reader("mine.yaml", _of(PRESET), load_preset, (as_yaml, raw), error=ConfigError),
    "PixelCNN++ (.flax)": Reader(
        "model.flax",
        _of(msgpack_serialize({"params": weights(PIXELCNNPP)})),
        lambda path: _weights(path, PIXELCNNPP.shape),
        (as_msgpack, raw),
    ),
    "our .flax": Reader("model.flax", _ours, _weights, (as_msgpack, raw), sealed=True),
    "our .json beside .flax": Reader(
        "model.json", _ours, lambda path: _weights(path.with_suffix(".flax")), (as_json, raw)
    ),
    "MADE (.pth)": Reader(
        "model.pth", _of(pth(state_dict(MADE))), lambda path: _weights(path, MADE.shape, 1e-6), (in_pth, raw)
    ),
    "DenseNet (old .pth)": Reader(
        "model.pth", _of(pth(state_dict(MODELS["densenet"]), _use_new_zipfile_serialization=False)), _weights
    ),
    "record (.npz)": Reader("x.npz", RECORD.save, lambda path: _record(Record.load(path)), (in_zip, raw), True),
    "record of a data set (.npz)": Reader(
        "x.npz", DATASET.to_record().save, lambda path: Dataset.load(path).sha256(), (in_zip, raw), True
    ),
    "noise (.npz)": Reader("x.npz", RECORD.save, lambda path: read_rows(path, "x", 2), (in_zip, raw), True),
    "state of training": Reader(
        store.STATE,
        lambda path: store.save(path, "print", _fresh()),
        lambda path: vars(store.restore(path, "print", _fresh(), lambda line: None)),
        sealed=True,
    ),
    "released archive (zip)": Reader("archive", _of(zipped(CONTENTS)), _extracted, (in_zip, raw), True),
    "released archive (tar.gz)": Reader(
        "archive", _of(gzip.compress(TAR)), _extracted, (packed(as_tar, gzip), packed(raw, gzip), raw)
    ),
    "released archive (tar.xz)": Reader("archive", _of(lzma.compress(TAR)), _extracted, sealed=True),
    "authors' MADE (.npz)": _authors("made_mnist/jacobi", plot_data.made("mnist", "jacobi")),
    "authors' PixelCNN++ (.npz)": _authors("pixelcnnpp_mnist/gs_jacobi", plot_data.pixelcnnpp("mnist", "gs_jacobi")),
    "authors' DenseNet (.npz)": _authors("densenet/jacobi", plot_data.logits()),
    "authors' losses (.pth)": _authors("rnn/feedforward", {"loss": LOSS, "time": np.ones(LOSS.shape)}),
    "authors' gradients (.pth)": _authors("rnn/gradients_jacobi", plot_data.gradients(0.5)),
    "CIFAR-10 (tar.xz of JPEG)": Reader(
        "cifar10/cifar10-jpeg.tar.xz",
        _of(lzma.compress(JPEGS)),
        lambda path: data.load("cifar10-jpeg", path.parents[1]).sha256(),
        (packed(as_tar, lzma), packed(raw, lzma), raw),
        True,
    ),
    "image folder (.png)": Reader(
        "0.png", _of(_picture("PNG")), lambda path: data.load("image_folder", path.parent, size=4, path=".").sha256()
    ),
}
