"""What a preset names of its user's own, a folder of pictures or a model: looked for before anything runs.

Nothing here imports `ffc`, as in `presets.py`, nor runs a line of the user's.
"""

import ast
import difflib
import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def problem_of(name: str, preset: Mapping[str, Any], workflow: Any, config: Mapping[str, Any]) -> str | None:
    """What is not there of all that a preset names, beginning with its file and the key; None where nothing lacks."""
    root, storage, deployment = Path(workflow.basedir), workflow.storage_settings, workflow.deployment_settings
    data = data_folder(config)
    afar = storage and storage.default_storage_provider  # pods see another disk
    elsewhere = bool(deployment and deployment.deployment_method)  # jobs may have packages that are not here
    for task, settings in preset["tasks"].items():
        made = Path(f"results/{name}/data/{task}.npz").exists()
        problem = None if made or afar else problem_of_pictures(settings, data)
        problem = problem or problem_of_model(settings.get("model", {}).get("kind", ""), root, elsewhere)
        if problem:
            return f"config/presets/{name}.yaml: tasks.{task}.{problem}"
    return None


def data_folder(config: Mapping[str, Any]) -> Path:
    """Return the folder of data sets: as configured, or `FFC_DATA`, or `data`."""
    return Path(os.path.expanduser(config["data"]["folder"] or os.environ.get("FFC_DATA") or "data"))


def state_of_pictures(settings: Mapping[str, Any], data: Path) -> str:
    """Return what changes with a picture of the folder that a preset's `data:` names: a digest of names, sizes, times.

    A job of the data runs again where it changes. Empty where no folder is named.
    """
    path = settings.get("path", "imagenet" if settings["name"] == "imagenet" else None)
    if path is None:
        return ""
    digest = hashlib.sha256()
    for place, folders, files in os.walk(data / os.path.expanduser(path), followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(place, name) for name in sorted(files) if not name.startswith(".")):
            if file.exists():
                digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


def problem_of_pictures(settings: Mapping[str, Any], data: Path) -> str | None:
    """Of a task's folder of pictures, absolute or in the folder `data`."""
    path = settings["data"].get("path")
    if path is None or settings.keys() & {"released", "weights"}:  # where these are had, no data may be needed
        return None
    folder = data / os.path.expanduser(path)
    return None if folder.is_dir() else f"data.path: there is no folder {folder}; make it, or name another"


def problem_of_model(kind: str, root: Path, elsewhere: bool = False) -> str | None:
    """Of a model's class, as far as its file tells: in the folder `root`, or a package, here or `elsewhere`."""
    module, own, name = kind.partition(":")
    if not own:
        return None
    place, top = root.joinpath(*module.split(".")), module.partition(".")[0]
    file = next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)
    if file is None:
        if top and not (root / top).exists() and (elsewhere or find_spec(top)):
            return None
        return f"model.kind: there is no module {module}; put it into the project's folder, or install it"
    try:
        names = _names(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError) as error:
        return f"model.kind: {file} cannot be read as Python ({error}); mend it"
    if name in names or "*" in names:
        return None
    near = difflib.get_close_matches(name, names, n=1)
    return f"model.kind: {file} has no class {name}{f' (did you mean {near[0]}?)' if near else ''}"


def _names(tree: ast.AST) -> set[str]:
    """The names of all classes, and of what is imported or assigned, perhaps a class."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
