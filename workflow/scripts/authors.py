"""The authors' raw results of one solver of one task, as a record."""

import json
import os
from pathlib import Path

from _entry import job

os.environ["JAX_PLATFORMS"] = "cpu"  # distances of iterates: nothing for an accelerator

with job(snakemake):
    from ffc.paper import authors

    files = json.loads(Path(snakemake.input.note).read_text())["extra"]
    wildcards = snakemake.wildcards
    authors.read(wildcards.task, wildcards.solver, files).save(snakemake.output[0])
