"""Pictures from folders and archives, as uint8 arrays. Archives are read in memory: nothing is unpacked."""

import io
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image, ImageOps

from ffc.core.errors import FFCError
from ffc.store.archives import open_tar, plain_files
from ffc.store.npz import DENSEST

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm")
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM")  # Pillow would hand others to programs (EPS to Ghostscript)
_LIMIT = 2**28  # bytes of a picture in an archive
_PIXELS = 8 * DENSEST  # most that a byte of a file can stand for: a bit each, packed by deflate


def folder_pictures(folder: Path, limit: int | None = None) -> Iterator[tuple[str, bytes]]:
    """(name relative to `folder`, file contents) of the pictures below it, ordered by name, the first `limit`."""
    for path in islice(sorted(_pictures(folder)), limit):
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def _pictures(folder: Path) -> Iterator[Path]:
    """Yield the pictures below a folder: links are followed, and hidden files and folders passed over.

    Raises `FFCError` on a link that leads nowhere, or to a folder that is read already: no picture may count twice.
    """
    walked: dict[str, str] = {}
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_unreadable):
        if (earlier := walked.setdefault(os.path.realpath(place), place)) != place:
            raise FFCError(f"{place}: is the folder {earlier}, too; remove one of them")
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in files if not name.startswith(".")):
            if path.is_symlink() and not path.exists():
                raise FFCError(f"{path}: is a link that leads nowhere; mend or remove it")
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                yield path


def _unreadable(error: OSError) -> NoReturn:
    raise FFCError(f"{error.filename}: cannot be read ({error.strerror}); change that, or move it away")


def archive_pictures(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(name, file contents) of the pictures in a tar archive, in its order; links and other things are passed over.

    Raises `FFCError` where the archive is broken or cut short.
    """
    try:
        with open_tar(archive) as tar:
            for member, stream in plain_files(tar):
                name = re.sub(r"^(\./)+", "", member.name)
                if name.lower().endswith(_SUFFIXES) and not re.search(r"(^|/)\.", name):
                    if member.size > _LIMIT:
                        raise ValueError(f"{name} claims {member.size:,} bytes")
                    yield name, stream.read()
    except Exception as error:  # tarfile, lzma and zlib each raise types of their own
        raise FFCError(f"{archive}: not a whole archive ({error}); fetch it again") from error


def decode(name: str, data: bytes, size: int | None = None) -> np.ndarray:
    """[height, width, 3] uint8 of a picture file as viewers show it, at `size` × `size` where a size is given.

    It is turned as its EXIF orientation says; what is transparent shows white; of 16 bits the upper 8 stay.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > _PIXELS * max(len(data), 128):
                raise ValueError(f"it claims {picture.width} × {picture.height} pixels, more than it can hold")
            return np.asarray(_fit(_plain(ImageOps.exif_transpose(picture)), size))
    except Exception as error:  # each decoder raises types of its own
        raise FFCError(f"{name}: not a picture that can be read ({error}); mend or remove it") from error


def _plain(picture: Image.Image) -> Image.Image:
    """Return a picture of any kind as one of 8-bit colours without transparency."""
    if picture.mode == "F":
        raise ValueError("it holds numbers of no known range")
    if picture.mode.startswith("I"):  # 16 bits of gray, which Pillow would cut off at 255
        return Image.fromarray(np.uint8(np.asarray(picture) >> 8)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def resize(images: np.ndarray, size: int | None) -> np.ndarray:
    """[count, height, width, channels] uint8, at `size` × `size` where a size is given."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    channels = images.shape[3]
    flat = images[..., 0] if channels == 1 else images
    small = [np.asarray(_fit(Image.fromarray(image), size)) for image in flat]
    return np.array(small, np.uint8).reshape(len(images), size, size, channels)


def _fit(picture: Image.Image, size: int | None) -> Image.Image:
    """Return the centre square of a picture, at `size` × `size`."""
    if size is None or picture.size == (size, size):
        return picture
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.BILINEAR)
