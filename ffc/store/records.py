"""The one file format of results: arrays and where they came from, in a single `.npz`.

The provenance travels inside the file as JSON, so a record cannot lose it. Figures and tables read
records only.
"""

import io
import json
import os
import platform
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

import ffc
from ffc.core.errors import FFCError
from ffc.store import npz

_META = "__meta__"
_LIBRARIES = ("jax", "jaxlib", "flax", "numpy")


@dataclass(frozen=True)
class Record:
    """Named arrays and `meta`, a JSON-able dictionary (task, solver, settings, data, checkpoint, device …)."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def save(self, path: str | os.PathLike) -> None:
        """Write to `path`, whole or not at all."""
        if _META in self.arrays:
            raise FFCError(f"{path}: a record has no array of the name {_META}")
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in self.arrays.items()}
        arrays[_META] = np.array(json.dumps(self.meta, sort_keys=True))
        write_whole(path, lambda file: np.savez_compressed(file, **arrays))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Record":
        """Read what `save` wrote. Raises `FFCError` on a missing, broken or foreign file."""
        return cls(*_read(path))


def load_meta(path: str | os.PathLike) -> dict[str, Any]:
    """Return the `meta` of a record, read without its arrays; errors are those of `Record.load`."""
    return _read(path, _META)[1]


def _read(path: str | os.PathLike, *names: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of `names`, or all of them, and the `meta` among these."""
    try:
        arrays = npz.load(path, *names)
        meta = json.loads(str(arrays.pop(_META)))
        if not isinstance(meta, dict):
            raise ValueError(f"{_META} holds no dictionary")
    except FileNotFoundError:
        raise FFCError(f"{path}: no such record; let snakemake make it: snakemake {path}") from None
    except Exception as error:  # zip, zlib, npy and JSON each raise types of their own
        raise FFCError(f"{path}: not a record of this project ({error}); delete it, and make it again") from error
    return arrays, meta


def provenance() -> dict[str, Any]:
    """Return the device, the precision of products and the versions that a result was computed with."""
    import jax  # here: figures and tables only read records

    from ffc.core.compiled import precision

    device = jax.devices()[0]
    name = device.device_kind if device.platform != "cpu" else f"{_processor()}, {os.cpu_count()} cores"
    return {
        "device": {"platform": device.platform, "name": name},
        "matmul_precision": precision(),
        "versions": {"ffc": ffc.__version__, "python": platform.python_version()}
        | {library: version(library) for library in _LIBRARIES if find_spec(library)},
    }


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """`write_whole` of bytes that are in memory."""
    write_whole(path, lambda file: file.write(content))


def write_whole(path: str | os.PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a temporary binary file beside `path`, then rename it to `path`.

    Whatever interrupts it, `path` holds what it held before, or all of the new. A link stays a link: the file that it
    leads to is replaced, and keeps its permissions. A new file has those of the umask. A device or a pipe is
    written to. Raises `FFCError` where the disk is full, the folder cannot be written, or `path` is no file.
    """
    path = Path(path)
    try:
        if is_stream(path):
            buffer = io.BytesIO()  # `write` may seek, a pipe cannot
            write(buffer)
            with open(path, "wb") as stream:
                stream.write(buffer.getvalue())
        else:
            _replace(Path(os.path.realpath(path)), write)
    except OSError as error:
        raise FFCError(
            f"{path}: could not be written ({error.strerror or error}); free some space or name another folder"
        ) from error


def is_stream(path: Path) -> bool:
    """Whether `path` is a device or a pipe, which takes what it is given; `FFCError` where nothing can be written."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(mode):
        raise FFCError(f"{path}: is a folder; name a file")
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise FFCError(f"{path}: is a disk or a socket, and was left alone; name a file")
    return not stat.S_ISREG(mode)


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:  # not by `tempfile`, whose files are closed to all but their owner
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
