"""Hostile files: each is refused by a message that names it, before it takes memory, and nothing in it is run."""

import gzip
import io
import json
import lzma
import os
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib

import jax
import numpy as np
import pytest
import torch
import torchvision.datasets  # noqa: F401  (before memory is counted)
from hostile import refused
from msgpack import ExtType, packb

from ffc import data
from ffc.cli import files
from ffc.models.made import MADE
from ffc.store import checkpoints, released
from ffc.store.records import Record
from ffc.store.released import collect, extract

GIANT = (10**6, 10**6)


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


def tar_of(path, *headers, content=b"", pack=gzip.compress):
    """A packed tar archive whose headers have these fields; a size beyond the content is a claim."""
    raw = io.BytesIO()
    for fields in headers:
        info = tarfile.TarInfo()
        for name, value in fields.items():
            setattr(info, name, value)
        raw.write(info.tobuf(tarfile.GNU_FORMAT))
        raw.write(content)
        raw.write(bytes(-len(content) % 512))
    path.write_bytes(pack(raw.getvalue() + bytes(1024)))
    return path


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_an_archive_is_no_file(tmp_path, kind):
    archive = tar_of(tmp_path / "archive", {"name": "mnist.flax", "type": kind, "linkname": "/etc/passwd"})
    refused(archive, lambda: collect(["mnist.flax"], tmp_path / "out", str(archive), insist=True), "mnist.flax not in")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_its_text(tmp_path):
    link = zipfile.ZipInfo("mnist.flax")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as file:
        file.writestr(link, "/etc/passwd")
    found = extract(tmp_path / "archive", ["mnist.flax"], tmp_path / "out")["mnist.flax"]
    assert not found.is_symlink()
    refused(found, lambda: checkpoints.load(found), "not a whole Flax msgpack file")


@pytest.mark.parametrize("name", ["/etc/mnist.flax", "C:/mnist.flax", "a/../../../mnist.flax"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_members_path_is_never_used(tmp_path, kind, name):
    archive = tmp_path / "archive"
    if kind == "tar":
        tar_of(archive, {"name": name, "size": 1}, content=b"a")
    else:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, b"a")
    assert extract(archive, ["mnist.flax"], tmp_path / "out") == {"mnist.flax": tmp_path / "out" / "mnist.flax"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "mnist.flax", "out"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_file_that_unfolds_without_end_fills_no_disk(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(released, "LIMIT", 2**22)
    archive = tmp_path / "archive"
    if kind == "tar":
        tar_of(archive, {"name": "mnist.flax", "size": 2**23}, content=bytes(2**23))
    else:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("mnist.flax", bytes(2**23))
    refused(archive, lambda: extract(archive, ["mnist.flax"], tmp_path / "out"), "unfolds to more than 4,194,304")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_name_of_gigabytes_is_not_read(tmp_path, kind):
    plain, long = {"name": "x"}, {"name": "name", "type": kind, "size": 2**32}
    archive = tar_of(tmp_path / "archive", plain, long)
    refused(archive, lambda: extract(archive, ["mnist.flax"], tmp_path / "out"), "claims 4,294,967,296 bytes")


def test_a_sparse_picture_of_terabytes_is_not_read(tmp_path):
    (tmp_path / "cifar10").mkdir()
    picture = {"name": "train/cat/0.jpg", "size": 2**42}
    archive = tar_of(tmp_path / "cifar10" / "cifar10-jpeg.tar.xz", picture, pack=lzma.compress)
    refused(archive, lambda: data.load("cifar10-jpeg", tmp_path), "claims 4,398,046,511,104 bytes")


def test_a_damaged_header_is_not_the_end_of_an_archive(tmp_path):
    archive = tar_of(tmp_path / "archive", {"name": "x"}, {"name": "mnist.flax"}, pack=bytes)
    content = bytearray(archive.read_bytes())
    content[512] ^= 1
    archive.write_bytes(content)
    refused(archive, lambda: extract(archive, ["mnist.flax"], tmp_path / "out"), "damaged header")


# Arrays


def npz_of(path, name, shape, descr="<f4", content=b""):
    """A packed .npz of one array whose header claims `shape`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open(f"{name}.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": shape})
        member.write(content)
    return path


READ_NPZ = {
    "record": Record.load,
    "data set": data.Dataset.load,
    "noise": lambda path: files.read_rows(path, "u", None),
}
each_npz = pytest.mark.parametrize("read", READ_NPZ.values(), ids=READ_NPZ)


@each_npz
@pytest.mark.parametrize("shape", [GIANT, (2**62,), (-1, -4), (10**4, 10**4)])
def test_an_array_larger_than_its_file_is_not_made_room_for(tmp_path, read, shape):
    path = npz_of(tmp_path / "x.npz", "u", shape, content=bytes(16))
    refused(path, lambda: read(path), "u is no plain array")


@each_npz
def test_an_array_of_objects_is_not_unpickled(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    path = npz_of(tmp_path / "x.npz", "u", (1,), "|O", pickle.dumps(RunsCode()))
    refused(path, lambda: read(path), "u is no plain array")
    assert not (tmp_path / "was-run").exists()


@each_npz
def test_sizes_beyond_what_deflate_can_pack_are_lies(tmp_path, read):
    path = npz_of(tmp_path / "x.npz", "u", (2**29,), content=bytes(64))
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31 + 128)
    path.write_bytes(content)
    refused(path, lambda: read(path), "claim to be larger than the file can hold")


@each_npz
def test_packings_that_numpy_does_not_write_are_refused(tmp_path, read):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("u.npy", bytes(100))
    refused(path, lambda: read(path), "numpy does not write")


# Checkpoints


def test_lists_inside_a_flax_file_are_not_made_room_for(tmp_path):
    """A list takes eight bytes an entry that it claims, a thousand lists in each other a thousand times that."""
    path, nested = tmp_path / "model.flax", (b"\xdd" + struct.pack(">I", 2**20)) * 500
    path.write_bytes(b"\x81\xa1a" + nested + bytes(2**20))
    refused(path, lambda: checkpoints.load(path), "not a whole Flax msgpack file")
    path.write_bytes(packb({"a": ExtType(1, nested + bytes(2**20))}))
    refused(path, lambda: checkpoints.load(path), "not a whole Flax msgpack file")


@pytest.mark.parametrize(("shape", "dtype"), [(GIANT, "float32"), ((2**62,), "int8"), ((1,), "object"), ((1,), "V0")])
def test_an_array_of_a_flax_file_is_what_its_bytes_are(tmp_path, shape, dtype):
    path = tmp_path / "model.flax"
    path.write_bytes(packb({"a": ExtType(1, packb((shape, dtype, bytes(16))))}))
    refused(path, lambda: checkpoints.load(path), "not a whole Flax msgpack file")


def test_a_sidecar_makes_nobody_import_a_module(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("import os; os.mkdir('was-run')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    path, model = tmp_path / "model.flax", MADE((2, 3, 1), hidden=(8, 8))
    checkpoints.save(path, model, model.init(jax.random.key(0)), {})
    beside = path.with_suffix(".json")
    sidecar = json.loads(beside.read_text())
    for kind in ("evil:Model", "evil"):
        beside.write_text(json.dumps(sidecar | {"model": sidecar["model"] | {"kind": kind}}))
        refused(path, lambda: checkpoints.load(path), "names the model evil.*, whose code was not run")
    assert "evil" not in sys.modules
    assert not (tmp_path / "was-run").exists()


def test_a_packed_pth_is_not_unfolded(tmp_path):
    path, stream = tmp_path / "model.pth", io.BytesIO()
    torch.save({"a": torch.zeros(2**22)}, stream)
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for info in whole.infolist():
            file.writestr(info.filename, whole.read(info))
    refused(path, lambda: checkpoints.load(path), "claims to be larger than the file")


@pytest.mark.parametrize("new", [True, False])
def test_a_tensor_larger_than_its_file_is_not_made_room_for(tmp_path, new):
    path, stream = tmp_path / "model.pth", io.BytesIO()
    torch.save({"a": torch.zeros(77)}, stream, _use_new_zipfile_serialization=new)
    claim = b"J" + struct.pack("<i", 2**30)  # in the pickle, where it said 77
    content = stream.getvalue()
    if new:
        with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(path, "w") as file:
            for info in whole.infolist():
                file.writestr(info.filename, whole.read(info).replace(b"KM", claim))
    else:
        path.write_bytes(content.replace(b"KM", claim))
    refused(path, lambda: checkpoints.load(path), "its tensors claim to be larger|not a plain")


def test_tensors_without_numbers_are_refused(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"a": torch.ones(3, device="meta")}, path)
    refused(path, lambda: checkpoints.load(path), "tensors without numbers")


# Data sets


@pytest.mark.parametrize(
    "sizes", [(2**31 - 1, 28, 28), (3, 2**31 - 1, 2**31 - 1), (0, 28, 28), (2, 28, 28), (3, 14, 56)]
)
def test_an_idx_file_of_other_sizes_is_refused(tmp_path, sizes):
    raw = tmp_path / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *sizes) + bytes(3 * 784))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 3) + bytes(3))
    refused(tmp_path / "mnist", lambda: data.load("mnist", tmp_path), "data set 'mnist'")


def test_a_pickled_batch_that_is_not_cifars_is_not_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batches = tmp_path / "cifar10" / "cifar-10-batches-py"
    batches.mkdir(parents=True)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"):
        (batches / name).write_bytes(pickle.dumps(RunsCode()))
    refused(tmp_path / "cifar10", lambda: data.load("cifar10", tmp_path), "corrupted")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("side", [20_000, 8_000, 2**31 - 1])
def test_a_png_of_gigabytes_is_not_unfolded(tmp_path, side):
    header, body = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0), zlib.compress(bytes(100))
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    refused("x.png", lambda: data.load("image_folder", tmp_path, size=8, path="."), "not a picture")


def test_a_picture_is_not_handed_to_another_program(tmp_path):
    (tmp_path / "x.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(was-run) (w) file\n"
    )
    refused("x.jpg", lambda: data.load("image_folder", tmp_path, size=8, path="."), "cannot identify image file")
