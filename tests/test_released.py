"""Released checkpoints: found by file name in folders and archives, and nowhere else written than in their folder."""

import io
import tarfile
import zipfile

import pytest

from ffc.errors import FFCError
from ffc.released import collect, extract


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
    with pytest.raises(FFCError, match="half"):
        extract(archive, ["mnist.flax"], tmp_path / "out")
    assert not (tmp_path / "out" / "mnist.flax").exists()
