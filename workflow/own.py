"""What a preset names of its user's own, a folder of pictures or a model: looked for before anything runs.

Nothing here runs a line of the user's.
"""

import ast
import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ffc.core.names import nearest
from ffc.data import folder, options_of


def state_of_pictures(settings: Mapping[str, Any], root: str | None) -> str:
    """Return what changes with a picture of the folder that a preset's `data:` names: a digest of names, sizes, times.

    A job of the data runs again where it changes. Empty where no folder is named.
    """
    path = settings.get("path", options_of(settings["name"]).get("path", (str, None))[1])
    if path is None:
        return ""
    digest = hashlib.sha256()
    for place, folders, files in os.walk(folder(root) / os.path.expanduser(path), followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(place, name) for name in sorted(files) if not name.startswith(".")):
            if file.exists():
                digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


def problem_of_pictures(settings: Mapping[str, Any], root: str | None) -> str | None:
    """Return what is wrong with the folder of pictures that a `data:` names, absolute or below that of data sets."""
    place = folder(root) / os.path.expanduser(settings.get("path", ""))
    there = "path" not in settings or place.is_dir()
    return None if there else f"data.path: there is no folder {place}; make it, or name another"


def problem_of_model(kind: str, root: Path) -> str | None:
    """Return what is wrong with a model's class, as far as its file tells: in `root`, or an installed package."""
    module, own, name = kind.partition(":")
    if not own:
        return None
    place, top = root.joinpath(*module.split(".")), module.partition(".")[0]
    file = next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)
    if file is None:
        if top and not (root / top).exists() and find_spec(top):
            return None
        return f"model.kind: there is no module {module}; put it into the project's folder, or install it"
    try:
        names = _names(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError) as error:
        return f"model.kind: {file} cannot be read as Python ({error}); mend it"
    there = name in names or "*" in names
    return None if there else f"model.kind: {file} has no class {name}{nearest(name, names)}"


def _names(tree: ast.AST) -> set[str]:
    """Return the names of all classes, and of what is imported or assigned, perhaps a class."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
