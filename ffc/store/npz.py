"""Reading `.npz` files. A file's claims are checked before memory is taken, and no code of a file is run.

Errors are `ValueError`, or what zipfile, zlib and numpy raise. The caller adds the name of the file.
"""

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

#: Most bytes that a byte packed by deflate can stand for.
DENSEST = 1032
#: Most bytes of the arrays that `load` takes into memory.
LIMIT = 2**33
_HEADER = 1000  # characters; numpy's parser takes memory for each
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as numpy writes


def load(path: str | os.PathLike, *names: str) -> dict[str, np.ndarray]:
    """Return the arrays of `names`, or all of them: numbers or text of any shape."""
    with _archive(path) as archive:
        stored = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        wanted = names or stored
        if sum(archive.getinfo(f"{name}.npy").file_size for name in wanted) > LIMIT:
            raise ValueError(f"its arrays claim more than {LIMIT:,} bytes")
        return {name: _read(archive, name) for name in wanted}


@contextmanager
def opened(path: str | os.PathLike, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], bool, np.dtype]]:
    """Return (stream of numbers, shape, whether in Fortran's order, type) of one array."""
    with _archive(path) as archive, archive.open(f"{name}.npy") as stream:
        yield stream, *_header(archive, name, stream)


@contextmanager
def _archive(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(info.compress_type not in _PACKED for info in members):
            raise ValueError("packed in a way that numpy does not write")
        if len({info.filename for info in members}) < len(members):
            raise ValueError("it has two arrays of one name")
        if sum(info.file_size for info in members) > DENSEST * os.path.getsize(path):
            raise ValueError("its arrays claim to be larger than the file can hold")
        yield archive


def _header(archive: zipfile.ZipFile, name: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an array, if the bytes behind the header are as many as they claim."""
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of a kind that no plain array is written as")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_HEADER)
    size = archive.getinfo(f"{name}.npy").file_size - stream.tell()
    if dtype.kind not in "fiubcSU" or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"{name} is no plain array of numbers or text: {dtype}, shape {shape}")
    if math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{name} is no plain array: {dtype} of shape {shape} in {size} bytes")
    return shape, fortran, dtype


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as stream:
        _header(archive, name, stream)
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
