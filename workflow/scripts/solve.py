"""One solver of one task."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import run

    files = {name: snakemake.input.get(name) for name in ("data", "checkpoint", "reference")}
    wildcards, params = snakemake.wildcards, snakemake.params
    record = run(wildcards.task, params.settings, wildcards.solver, **files, seed=params.seed, repeats=params.repeats)
    record.save(snakemake.output[0])
