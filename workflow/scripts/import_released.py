"""A released checkpoint, or a model in the box, into the project's own store."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc import box
    from ffc.core.errors import FFCError
    from ffc.data import rows, title
    from ffc.models import model_class
    from ffc.store import checkpoints

    task, name = snakemake.params.task, snakemake.params.task.get("weights")
    kind, cls = task["model"]["kind"], model_class(task["model"]["kind"])
    if name:
        given, place = box.load(name), f"{name}, in the box"
        about = {fact: value for fact, value in given.meta.items() if fact not in ("file", "sha256")} | {"name": name}
    else:
        place = json.loads(Path(snakemake.input.found).read_text())["files"][task["released"]]
        data = {fact: value for fact, value in task["data"].items() if fact in ("name", "size")}
        side = rows(**data) if kind != "densenet" else None
        trunc_lambda = task["model"].get("trunc_lambda", getattr(cls, "trunc_lambda", None))
        given = checkpoints.load(place, side and (side, side), trunc_lambda)
        about = {"origin": "released", "released_file": Path(place).name, "released_sha256": given.meta["sha256"]}
        about |= {"data": {"name": data["name"], "title": title(**data)}} if kind != "densenet" else {}
    if not isinstance(given.model, cls):
        raise FFCError(f"{place}: weights of a {given.model.kind}, where the preset wants a {kind}; name others")
    checkpoints.save(snakemake.output.weights, given.model, given.params, about)
