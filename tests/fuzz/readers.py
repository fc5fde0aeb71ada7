"""Every reader of files: a small sound file, how it is damaged, and how it is read."""

import functools
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import plot_data
import torch
import yaml
from PIL import Image
from presets import ConfigError, load_preset
from tiny import TINY

from ffc import data
from ffc.cli import files
from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.paper import authors
from ffc.store import checkpoints
from ffc.store.records import Record
from ffc.store.released import extract
from ffc.training import store

from . import formats, mutate


@dataclass(frozen=True)
class Reader:
    """`write` puts all files that `read` needs into a folder, of which `file` is the one to damage."""

    file: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]  # of the folder
    mutations: tuple[mutate.Mutation, ...]
    error: type[Exception] = FFCError


def _preset(folder: Path) -> None:
    pixelcnnpp = TINY["tasks"]["made_mnist"] | {"model": {"kind": "pixelcnnpp", "filters": 8, "resnets": 1}}
    pixelcnnpp |= {"paper": "pixelcnnpp_mnist"}
    rnn = {"data": {"name": "digits"}, "hidden": 8, "scale": 1.0, "learning_rate": 1.0e-3, "steps": 2, "samples": 1}
    rnn |= {"lengths": [8], "solvers": {"feedforward": {}, "jacobi_2": {"solver": "jacobi", "iterations": 2}}}
    tasks = TINY["tasks"] | {"pixelcnnpp_mnist": pixelcnnpp, "memory": rnn}
    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY | {"tasks": tasks}, sort_keys=False))


MODELS = {
    "made": MADE((2, 3, 1), hidden=(8, 8)),
    "pixelcnnpp": PixelCNNPP((4, 8, 3), filters=2, resnets=1, mixtures=1),
    "densenet": DenseNet(classes=3, growth=2, blocks=(1, 2), features=4),
}


@functools.cache
def _weights(kind: str) -> Any:
    return jax.tree.map(np.asarray, jax.jit(MODELS[kind].init)(jax.random.key(0)))


def _flax(kind: str, beside: bool) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        checkpoints.save(folder / "model.flax", MODELS[kind], _weights(kind), {})
        if not beside:
            (folder / "model.json").unlink()

    return write


def _pth(kind: str, new: bool) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        leaves = jax.tree_util.tree_leaves_with_path(_weights(kind))
        state = {".".join(key.key for key in path): torch.tensor(np.array(leaf)) for path, leaf in leaves}
        torch.save(state, folder / "model.pth", _use_new_zipfile_serialization=new)

    return write


def _load(kind: str, file: str) -> Callable[[Path], Any]:
    shape = getattr(MODELS[kind], "shape", None)
    return lambda folder: checkpoints.load(folder / file, shape, 1e-6 if kind == "made" else None)


def _record(folder: Path) -> None:
    arrays = {"x": np.arange(600.0), "names": np.array(["a", "bc"]), "f": np.asfortranarray(np.ones((3, 4)))}
    Record(arrays, {"task": "made", "seed": 1, "settings": {"a": [1, 2]}}).save(folder / "x.npz")


def _dataset(folder: Path) -> None:
    images = np.arange(5 * 48, dtype=np.uint8).reshape(5, 4, 4, 3)
    apart = (images[0], images[1, :2])
    Dataset("x", "X", images, apart, np.arange(5, dtype=np.int32), None, 5).to_record().save(folder / "x.npz")


def _state(folder: Path) -> None:
    store.save(folder / store.STATE, "print", _fresh())


def _fresh() -> store.Progress:
    return store.Progress({"w": np.ones((3, 4), np.float32)}, {"w": np.zeros((3, 4), np.float32)})


def _restore(folder: Path) -> store.Progress:
    return store.restore(folder / store.STATE, "print", _fresh(), lambda line: None)


def _authors(task: str, solver: str) -> Reader:
    name = authors.RECORDS[f"{task}/{solver}"][0]

    def write(folder: Path) -> None:
        plot_data.write(folder)

    mutations = (mutate.in_zip(mutate.as_npy, zipfile.ZIP_STORED) if name.endswith("npz") else _PTH,)
    return Reader(name, write, lambda folder: authors.read(task, solver, {name: folder / name}), mutations)


_MEMBERS = {
    "runs/pretarined/mnist.flax": b"a" * 1000,
    "mnist_made.pth": b"b",
    "plot_data/mnist_jacobi/report.npz": b"c",
}
_WANTED = ["mnist.flax", "mnist_made.pth", "mnist_jacobi/report.npz"]


def _zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "archive", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in _MEMBERS.items():
            file.writestr(name, content)


def _tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _picture(form: str) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def _pictures(form: str, *mutations: mutate.Mutation) -> Reader:
    def write(folder: Path) -> None:
        for name in ("0", "1"):
            (folder / f"{name}.{form.lower()}").write_bytes(_picture(form))

    return Reader(
        f"0.{form.lower()}", write, lambda folder: data.load("image_folder", folder, size=4, path="."), mutations
    )


def _jpeg_archive(folder: Path) -> None:
    (folder / "cifar10").mkdir(exist_ok=True)
    names = ("train/cat/0.jpg", "train/dog/0.jpg", "test/cat/0.jpg")
    content = lzma.compress(_tar({name: _picture("JPEG") for name in names}))
    (folder / "cifar10" / "cifar10-jpeg.tar.xz").write_bytes(content)


def _mnist(folder: Path) -> None:
    raw = folder / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, 3, 28, 28) + bytes(3 * 784))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, 3) + bytes(range(3)))


def _cifar10(folder: Path) -> None:
    """Files of the right names; the sound ones have checksums that nobody can meet with others."""
    batches = folder / "cifar10" / "cifar-10-batches-py"
    batches.mkdir(parents=True, exist_ok=True)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"):
        (batches / name).write_bytes(pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}))


_PTH = mutate.in_zip(formats.as_pickle, zipfile.ZIP_STORED)
_NPZ = mutate.in_zip(mutate.as_npy)

READERS: dict[str, Reader] = {
    "preset (.yaml)": Reader(
        "mine.yaml", _preset, lambda folder: load_preset(folder / "mine.yaml"), (mutate.as_yaml,) * 2, ConfigError
    ),
    "PixelCNN++ (.flax)": Reader(
        "model.flax", _flax("pixelcnnpp", False), _load("pixelcnnpp", "model.flax"), (mutate.as_msgpack,)
    ),
    "our .json beside .flax": Reader("model.json", _flax("made", True), _load("made", "model.flax"), (mutate.as_json,)),
    "MADE (.pth)": Reader("model.pth", _pth("made", True), _load("made", "model.pth"), (_PTH,)),
    "DenseNet (old .pth)": Reader(
        "model.pth", _pth("densenet", False), _load("densenet", "model.pth"), (formats.as_pickle,)
    ),
    "record (.npz)": Reader("x.npz", _record, lambda folder: Record.load(folder / "x.npz"), (_NPZ,)),
    "record of a data set (.npz)": Reader("x.npz", _dataset, lambda folder: Dataset.load(folder / "x.npz"), (_NPZ,)),
    "noise (.npz)": Reader("x.npz", _record, lambda folder: files.read_rows(folder / "x.npz", "x", 2), (_NPZ,)),
    "state of training": Reader(store.STATE, _state, _restore, ()),
    "released archive (zip)": Reader(
        "archive",
        _zip,
        lambda folder: extract(folder / "archive", _WANTED, folder / "out"),
        (mutate.in_zip(mutate.raw),),
    ),
    "released archive (tar.gz)": Reader(
        "archive",
        lambda folder: (folder / "archive").write_bytes(gzip.compress(_tar(_MEMBERS), mtime=0)),
        lambda folder: extract(folder / "archive", _WANTED, folder / "out"),
        (mutate.packed(mutate.as_tar), mutate.packed(mutate.raw)),
    ),
    "authors' MADE (.npz)": _authors("made_mnist", "jacobi"),
    "authors' PixelCNN++ (.npz)": _authors("pixelcnnpp_mnist", "gs_jacobi"),
    "authors' DenseNet (.npz)": _authors("densenet", "jacobi"),
    "authors' losses (.pth)": _authors("rnn", "feedforward"),
    "authors' gradients (.pth)": _authors("rnn", "gradients_jacobi"),
    "MNIST images (IDX)": Reader(
        "mnist/MNIST/raw/train-images-idx3-ubyte", _mnist, lambda folder: data.load("mnist", folder), (formats.as_idx,)
    ),
    "MNIST labels (IDX)": Reader(
        "mnist/MNIST/raw/t10k-labels-idx1-ubyte", _mnist, lambda folder: data.load("mnist", folder), (formats.as_idx,)
    ),
    "CIFAR-10 (pickles)": Reader(
        "cifar10/cifar-10-batches-py/data_batch_3",
        _cifar10,
        lambda folder: data.load("cifar10", folder),
        (formats.as_pickle,),
    ),
    "CIFAR-10 (tar.xz of JPEG)": Reader(
        "cifar10/cifar10-jpeg.tar.xz",
        _jpeg_archive,
        lambda folder: data.load("cifar10-jpeg", folder),
        (mutate.packed(mutate.as_tar, lzma), mutate.packed(mutate.raw, lzma)),
    ),
    "image folder (PNG)": _pictures("PNG", formats.as_png),
    **{f"image folder ({form})": _pictures(form) for form in ("JPEG", "BMP", "WEBP", "PPM")},
}
