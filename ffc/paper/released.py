"""Find what a preset asks for and can be had: released files, models in the box, the authors' raw results."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ffc import box
from ffc.core.errors import FFCError
from ffc.paper import authors
from ffc.store.released import collect


def look_for(
    files: Collection[str],
    boxed: Collection[str],
    figures: Collection[str],
    folder: Path,
    *,
    mode: str,
    source: str | None,
    sha256: str | None,
) -> dict[str, Any]:
    """Return what `collect` does of `files`, with the digests of models in the `box`, and `authors`: the `figures`.

    Each figure that the authors' results allow comes with the records that it shows. Raises `FFCError` where the `mode`
    is `released` and one of `files` or `boxed` lacks.
    """
    note = collect(files, folder, source, sha256, mode == "released", authors.files_of(figures))
    note["box"] = {name: box.about(name)["sha256"] for name in boxed if name in box.names()}
    if lacking := ", ".join(name for name in boxed if name not in note["box"]):
        print(f"{lacking}: not in the box, which has {', '.join(box.names())}")
        if mode == "released":
            raise FFCError(f"checkpoints.mode is `released`, but the box has no {lacking}; set the mode to auto")
    return note | {"authors": authors.drawable(figures, note["extra"])}
