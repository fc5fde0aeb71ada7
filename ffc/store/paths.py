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


def check_checkpoint(path: Path) -> None:
    """Raise `FFCError` where `path` is no file of weights by its name, cannot be read, or is empty. Without JAX."""
    if path.suffix not in (".flax", ".pth"):
        raise FFCError(f"{path}: expected the name of a checkpoint to end in .flax or .pth")
    try:
        with path.open("rb") as file:
            content = file.read(1)
    except OSError as error:
        raise FFCError(f"{path}: cannot be read ({error.strerror}); give the path of a checkpoint") from None
    if not content:
        raise FFCError(f"{path}: the file is empty; download or copy it again")
