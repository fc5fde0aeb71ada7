"""What a preset says of sizes that cannot be: found before anything is trained.

Nothing here imports `ffc`, as in `presets.py`. Each function gives what is wrong, beginning with the key, or None.
"""

from collections.abc import Mapping
from typing import Any

#: Defaults of the library's models.
_PATCH, _BLOCKS, _LEVELS = 4, 4, 256


def problem_of(settings: Mapping[str, Any], rows: int | None) -> str | None:
    """Of a task whose images have so many `rows` (None: not known yet)."""
    kind = settings.get("model", {}).get("kind", "")
    if kind == "flow":
        return _of_a_flow(settings, rows)
    if kind in ("made", "pixelcnnpp") and rows and (problem := _of_rows(settings, rows, kind)):
        return problem
    levels = settings.get("model", {}).get("levels", _LEVELS)
    if kind == "transformer" and (most := settings.get("system", {}).get("top_k", 1)) > levels:
        return f"system.top_k: {most} of {levels} tokens cannot be left; give 1 … {levels}"
    return None


def problem_of_lengths(scaling: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Of the section `scaling`, whose task has these `settings`."""
    data, longest = settings["data"], max(scaling.get("lengths", [0]))
    if data["name"] == "text" and longest > data.get("size", longest):
        return f"lengths: {longest}; the texts of its task have {data['size']} bytes: give that many, or fewer"
    return None


def _of_rows(settings: Mapping[str, Any], rows: int, kind: str) -> str | None:
    """Windows and blocks must fit the image. (Those of MADE are entries, some for each colour.)"""
    for name, solver in settings["solvers"].items():
        window, block = solver.get("window", 1), solver.get("block", 1)
        if isinstance(window, int) and window > rows:
            return f"solvers.{name}.window: {window} rows, but the images have {rows}; give 1 … {rows}"
        if kind == "pixelcnnpp" and rows**2 % block:
            return f"solvers.{name}.block: {block} does not divide the image's {rows**2} pixels; a row has {rows}"
    return None


def _of_a_flow(settings: Mapping[str, Any], rows: int | None) -> str | None:
    model = settings["model"]
    patch, blocks = model.get("patch", _PATCH), model.get("blocks", _BLOCKS)
    if rows and rows % patch:
        return f"model.patch: {patch} does not divide the {rows} rows of the images; give a divisor"
    for name, solver in settings["solvers"].items():
        if isinstance(window := solver.get("window", 1), int) and window > blocks:
            return f"solvers.{name}.window: {window} rows, but this flow has {blocks}; give 1 … {blocks}, or '8 blocks'"
    return None
