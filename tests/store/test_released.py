"""Released files: found by the ends of their paths in folders and archives, and written nowhere but in their folder."""

import hashlib
import http.server
import io
import tarfile
import threading
import tracemalloc
import zipfile

import pytest

from ffc.core.errors import FFCError
from ffc.store import released
from ffc.store.released import collect, extract

LAYOUT = {"runs/pretarined/mnist.flax": b"a" * 1000, "runs/pretarined/mnist_made.pth": b"b", "plot_data/x.npz": b"c"}


def tar_of(path, members, links=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return path


def test_a_folder_is_searched_below_and_what_lacks_is_named(tmp_path):
    (tmp_path / "runs" / "pretarined").mkdir(parents=True)
    (tmp_path / "runs" / "pretarined" / "mnist.flax").write_bytes(b"weights")
    found = collect(["mnist.flax", "cifar10.flax"], tmp_path / "out", str(tmp_path))
    assert found["files"] == {"mnist.flax": str(tmp_path / "runs" / "pretarined" / "mnist.flax")}
    assert found["missing"] == {"cifar10.flax": f"not in {tmp_path}"}


def test_insisting_on_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FFCError, match=r"cifar10\.flax not in .*put the files into a folder"):
        collect(["cifar10.flax"], tmp_path / "out", str(tmp_path), insist=True)


def test_a_folder_that_is_not_there_is_the_users_mistake_in_any_mode(tmp_path):
    with pytest.raises(FFCError, match="does not exist"):
        collect(["mnist.flax"], tmp_path / "out", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_are_found_by_name_and_cannot_leave_the_folder(tmp_path, kind):
    members = {"runs/pretarined/mnist.flax": b"a", "../../escape.flax": b"b", "plot_data/x.npz": b"c"}
    archive = tmp_path / "archive"
    if kind == "tar":
        tar_of(archive, members, links=["link.flax"])
    else:
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
    folder = tmp_path / "deep" / "er" / "out"
    found = extract(archive, ["mnist.flax", "escape.flax", "link.flax"], folder)
    assert found == {"mnist.flax": folder / "mnist.flax", "escape.flax": folder / "escape.flax"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"mnist.flax": b"a", "escape.flax": b"b"}
    assert not (tmp_path / "escape.flax").exists()


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_tar_archive_is_read_however_it_is_packed(tmp_path, packing):
    (tmp_path / "mnist.flax").write_bytes(b"a")
    with tarfile.open(tmp_path / "archive", f"w:{packing}") as tar:
        tar.add(tmp_path / "mnist.flax", "runs/mnist.flax")
    assert extract(tmp_path / "archive", ["mnist.flax"], tmp_path / "out")


def test_extra_files_are_taken_along_where_they_are_and_not_missed_where_they_are_not(tmp_path):
    members = {"runs/pretarined/mnist.flax": b"a", "x/mnist_jacobi/report.npz": b"b", "x/report.npz": b"c"}
    archive = str(tar_of(tmp_path / "archive", members | {"../mnist_sequential/report.npz": b"d"}))
    extra = ["mnist_jacobi/report.npz", "mnist_sequential/report.npz", "densenet.npz"]
    found = collect(["mnist.flax"], tmp_path / "deep" / "out", archive, insist=True, extra=extra)
    place = tmp_path / "deep" / "out"
    assert found["files"] == {"mnist.flax": str(place / "mnist.flax")}
    assert found["extra"] == {name: str(place / name) for name in extra[:2]}
    assert (place / "mnist_jacobi" / "report.npz").read_bytes() == b"b"
    assert found["missing"] == {}
    in_folder = collect([], tmp_path / "none", str(place), extra=extra)
    assert in_folder["extra"] == found["extra"]
    assert not (tmp_path / "none").exists()


def test_a_large_member_goes_to_disk_in_pieces(tmp_path):
    archive = tar_of(tmp_path / "archive", {"large.npz": bytes(2**24)})
    tracemalloc.start()
    extract(archive, ["large.npz"], tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
    assert (tmp_path / "out" / "large.npz").stat().st_size == 2**24


@pytest.mark.parametrize("content", [b"", b"<html>quota exceeded</html>"])
def test_what_is_no_archive_is_said_to_be_none(tmp_path, content):
    archive = tmp_path / "archive.zip"
    archive.write_bytes(content)
    with pytest.raises(FFCError, match="neither a zip nor a tar archive"):
        extract(archive, ["mnist.flax"], tmp_path / "out")


def test_a_truncated_archive_is_refused(tmp_path):
    whole = tar_of(tmp_path / "whole", {"mnist.flax": bytes(range(256)) * 400}).read_bytes()
    archive = tmp_path / "half.tar.gz"
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FFCError, match=r"half\.tar\.gz: not a whole archive"):
        extract(archive, ["mnist.flax"], tmp_path / "out")
    assert not (tmp_path / "out" / "mnist.flax").exists()


def test_what_cannot_be_unpacked_is_the_archives_fault_and_not_the_disks(tmp_path):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("mnist.flax", bytes(range(256)) * 40)
    content = bytearray(archive.read_bytes())
    content[60] ^= 255  # Python's bz2 calls this an OSError
    archive.write_bytes(content)
    with pytest.raises(FFCError, match=r"archive\.zip: not a whole archive"):
        extract(archive, ["mnist.flax"], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def mirror(monkeypatch):
    """A server that gives each request the next of its `answers` (status, content); and its address."""
    monkeypatch.setattr(released, "PAUSES", (0.0, 0.0))
    answers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, content = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield answers, f"http://127.0.0.1:{server.server_port}/archive"
        server.shutdown()


@pytest.fixture
def archive(tmp_path):
    return tar_of(tmp_path / "archive", LAYOUT).read_bytes()


def test_a_mirror_is_asked_again_when_it_fails_for_a_moment(tmp_path, mirror, archive):
    answers, address = mirror
    answers += [(503, b""), (200, archive)]
    found = collect(["mnist.flax", "cifar10.flax"], tmp_path / "out", address)
    assert found["files"] == {"mnist.flax": str(tmp_path / "out" / "mnist.flax")}
    assert found["missing"] == {"cifar10.flax": f"not in {address}"}
    assert found["archive"] == {"source": address, "sha256": hashlib.sha256(archive).hexdigest()}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mnist.flax"]


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (404, b"", "HTTP Error 404"),
        (200, b"<html>Too many users have viewed this file</html>", "neither a zip nor a tar archive"),
        (200, b"", "neither a zip nor a tar archive"),
        (200, None, "not a whole archive"),
    ],
)
def test_what_a_mirror_gives_instead_of_an_archive_is_a_missing_file(
    tmp_path, mirror, archive, status, content, reason
):
    answers, address = mirror
    answers += 3 * [(status, archive[:60] if content is None else content)]
    found = collect(["mnist.flax"], tmp_path / "out", address)
    assert found["files"] == {}
    assert reason in found["missing"]["mnist.flax"]
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_that_is_not_the_known_one_is_refused_in_any_mode(tmp_path, mirror, archive):
    answers, address = mirror
    answers += 2 * [(200, archive)]
    with pytest.raises(FFCError, match=r"checkpoints\.sha256: .* fetch the right one"):
        collect(["mnist.flax"], tmp_path / "out", address, sha256="0" * 64)
    known = hashlib.sha256(archive).hexdigest().upper()
    assert collect(["mnist.flax"], tmp_path / "out", address, known)["files"]
