"""A released checkpoint, into the project's own store."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.core.errors import FFCError
    from ffc.data import Dataset
    from ffc.models import model_class
    from ffc.store import checkpoints

    task = snakemake.params.task
    path = json.loads(Path(snakemake.input.found).read_text())["files"][task["released"]]
    kind, cls = task["model"]["kind"], model_class(task["model"]["kind"])
    shape = None if kind == "densenet" else Dataset.load(snakemake.input.data).shape
    given = checkpoints.load(path, shape, task["model"].get("trunc_lambda", getattr(cls, "trunc_lambda", None)))
    if not isinstance(given.model, cls):
        raise FFCError(f"{path}: weights of a {given.model.kind}, where the preset wants a {kind}; put the right file")
    source = {"origin": "released", "released_file": Path(path).name, "released_sha256": given.meta["sha256"]}
    checkpoints.save(snakemake.output.weights, given.model, given.params, source)
