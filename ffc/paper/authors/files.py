"""Reading the authors' raw files: no code in them is run, and only the part that is needed is held in memory."""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from ffc.core.errors import FFCError
from ffc.store import npz
from ffc.store.pytorch import read_tensors

#: Bytes held in memory at once; the largest part of any of these files (one repeat of PixelCNN++) has 50 million.
LIMIT = 2**30
_LARGEST = 1e15  # so that squares are finite, too
_REMEDY = "fetch it again, or name a checkpoints.source without it"

Shape = tuple[int | None, ...]


def refused(path: Path, problem: str) -> FFCError:
    """Return the error about a file that is not what the authors' code writes."""
    return FFCError(f"{path}: {problem}; {_REMEDY}")


class Arrays:
    """The arrays of an `.npz`, whole or row by row of their first axis.

    A shape that is asked for has None where any length will do. Raises `FFCError` on a broken file, and on
    arrays of other shapes, of anything but finite numbers, or too large for memory.
    """

    def __init__(self, path: Path):
        self.path = path

    def shape(self, name: str, *shapes: Shape) -> tuple[int, ...]:
        """Return the shape of an array, which must fit one of `shapes`."""
        with self._opened(name) as (_, shape, _):
            if not any(_fits(shape, expected) for expected in shapes):
                wanted = " or ".join(map(_written, shapes))
                raise refused(self.path, f"{name} has the shape {_written(shape)}, not {wanted}")
            return shape

    def whole(self, name: str, expected: Shape) -> np.ndarray:
        self.shape(name, expected)
        with self._opened(name) as (stream, shape, dtype):
            return self._read(stream, shape, dtype)

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """One row after the other; only one of them is in memory."""
        with self._opened(name) as (stream, shape, dtype):
            for _ in range(shape[0]):
                yield self._read(stream, shape[1:], dtype)

    def last(self, name: str) -> np.ndarray:
        """Return the last row, past all others."""
        return deque(self.rows(name), maxlen=1).pop()

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype]]:
        """Return (stream of numbers, shape, type) of an array; a header's claims are those of the numbers behind it."""
        try:
            with npz.opened(self.path, name) as (stream, shape, fortran, dtype):
                if dtype.kind not in "fiub" or fortran or 0 in shape:
                    raise refused(self.path, f"{name} is no plain array of numbers")
                yield stream, shape, dtype
        except FFCError:
            raise
        except Exception as error:  # zipfile, zlib and numpy raise types of their own
            raise refused(self.path, f"no whole .npz with an array {name} ({error})") from error

    def _read(self, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = math.prod(shape) * dtype.itemsize
        if size > LIMIT:
            raise refused(self.path, f"it asks for {size:,} bytes of memory at once")
        return _finite(self.path, np.frombuffer(stream.read(size), dtype).reshape(shape))


def tensors(path: Path, names: set[str]) -> dict[str, np.ndarray]:
    """Return the tensors of a `.pth`, float64, which must have these `names`. Raises `FFCError` on anything else."""
    try:
        if path.stat().st_size > LIMIT:
            raise FFCError(f"larger than {LIMIT:,} bytes")
        state = read_tensors(path.read_bytes())
    except (OSError, FFCError) as error:
        raise refused(path, str(error)) from error
    if set(state) != names:
        raise refused(path, f"it holds {', '.join(sorted(state)) or 'nothing'}, not {', '.join(sorted(names))}")
    return {name: _finite(path, value.double().numpy()) for name, value in state.items()}


def _finite(path: Path, numbers: np.ndarray) -> np.ndarray:
    if not np.all(np.abs(numbers) < _LARGEST):
        raise refused(path, f"not all of its numbers are finite and below {_LARGEST:g}")
    return numbers


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(e in (None, n) for n, e in zip(shape, expected, strict=True))


def _written(shape: Shape) -> str:
    return f"[{', '.join('any' if length is None else str(length) for length in shape)}]"
