"""Released files: found by the ends of their paths in folders and archives, and written nowhere but in their folder."""

import bz2
import gzip
import hashlib
import lzma
import re
import tarfile
from pathlib import Path

import pytest
from sound import member, tar, zipped

from ffc.core.errors import FFCError
from ffc.store import released
from ffc.store.released import ARCHIVE_ID, DENSENET, collect, extract

MEMBERS = {
    "runs/pretarined/mnist.flax": b"a" * 1000,
    "x/mnist_jacobi/report.npz": b"b",
    "x/report.npz": b"c",
    "../../mnist_sequential/report.npz": b"d",
    "/etc/escape.flax": b"e",
    "C:/drive.flax": b"f",
    "x/notmnist.flax": b"g",
    "y/mnist.flax": b"the second of its name",
}
LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
TAR = tar(
    *(member("link.flax", type=kind, linkname="/etc/passwd") for kind in LINKS),
    *(member(name, content) for name, content in MEMBERS.items()),
)
PACKED = gzip.compress(TAR)
DIGEST = hashlib.sha256(PACKED).hexdigest()
EXTRA = ["mnist_jacobi/report.npz", "mnist_sequential/report.npz", "densenet.npz"]


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("content", [zipped(MEMBERS), TAR, PACKED, bz2.compress(TAR), lzma.compress(TAR)])
def test_members_are_found_by_the_ends_of_their_paths_and_cannot_leave_the_folder(tmp_path, content):
    archive, out = tmp_path / "archive", tmp_path / "deep" / "er" / "out"
    archive.write_bytes(content)
    wanted = ["mnist.flax", "link.flax", "escape.flax", "drive.flax", "etarined/mnist.flax", *EXTRA]
    contents = {"mnist.flax": b"a" * 1000, "escape.flax": b"e", "drive.flax": b"f", EXTRA[0]: b"b", EXTRA[1]: b"d"}
    assert extract(archive, wanted, out) == {name: out / name for name in contents}
    assert {name: (out / name).read_bytes() for name in contents} == contents
    assert files_in(tmp_path) == {"archive", *(f"deep/er/out/{name}" for name in contents)}


def test_a_folder_is_searched_as_an_archive_is_and_what_lacks_is_named(tmp_path):
    archive, place = tmp_path / "archive", tmp_path / "out"
    archive.write_bytes(PACKED)
    first = collect(["mnist.flax"], place, str(archive), insist=True, extra=EXTRA)
    assert first["files"] == {"mnist.flax": str(place / "mnist.flax")}
    assert first["extra"] == {name: str(place / name) for name in EXTRA[:2]}
    assert first["archive"] == {"source": str(archive), "sha256": DIGEST}
    again = collect(["mnist.flax", "cifar10.flax"], tmp_path / "none", str(place), extra=EXTRA)
    missing = {"cifar10.flax": f"not in {place}"}
    assert again == first | {"missing": missing, "archive": None}
    assert not (tmp_path / "none").exists()
    with pytest.raises(FFCError, match=r"cifar10\.flax not in .*put the files into a folder"):
        collect(["cifar10.flax"], tmp_path / "none", str(place), insist=True)
    with pytest.raises(FFCError, match=r"checkpoints\.source: .*nowhere does not exist"):
        collect(["mnist.flax"], tmp_path / "none", str(tmp_path / "nowhere"))


def test_densenet_comes_from_torchvision_unless_the_source_has_it(tmp_path, monkeypatch):
    downloads = []
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **options: downloads.append(options))
    (tmp_path / DENSENET).touch()
    assert collect([DENSENET], tmp_path / "out", str(tmp_path))["files"] == {DENSENET: str(tmp_path / DENSENET)}
    assert downloads == []
    answer = collect([DENSENET], tmp_path / "out")
    assert (answer["files"], answer["missing"]) == ({DENSENET: str(tmp_path / "out" / DENSENET)}, {})
    assert downloads == [{"progress": False, "check_hash": True, "weights_only": True}]


@pytest.fixture
def network(monkeypatch):
    """What each request is answered with, an error or content; and what was asked for."""
    answers, requests = [], []

    def fetch(place, path):
        requests.append(place)
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        Path(path).write_bytes(answer)

    monkeypatch.setattr(released, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr("gdown.download", lambda id, output, quiet: fetch(id, output))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda address, path, progress: fetch(address, path))
    return answers, requests


@pytest.mark.parametrize(
    ("source", "responses", "reason"),
    [
        (None, [OSError("busy"), OSError("busy"), PACKED], None),
        ("https://mirror/archive", [PACKED], None),
        (None, 3 * [OSError("HTTP Error 404")], r"could not be had from .* \(HTTP Error 404\)"),
        ("https://mirror/archive", [PACKED[:60]], "not a whole archive"),
    ],
)
def test_a_network_may_fail_for_moments_and_what_it_gives_is_checked(tmp_path, network, source, responses, reason):
    answers, requests = network
    answers += responses
    answer, place = collect(["mnist.flax", "cifar10.flax"], tmp_path, source), source or "the authors' archive"
    assert set(answer["files"]) == files_in(tmp_path) == (set() if reason else {"mnist.flax"})
    assert answer["archive"] == (None if reason else {"source": place, "sha256": DIGEST})
    assert re.search(reason or f"not in {place}", answer["missing"]["cifar10.flax"])
    assert requests == [source or ARCHIVE_ID] * len(responses)
    answers += 2 * [PACKED]  # the known one has a checksum
    with pytest.raises(FFCError, match=r"checkpoints\.sha256: .* fetch the right one"):
        collect(["mnist.flax"], tmp_path, sha256="0" * 64)
    assert collect(["mnist.flax"], tmp_path, sha256=DIGEST.upper())["files"]
