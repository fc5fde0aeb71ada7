"""Tar archives from strangers: checks of what Python's reader would trust."""

import tarfile
from collections.abc import Iterator
from typing import IO, Self

_AUXILIARY = b"LKxgX"  # long names and PAX headers, which are read into memory whole
_LONGEST = 2**16  # bytes of one of them


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


def plain_files(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """(header, stream) of each plain file; links and other things are passed over."""
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # a packed archive can have any number of them
        if member.isreg() and (stream := tar.extractfile(member)):
            yield member, stream
