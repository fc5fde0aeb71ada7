"""Printing to terminals that know fewer letters than we use, and to files that are full or closed."""

import codecs
import errno
import os
import sys

_HIDDEN = "\N{REPLACEMENT CHARACTER}"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_PLAIN = str.maketrans({"λ": "lambda", "×": "x", "–": "-", "−": "-", "…": "...", "’": "'", "—": "-"})


def make_tolerant() -> None:
    """Let standard output and error take any text: what their encoding lacks is written in plain letters.

    Bytes of a file's name that are no text come out as they are. What goes to one that is closed (`>&-`) is dropped.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    codecs.register_error("ffc.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not what a program may have put in their place
            stream.reconfigure(errors="ffc.plain")


def empty_buffer() -> None:
    """Write out what was printed; drop it where nobody takes it, so that Python ends without a complaint of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def problem_of_output(error: Exception) -> str | None:
    """Return what to say of an error of printing; None of another. Of a file, `filename` would name it."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        return f"what it prints could not be written ({error.strerror}); free some space, or send it elsewhere"
    return None


def readable(texts: list[str]) -> list[str]:
    """Lines to print: each text after a rule with its number, and a sign for each letter that no terminal shows."""
    shown = (
        "".join(letter if letter.isprintable() or letter in "\n\t" else _HIDDEN for letter in text) for text in texts
    )
    return [f"--- {number}\n{text}\n" for number, text in enumerate(shown, 1)]


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start]
    if "\udc80" <= lacking <= "\udcff":  # as Python keeps such a byte
        return bytes([ord(lacking) - 0xDC00]), error.start + 1
    return lacking.translate(_PLAIN).encode("ascii", "backslashreplace"), error.start + 1
