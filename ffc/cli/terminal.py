"""Printing to terminals that know fewer letters than we use."""

import codecs
import sys

_HIDDEN = "\N{REPLACEMENT CHARACTER}"
_PLAIN = str.maketrans({"λ": "lambda", "×": "x", "–": "-", "−": "-", "…": "...", "’": "'", "—": "-"})


def make_tolerant() -> None:
    """Let standard output and error take any text: what their encoding lacks is written in plain letters.

    Bytes of a file's name that are no text come out as they are.
    """
    codecs.register_error("ffc.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not what a program may have put in their place
            stream.reconfigure(errors="ffc.plain")


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
