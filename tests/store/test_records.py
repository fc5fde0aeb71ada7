"""Records: arrays and provenance in one file, written whole or not at all."""

import errno
import functools
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
        np.testing.assert_equal(vars(again), vars(record))
        assert load_meta(path) == record.meta


@pytest.mark.parametrize("read", [Record.load, load_meta])
def test_what_is_no_record_is_named_with_the_cure(tmp_path, read):
    path = tmp_path / "record.npz"
    with pytest.raises(FFCError, match=r"record\.npz: no such record; let snakemake make it"):
        read(path)
    for meta in ({}, {"__meta__": np.array("[]")}, {"__meta__": np.array("{")}):
        np.savez(path, x=np.zeros(1), **meta)
        with pytest.raises(FFCError, match=r"record\.npz: not a record of this project .*; delete it"):
            read(path)
    with pytest.raises(FFCError, match="__meta__"):
        Record({"__meta__": np.zeros(1)}).save(path)


def test_a_file_is_old_or_whole_and_on_the_disk_whatever_interrupts_its_writing(tmp_path, monkeypatch):
    path, names = tmp_path / "file", []
    monkeypatch.setattr("os.fsync", lambda _: names.append(path.exists()))
    write_bytes(path, b"old")
    assert names == [False], "its bytes have reached the disk before it has its name"

    def write(error, file):
        file.write(b"half of the n")
        raise error

    full = OSError(errno.ENOSPC, "No space left on device")
    for error, raised in ((full, FFCError), (KeyboardInterrupt(), KeyboardInterrupt)):
        with pytest.raises(raised):
            write_whole(path, functools.partial(write, error))
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_link_stays_one_and_its_file_is_written_with_permissions_of_the_umask_which_an_old_file_keeps(tmp_path):
    file, link, again = tmp_path / "far" / "file", tmp_path / "link", tmp_path / "again"
    link.symlink_to(file)
    again.symlink_to("link")
    umask = os.umask(0o002)
    try:
        for content, mode in ((b"new", 0o664), (b"old", 0o640)):
            write_bytes(again, content)
            assert (again.is_symlink(), link.is_symlink(), file.read_bytes()) == (True, True, content)
            assert stat.S_IMODE(file.stat().st_mode) == mode
            file.chmod(0o640)
    finally:
        os.umask(umask)
    assert list(file.parent.iterdir()) == [file]


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
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert {path.name for path in tmp_path.rglob("*")} == {"folder", "file", "socket"}


def test_provenance_names_the_device_and_the_versions():
    facts = provenance()
    assert (bool(facts["device"]["name"]), facts["device"]["platform"]) == (True, jax.default_backend())
    assert {"ffc", "python", "jax"} <= facts["versions"].keys()
    for precision in ("highest", "tensorfloat32"):
        with jax.default_matmul_precision(precision):
            assert provenance()["matmul_precision"] == precision
