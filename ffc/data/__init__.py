"""Data sets, found by name: `load("digits", size=10)` → `Dataset` of uint8 images.

A set of your own is one function `(root, size, **options) -> Dataset`, entered in `DATASETS`; its arguments after
`root`, with their types, are what a preset's `data:` section may name.
"""

import inspect
import os
from pathlib import Path
from typing import Any, get_args

from ffc.core.errors import FFCError, need

need("PIL", extra="training")

from ffc.data.dataset import Dataset
from ffc.data.sources import DATASETS, rows, title
from ffc.store.paths import expanded

__all__ = ["DATASETS", "Dataset", "folder", "load", "options_of", "rows", "title"]


def options_of(name: str) -> dict[str, tuple[type, Any]]:
    """Return the options of the data set `name`: the type of each, and its default; `...` where it must be given."""
    options: dict[str, tuple[type, Any]] = {}
    for option in list(inspect.signature(DATASETS[name]).parameters.values())[1:]:
        types = get_args(option.annotation) or (option.annotation,)  # a size may be None, and left out
        default = None if type(None) in types else ...
        options[option.name] = types[0], default if option.default is option.empty else option.default
    return options


def folder(root: str | os.PathLike | None = None) -> Path:
    """Return where files of data sets are: `root`, else the environment's FFC_DATA, else `./data`."""
    return expanded(root or os.environ.get("FFC_DATA") or "data")


def load(name: str, root: str | os.PathLike | None = None, size: int | None = None, **options: Any) -> Dataset:
    """Return the data set `name`, with its images at `size` × `size` where a size is given.

    Files are looked for in `folder(root)`. Images that are not of the wanted size are cropped to their centre square
    and resized by Pillow's bilinear filter, which averages where it shrinks. Deterministic. Raises `FFCError` on an
    unknown name or option, and where files are missing or broken.
    """
    if name not in DATASETS:
        raise FFCError(f"data set {name!r}: expected one of {', '.join(DATASETS)}")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise FFCError(f"data set {name!r}, size: expected a positive whole number of pixels, not {size!r}")
    allowed = options_of(name)
    if unknown := sorted(options.keys() - allowed.keys()):
        raise FFCError(f"data set {name!r}: unknown option {', '.join(unknown)}; expected {', '.join(allowed)}")
    needed = [option for option, (_, default) in allowed.items() if default is ...]
    if any((options | {"size": size}).get(option) is None for option in needed):
        raise FFCError(f"data set {name!r} expects {' and '.join(needed)}; name all")
    return DATASETS[name](folder(root), size, **options)
