"""Hostile and foreign files: each is refused by a message that names it, in little memory, and nothing in it is run."""

import gzip
import io
import json
import lzma
import pickle
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from flax.serialization import msgpack_serialize
from hostile import RunsCode, refused
from msgpack import ExtType, packb
from sound import MODELS, member, pth, tar, unzipped, weights, zipped

from ffc import data
from ffc.cli import files
from ffc.store import checkpoints, npz, released
from ffc.store.pytorch import SHARED
from ffc.store.records import Record
from ffc.store.released import extract

MADE, PIXELCNNPP, GIANT = MODELS["made"], weights(MODELS["pixelcnnpp"]), (10**6, 10**6)
PICKLE, ONE = pickle.dumps(RunsCode()), torch.ones(1)


def changed(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def flipped(content: bytes, at: int) -> bytes:
    return changed(content, at, bytes([content[at] ^ 255]))


def second(**fields) -> bytes:
    return tar(member("a"), member("mnist.flax", **fields))


def unsealed(content: bytes) -> bytes:
    """Packed by gzip, whose checksum, behind all that tarfile reads, is that of something else."""
    return flipped(gzip.compress(content), -8)


BZIPPED = zipped({"mnist.flax": bytes(range(256)) * 40}, zipfile.ZIP_BZIP2)
ARCHIVES = {
    "a page": (b"<html>quota exceeded</html>", "neither a zip nor a tar archive"),
    "damage that bz2 calls a fault of the disk": (flipped(BZIPPED, 60), "not a whole archive"),
    "a file that is not the one of its checksum": (unsealed(tar(member("mnist.flax", b"x"))), "not a whole archive"),
    "packing by LZMA": (zipped({"mnist.flax": b"x"}, zipfile.ZIP_LZMA), "packed by LZMA"),
    "a damaged header": (changed(second(), 512, b"n"), "damaged header"),
    "a name of gigabytes": (second(type=tarfile.GNUTYPE_LONGNAME, size=2**32), "claims 4,294,967,296 bytes"),
    "a global header of gigabytes": (second(type=tarfile.XGLTYPE, size=2**32), "claims 4,294,967,296 bytes"),
    "a negative size": (second(size=-512), "claims -512 bytes"),
    "a zip that unfolds without end": (zipped({"mnist.flax": bytes(2**26)}), "unfolds to more than 4,194,304"),
}


def npz_of(shape, descr="<f4", content=bytes(16), version=1, packing=zipfile.ZIP_DEFLATED) -> bytes:
    """An array as numpy packs it, whose header claims `shape`."""
    stream = io.BytesIO()
    write = getattr(np.lib.format, f"write_array_header_{version}_0")
    write(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return zipped({"u.npy": stream.getvalue() + content}, packing)


def misclaimed() -> bytes:
    """Its directory claims two gigabytes, as its array does."""
    content = npz_of((2**29,))
    return changed(content, content.rfind(b"PK\1\2") + 24, struct.pack("<I", 2**31 + 128))


ARRAYS = {
    "a shape of terabytes": (npz_of(GIANT), "u is no plain array"),
    "a negative shape": (npz_of((-1, -4)), "u is no plain array"),
    "objects": (npz_of((1,), "|O", PICKLE), "u is no plain array"),
    "numbers of no bytes": (npz_of((2**40,), "|S0", b""), "u is no plain array"),
    "the header of another version": (npz_of((4,), version=2), "u is of a kind"),
    "a long header": (npz_of((1,) * 400 + (4,)), "not a record"),
    "a directory that lies": (misclaimed(), "claim to be larger than the file can hold"),
    "packing by LZMA": (npz_of((4,), packing=zipfile.ZIP_LZMA), "numpy does not write"),
    "two arrays of one name": (zipped({"u.npy": b"", "v.npy": b""}).replace(b"v.npy", b"u.npy"), "two arrays of one"),
    "more than memory may hold": (npz_of((2**11,), content=bytes(2**13)), "claim more than 4,096 bytes"),
}


def deep(levels: int) -> bytes:
    tree = {"kernel": np.ones(2, np.float32)}
    for _ in range(levels):
        tree = {"x": tree}
    return msgpack_serialize(tree)


LISTS = (b"\xdd" + struct.pack(">I", 2**20)) * 500 + bytes(2**20)  # each takes eight bytes an entry that it claims
FLAX = {
    "lists in lists": (b"\x81\xa1a" + LISTS, "not a whole Flax msgpack file"),
    "lists in lists in an array": (packb({"a": ExtType(1, LISTS)}), "not a whole Flax msgpack file"),
    "numbers that are not real": (msgpack_serialize({"a": {"b": np.ones(2, complex)}}), "complex128 numbers at a/b"),
    "a tree without arrays": (packb({"a": {"b": 1}}), "found int at a/b"),
    "a tree too deep": (deep(16), "expected a tree of named arrays"),
    "weights of no model": (deep(1), "the weights of no model known here .* found x"),
    "infinity": (msgpack_serialize({"a": {"b": np.array([np.inf], np.float32)}}), r"weights a\.b are not all finite"),
    "two trees of weights": (msgpack_serialize(dict.fromkeys(("params", "ema_params"), PIXELCNNPP)), "params, ema_par"),
}

CLAIM = b"J" + struct.pack("<i", 2**30)  # in the pickle, where it says first how many numbers lie there
CLAIMING = {name: part.replace(b"KM", CLAIM, 1) for name, part in unzipped(pth({"a": torch.zeros(77)})).items()}
PTH = {
    "code": (pth(RunsCode()), "it holds objects whose loading runs code, which was not done"),
    "packed": (zipped(unzipped(pth({"a": torch.zeros(2**22)}))), "claims to be larger than the file"),
    "gigabytes behind a small tensor": (zipped(CLAIMING, zipfile.ZIP_STORED), "its tensors claim to be larger"),
    "many views that claim little": (pth({f"a{i}": ONE.expand(10**4) for i in range(SHARED)}), "claim to be larger"),
    "a view beside the weights": (pth({"state_dict": {}, "opt": [(ONE.expand(10**9),)]}), "tensors claim to be larger"),
    "no numbers": (pth({"a": torch.ones(3, device="meta")}), "tensors without numbers"),
    "complex numbers": (pth({"a": ONE * 1j}), "expected dense tensors of real numbers"),
    "a list": (pth([1, 2]), "expected a PyTorch state dict, names and tensors; found a list"),
    "more than weights": (pth({"epoch": 3, "net.0.weight": ONE}), "found a int as 'epoch': save the weights alone"),
    "a layer and a tensor": (pth({"a.b": ONE, "a": ONE}), "the name a stands for a layer and a tensor at once"),
    "a name twice": (pth({"a.b": ONE, "a._orig_mod.b": ONE}), r"the name a\.b stands for two tensors"),
}


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
SPARSE = lzma.compress(tar(member("train/a/0.jpg", size=2**42)))
FILES = {
    "archive": (lambda path: extract(path, ["mnist.flax"], path.parent / "out"), ARCHIVES),
    "x.npz": (Record.load, ARRAYS),
    "noise.npz": (lambda path: files.read_noise(path, None), {"objects": ARRAYS["objects"]}),
    "model.flax": (checkpoints.load, FLAX),
    "model.pth": (checkpoints.load, PTH),
    "model.npz": (checkpoints.load, {"another ending": (b"x", r"end in \.flax or \.pth")}),
    "cifar10-jpeg.tar.xz": (
        lambda path: data.load("cifar10-jpeg", path.parents[1]),
        {
            "a sparse picture of terabytes": (SPARSE, "claims 4,398,046"),
            "nothing that its checksum seals": (unsealed(tar()), "not a whole archive"),
        },
    ),
    "x.ppm": (
        lambda path: data.load("image_folder", path.parent, size=8, path="."),
        {
            "more pixels than bytes": (b"P5 8000 8000 255\n" + bytes(100), "more than it can hold"),
            "a program for another program": (POSTSCRIPT, "cannot identify image file"),
        },
    ),
}


@pytest.mark.filterwarnings("ignore:Stored array in format 2.0")
@pytest.mark.parametrize(("name", "case"), [(name, case) for name, (_, cases) in FILES.items() for case in cases])
def test_a_hostile_file_is_refused_and_leaves_nothing(tmp_path, monkeypatch, name, case):
    monkeypatch.setattr(released, "LIMIT", 2**22)
    monkeypatch.setattr(npz, "LIMIT", 2**12)
    folder = tmp_path / "cifar10"
    folder.mkdir()
    monkeypatch.chdir(folder)
    read, cases = FILES[name]
    (folder / name).write_bytes(cases[case][0])
    refused(name if name == "x.ppm" else folder / name, lambda: read(folder / name), cases[case][1])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]


SIDECARS = {
    "no JSON": ("{", r"model\.json beside it describes no checkpoint"),
    "no model": ({"model": 1}, r"model\.json beside it describes no checkpoint"),
    "other weights": ({"sha256": "0" * 64}, r"its SHA-256 is not the one in model\.json"),
    "code": ({"kind": "evil:Model"}, "names the model evil:Model, whose code was not run"),
    "no class of a model": ({"kind": "ffc.store.records:Record"}, "which is no model"),
    "an unknown size": ({"depth": 3}, "describes no MADE"),
    "sizes beyond the weights": ({"hidden": [10**9, 8]}, "names sizes beyond its 236 weights"),
    "sizes that are not the weights'": ({"hidden": [100, 100]}, r"net\.0 lacks mask"),  # none is made for a claim
}


@pytest.mark.parametrize("case", SIDECARS)
def test_a_sidecar_describes_its_weights_and_makes_nobody_import_a_module(tmp_path, monkeypatch, case):
    (tmp_path / "evil.py").write_text("import os; os.mkdir('was-run')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    path, (change, expected) = tmp_path / "model.flax", SIDECARS[case]
    checkpoints.save(path, MADE, weights(MADE), {}, compact=True)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    if isinstance(change, dict):
        whole = change if sidecar.keys() & change else {"model": sidecar["model"] | change}
        change = json.dumps(sidecar | whole)
    path.with_suffix(".json").write_text(change)
    refused(path, lambda: checkpoints.load(path), expected)
    assert "evil" not in sys.modules
