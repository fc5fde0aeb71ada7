"""Weights that were not trained here, as a task asks for them: the authors' released file, or a model in the box."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffc import box
from ffc.core.errors import FFCError
from ffc.data import rows, title
from ffc.models import model_class
from ffc.store import checkpoints
from ffc.store.checkpoints import Checkpoint


def take(task: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Checkpoint, dict[str, Any]]:
    """Return the weights that `task` names, and what is known of them; `files` says where released ones are.

    Raises `FFCError` where they are of another model than the task's.
    """
    kind, name = task["model"]["kind"], task.get("weights")
    if name:
        weights, place = box.load(name), f"{name}, in the box"
        about = {fact: value for fact, value in weights.meta.items() if fact not in ("file", "sha256")} | {"name": name}
    else:
        place = files[task["released"]]
        weights, about = _released(Path(place), kind, task)
    if not isinstance(weights.model, model_class(kind)):
        raise FFCError(f"{place}: weights of a {weights.model.kind}, where the preset wants a {kind}; name others")
    return weights, about


def _released(path: Path, kind: str, task: Mapping[str, Any]) -> tuple[Checkpoint, dict[str, Any]]:
    """Return released weights, and what is known of them: of a classifier, which takes images of any size, no data."""
    data = {fact: value for fact, value in task["data"].items() if fact in ("name", "size")}
    side = rows(**data) if kind != "densenet" else None
    trunc_lambda = task["model"].get("trunc_lambda", getattr(model_class(kind), "trunc_lambda", None))
    weights = checkpoints.load(path, (side, side) if side else None, trunc_lambda)
    about = {"origin": "released", "released_file": path.name, "released_sha256": weights.meta["sha256"]}
    return weights, about | ({"data": {"name": data["name"], "title": title(**data)}} if kind != "densenet" else {})
