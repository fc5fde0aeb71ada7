"""Printing to terminals that know fewer letters than we use."""

import codecs
import sys

_PLAIN = str.maketrans({"λ": "lambda", "×": "x", "–": "-", "−": "-", "…": "...", "’": "'", "—": "-"})


def make_tolerant() -> None:
    """Let standard output and error take any text: what their encoding lacks is written in plain letters.

    Bytes of a file's name that are no text come out as they are.
    """
    codecs.register_error("ffc.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not what a program may have put in their place
            stream.reconfigure(errors="ffc.plain")


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start]
    if "\udc80" <= lacking <= "\udcff":  # as Python keeps such a byte
        return bytes([ord(lacking) - 0xDC00]), error.start + 1
    return lacking.translate(_PLAIN).encode("ascii", "backslashreplace"), error.start + 1
