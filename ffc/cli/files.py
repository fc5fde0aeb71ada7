"""Files of the command line: arrays to read, pictures to write."""

import errno
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ffc.core.errors import FFCError
from ffc.paper.sheet import sheet
from ffc.store import npz
from ffc.store.paths import same_file
from ffc.store.records import is_stream, write_whole


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> list[Path]:
    """Return the outputs of a command that its options name; find out before hours of computing what is wrong with one.

    `FFCError` where it cannot be written, or is one of the files that the command reads, or another output.
    """
    files = {option: path for option, path in outputs.items() if path}
    taken = [*inputs]
    for option, path in files.items():
        try:
            if is_stream(path):
                if not os.access(path, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                continue
            if other := next((file for file in taken if same_file(file, path)), None):
                raise FFCError(f"--{option} {path}: the command reads or writes it as {other}, too; name another file")
            taken.append(path)
            folder = Path(os.path.realpath(path)).parent
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise FFCError(f"{path}: cannot be written ({error.strerror}); name a file in another folder") from None
    return [*files.values()]


def read_noise(path: Path, rows: int | None) -> np.ndarray:
    """Return the array `u` [samples, …] of an `.npz` file; its first `rows` if asked for. Raises `FFCError`."""
    try:
        array = npz.load(path, "u")["u"]
    except FileNotFoundError:
        raise FFCError(f"{path}: no such file; give the path of an .npz file with the array u") from None
    except Exception as error:  # zip, zlib and npy each raise types of their own; an .npy has no names
        raise FFCError(f"{path}: no array u can be read from it ({error}); expected an .npz file with it") from None
    if array.ndim == 0 or not len(array):
        raise FFCError(f"{path}: u has the shape {array.shape}; expected one row for each sample")
    if rows is not None and rows > len(array):
        raise FFCError(f"{path}: u has rows for {len(array)} samples, not {rows}; ask for that many or fewer")
    return array[:rows]


def write_image(path: Path, pictures: np.ndarray) -> None:
    """`pictures` [batch, height, width, channels] in [0, 1] as one PNG, near to square."""
    pixels = sheet(np.round(255 * np.clip(pictures, 0, 1)).astype(np.uint8))
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    write_whole(path, lambda file: image.save(file, format="png"))
