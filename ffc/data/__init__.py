"""Data sets, found by name: `load("digits", size=10)` → `Dataset` of uint8 images.

A set of your own is one function `(root, size, **options) -> Dataset`, entered in `DATASETS`; its keyword
arguments are the options that a preset's `data:` section may name.
"""

import inspect
import os
from collections.abc import Callable
from typing import Any

from ffc.core.errors import FFCError, need

need("PIL", extra="training")

from ffc.data import sources
from ffc.data.dataset import Dataset
from ffc.data.sources import rows, title
from ffc.data.text import text
from ffc.store.paths import expanded

__all__ = ["DATASETS", "Dataset", "load", "rows", "title"]

#: Every data set by the name that presets, records and figures call it.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": sources.digits,
    "patches": sources.patches,
    "mnist": sources.mnist,
    "cifar10": sources.cifar10,
    "cifar10-jpeg": sources.cifar10_jpeg,
    "image_folder": sources.image_folder,
    "imagenet": sources.imagenet,
    "text": text,
}


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
    source = DATASETS[name]
    known = list(inspect.signature(source).parameters)[2:]
    if unknown := sorted(options.keys() - set(known)):
        raise FFCError(
            f"data set {name!r}: unknown option {', '.join(unknown)}; expected {', '.join(['size', *known])}"
        )
    return source(expanded(root or os.environ.get("FFC_DATA") or "data"), size, **options)
