"""Tar archives from strangers: checks of what Python's reader would trust."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, Self

_AUXILIARY = b"LKxgX"  # long names and PAX headers, which are read into memory whole
_LONGEST = 2**16  # bytes of one of them
_CHUNK = 2**16  # bytes read at once


class Plain(tarfile.TarInfo):
    """A member's header, for `tarfile.open(…, tarinfo=Plain)`.

    Raises `tarfile.ReadError` on a damaged header, which tarfile takes for the end of the archive, and on one that
    claims more than any name needs.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged header: {error}") from None
        if header.size < 0 or (header.type in _AUXILIARY and header.size > _LONGEST):
            raise tarfile.ReadError(f"{header.name} claims {header.size:,} bytes")
        return header


def open_tar(path: Path) -> tarfile.TarFile:
    """Return a tar archive, plain or packed; `tarfile.TarError` where it is none."""
    with open(path, "rb") as file:
        begin = file.read(6)
    return tarfile.open(path, _packing(begin), tarinfo=Plain)


def _packing(begin: bytes) -> Literal["r:", "r:gz", "r:bz2", "r:xz"]:
    """How to open a tar archive that begins so. tarfile would try, and take what memory bytes happen to ask for."""
    if begin.startswith(b"\x1f\x8b"):
        return "r:gz"
    if begin.startswith(b"BZh"):
        return "r:bz2"
    return "r:xz" if begin == b"\xfd7zXZ\0" else "r:"


def plain_files(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """(header, stream) of each plain file; links and other things are passed over.

    Only after the last one is it known whether all were whole: the checksum of a packed archive lies at its end, behind
    the mark where tarfile stops.
    """
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # a packed archive can have any number of them
        if member.isreg() and (stream := tar.extractfile(member)):
            yield member, stream
    while tar.fileobj.read(_CHUNK):
        pass
