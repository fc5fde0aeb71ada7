"""Records: arrays and provenance in one file, written whole or not at all."""

import errno

import jax
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.store.records import Record, provenance, write_whole


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
