"""Run a notebook by papermill, and make a page of it; what it was when it failed stays in the log folder."""

import os
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.workflow import notebook_page, run_notebook

    os.environ["JAX_PLATFORMS"] = "cpu"  # a notebook only draws: it leaves the accelerator alone
    notebook, executed, output = snakemake.input.notebook, snakemake.log.notebook, Path(snakemake.output.notebook)
    run_notebook(Path(notebook), Path(executed), output, snakemake.params.parameters)
    if page := snakemake.output.get("page"):
        notebook_page(output, Path(page))
