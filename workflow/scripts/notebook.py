"""Run a notebook by papermill; what it was when it failed stays in the log folder."""

import os
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.workflow import run_notebook

    os.environ["JAX_PLATFORMS"] = "cpu"  # a notebook only draws: it leaves the accelerator alone
    notebook, executed = snakemake.input.notebook, snakemake.log.notebook
    run_notebook(Path(notebook), Path(executed), Path(snakemake.output.notebook), snakemake.params.parameters)
