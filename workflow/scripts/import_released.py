"""A released checkpoint, or a model in the box, into the project's own store."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.weights import take
    from ffc.store import checkpoints

    files = json.loads(Path(snakemake.input.note).read_text())["files"]
    checkpoint, about = take(snakemake.params.task, files)
    checkpoints.save(snakemake.output.weights, checkpoint.model, checkpoint.params, about)
