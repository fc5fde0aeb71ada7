"""Records: arrays and provenance in one file, written whole or not at all."""

import errno
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import jax
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.store.records import Record, provenance, write_bytes, write_whole


def test_a_record_comes_back_as_it_was(tmp_path):
    path = tmp_path / "deep" / "record.npz"
    Record({"x": np.arange(3), "names": np.array(["a", "bc"])}, {"task": "made", "seed": 1}).save(path)
    record = Record.load(path)
    np.testing.assert_array_equal(record["x"], np.arange(3))
    assert record["names"].tolist() == ["a", "bc"]
    assert record.meta == {"task": "made", "seed": 1}


def test_the_name_of_the_provenance_is_taken(tmp_path):
    with pytest.raises(FFCError, match="__meta__"):
        Record({"__meta__": np.zeros(1)}).save(tmp_path / "record.npz")


def _truncated(path):
    Record({"x": np.zeros(1000)}).save(path)
    path.write_bytes(path.read_bytes()[:100])


def _pickled(path):
    np.savez(path, x=np.array([{}], dtype=object), __meta__=np.array("{}"))


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: None, "no such record"),
        (lambda path: path.write_bytes(b""), "not a record"),
        (lambda path: np.savez(path, x=np.zeros(1)), "not a record"),
        (_truncated, "not a record"),
        (_pickled, "not a record"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, write, expected):
    path = tmp_path / "record.npz"
    write(path)
    with pytest.raises(FFCError, match=expected) as caught:
        Record.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FFCError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (ValueError("a bug"), ValueError),
    ],
)
def test_whatever_interrupts_a_write_the_old_file_stays(tmp_path, error, raised):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the n")
        raise error

    with pytest.raises(raised):
        write_whole(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_user(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FFCError, match="could not be written"):
        write_whole(tmp_path / "file" / "below", lambda file: file.write(b"x"))


def test_provenance_names_the_device_and_the_versions():
    facts = provenance()
    assert facts["device"]["name"]
    assert {"ffc", "python", "jax"} <= set(facts["versions"])
    assert facts["matmul_precision"] == "default"
    with jax.default_matmul_precision("highest"):
        assert provenance()["matmul_precision"] == "highest"


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_a_new_file_has_the_permissions_of_the_umask_and_an_old_one_keeps_its_own(tmp_path, umask):
    old, before = tmp_path / "old", os.umask(umask)
    try:
        old.touch()
        old.chmod(0o640)
        for path in (tmp_path / "new", old):
            write_bytes(path, b"x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new", old)]
    assert modes == [0o666 & ~umask, 0o640]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_one_and_its_file_is_written(tmp_path, exists):
    file, link, again = tmp_path / "far" / "file", tmp_path / "link", tmp_path / "again"
    if exists:
        file.parent.mkdir()
        file.write_bytes(b"old")
    link.symlink_to(file)
    again.symlink_to("link")
    write_bytes(again, b"new")
    assert again.is_symlink()
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_a_pipe_takes_a_record_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        Record({"x": np.arange(3)}).save(pipe)
        content = read.result()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "record.npz").write_bytes(content)
    assert Record.load(tmp_path / "record.npz")["x"].tolist() == [0, 1, 2]


def test_devices_are_written_to_and_never_replaced():
    for device in ("/dev/null", "/dev/full"):
        with nullcontext() if device == "/dev/null" else pytest.raises(FFCError, match="No space left"):
            write_bytes(device, b"x")
        assert stat.S_ISCHR(os.stat(device).st_mode)


def test_a_socket_or_a_folder_is_refused_and_left(tmp_path):
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("folder", "socket"):
            with pytest.raises(FFCError, match=f"{name}: is a .*; name a file"):
                write_bytes(tmp_path / name, b"x")
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
