"""A released checkpoint, into the project's own store."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc import checkpoints
    from ffc.data import Dataset
    from ffc.records import Record

    task = snakemake.params.task
    path = json.loads(Path(snakemake.input.found).read_text())["files"][task["released"]]
    model = task["model"]
    shape = None if model["kind"] == "densenet" else Dataset.from_record(Record.load(snakemake.input.data)).shape
    given = checkpoints.load(path, shape, model.get("trunc_lambda"))
    source = {"origin": "released", "file": Path(path).name, "released_sha256": given.meta["sha256"]}
    checkpoints.save(snakemake.output.weights, given.model, given.params, source)
