"""Data sets, found by name: `load("digits", size=10)` → `Dataset` of uint8 images.

A set of your own is one function `(root, size, **options) -> Dataset`, entered in `DATASETS`; its arguments after
`root`, with their types, are what a preset's `data:` section may name.
"""

import inspect
import os
from typing import Any, get_args

from ffc.core.errors import FFCError, need

need("PIL", extra="training")

from ffc.data.dataset import Dataset
from ffc.data.sources import DATASETS, rows, title
from ffc.store.paths import expanded

__all__ = ["DATASETS", "Dataset", "load", "options_of", "rows", "title"]


def options_of(name: str) -> tuple[dict[str, tuple[type, ...]], list[str]]:
    """Return the types that each option of the data set `name` may have; and the options that it needs."""
    parameters = list(inspect.signature(DATASETS[name]).parameters.values())[1:]
    types = {option.name: get_args(option.annotation) or (option.annotation,) for option in parameters}
    needed = [option.name for option in parameters if option.default is option.empty]
    return types, [option for option in needed if type(None) not in types[option]]


def load(name: str, root: str | os.PathLike | None = None, size: int | None = None, **options: Any) -> Dataset:
    """Return the data set `name`, with its images at `size` × `size` where a size is given.

    Files are looked for under `root`, else under the environment's FFC_DATA, else in `./data`. Images
    that are not of the wanted size are cropped to their centre square and resized by Pillow's bilinear
    filter, which averages where it shrinks. Deterministic. Raises `FFCError` on an unknown name or
    option, and where files are missing or broken.
    """
    if name not in DATASETS:
        raise FFCError(f"data set {name!r}: expected one of {', '.join(DATASETS)}")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise FFCError(f"data set {name!r}, size: expected a positive whole number of pixels, not {size!r}")
    known, needed = options_of(name)
    if unknown := sorted(options.keys() - known.keys()):
        raise FFCError(f"data set {name!r}: unknown option {', '.join(unknown)}; expected {', '.join(known)}")
    if missing := [option for option in needed if (options | {"size": size}).get(option) is None]:
        raise FFCError(f"data set {name!r}: {' and '.join(missing)} missing; it needs {' and '.join(needed)}")
    return DATASETS[name](expanded(root or os.environ.get("FFC_DATA") or "data"), size, **options)
