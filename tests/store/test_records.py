"""Records: arrays and provenance in one file, written whole or not at all."""

import errno
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.store.records import Record, load_meta, provenance, write_bytes, write_whole


def test_a_record_comes_back_as_it_was_also_through_a_pipe(tmp_path):
    path, pipe = tmp_path / "deep" / "record.npz", tmp_path / "pipe"
    record = Record({"x": np.arange(3), "names": np.array(["a", "bc"])}, {"task": "made", "seed": 1})
    record.save(path)
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        content = pool.submit(pipe.read_bytes)
        record.save(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    for written in (path.read_bytes(), content.result()):
        path.write_bytes(written)
        again = Record.load(path)
        np.testing.assert_array_equal(again["x"], np.arange(3))
        assert again["names"].tolist() == ["a", "bc"]
        assert again.meta == load_meta(path) == record.meta


@pytest.mark.parametrize("read", [Record.load, load_meta])
def test_what_is_no_record_is_named_with_the_cure(tmp_path, read):
    path = tmp_path / "record.npz"
    with pytest.raises(FFCError, match=r"record\.npz: no such record; let snakemake make it"):
        read(path)
    for meta in ({}, {"__meta__": np.array("[]")}, {"__meta__": np.array("{")}):
        np.savez(path, x=np.zeros(1), **meta)
        with pytest.raises(FFCError, match=r"record\.npz: not a record of this project .*; delete it"):
            read(path)


def test_the_name_of_the_provenance_is_taken(tmp_path):
    with pytest.raises(FFCError, match="__meta__"):
        Record({"__meta__": np.zeros(1)}).save(tmp_path / "record.npz")


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


def test_what_is_written_has_reached_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    names = []
    monkeypatch.setattr("os.fsync", lambda _: names.append((tmp_path / "file").exists()))
    write_bytes(tmp_path / "file", b"x")
    assert names == [False]


@pytest.mark.parametrize("umask", [0o077, 0o002])
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
        write_bytes(file, b"old")
    link.symlink_to(file)
    again.symlink_to("link")
    write_bytes(again, b"new")
    assert again.is_symlink()
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_where_no_file_can_be_nothing_is_written_and_the_cure_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name, expected in {
            "folder": "is a folder; name a file",
            "socket": "is a .* socket, .*; name a file",
            "file/below": "could not be written .*; free some space or name another folder",
            "/dev/full": "could not be written .No space left",
        }.items():
            with pytest.raises(FFCError, match=f"{name}: {expected}"):
                write_bytes(tmp_path / name, b"x")
    write_bytes("/dev/null", b"x")
    assert all(stat.S_ISCHR(os.stat(device).st_mode) for device in ("/dev/null", "/dev/full"))
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert {path.name for path in tmp_path.rglob("*")} == {"folder", "file", "socket"}


def test_provenance_names_the_device_and_the_versions():
    facts = provenance()
    assert facts["device"]["name"]
    assert facts["device"]["platform"] == jax.default_backend()
    assert {"ffc", "python", "jax"} <= set(facts["versions"])
    assert facts["matmul_precision"] == "highest"
    with jax.default_matmul_precision("tensorfloat32"):
        assert provenance()["matmul_precision"] == "tensorfloat32"
