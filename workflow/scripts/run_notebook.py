"""Run a notebook by papermill, and make a page of it; what it was when it failed stays in the log folder."""

import os
from pathlib import Path

from _entry import ROOT, job

with job(snakemake):
    from ffc.paper.workflow import notebook_page, run_notebook

    os.environ["JAX_PLATFORMS"] = "cpu"  # a notebook only draws: it leaves the accelerator alone
    params, output, executed = snakemake.params, snakemake.output, Path(snakemake.log[0]).with_suffix(".ipynb")
    parameters = dict(params.parameters)
    if Path.cwd() != ROOT:  # where the notebook would look for its folders
        folders = parameters.keys() & {"records", "authors", "figures", "output"}
        parameters |= {name: os.path.abspath(parameters[name]) for name in folders}
    source = Path(os.path.relpath(ROOT / "notebooks" / f"{params.notebook}.ipynb"))
    run_notebook(source, executed, Path(output.notebook), parameters)
    if page := output.get("page"):
        notebook_page(Path(output.notebook), Path(page))
