"""The one error type that users meet: what is wrong, where, and what to do next."""

import sysconfig
import traceback
from importlib.util import find_spec
from pathlib import Path


class FFCError(Exception):
    """Raised for anything a user can mend: a file, a setting, an argument.

    The message names the file or key, says what was expected, and what to do. The command line and
    the workflow scripts print it without a traceback; anything else that escapes is a bug of ours.
    """


class MissingPackageError(FFCError, ImportError):
    """A package that an extra of this library brings is not installed."""


def place_of(error: BaseException) -> str:
    """Where in a program of ours, or of a user's, the error was raised: " (model.py, line 46)"; else an empty text."""
    others = tuple(map(sysconfig.get_path, ("stdlib", "purelib", "platlib")))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*others, "<")):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def reason_of(error: BaseException) -> str:
    """Return the first line of what an error says, or its type's name: to stand within a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def need(*packages: str, extra: str) -> None:
    """Raise `MissingPackageError`, one line that names `extra`, unless all `packages` can be imported."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingPackageError(
            f"{', '.join(missing)}: not installed; run in a clone of the project: pip install '.[{extra}]'"
        )
