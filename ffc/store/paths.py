"""Paths as users write them, and files that are the same under two names."""

import os
from pathlib import Path

from ffc.core.errors import FFCError


def expanded(path: str | os.PathLike) -> Path:
    """Return `path` with the home folder in place of `~`, or of `~name`, for not every shell and no YAML puts it there.

    Raises `FFCError` where that folder is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FFCError(f"{path}: which folder ~ stands for is not known here; write it out") from None


def same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, through links or by another spelling, be it there or not."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
