"""One record of a solver's repeats, which several jobs have shared."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import sampling
    from ffc.store.records import Record

    sampling.gather([Record.load(part) for part in snakemake.input.parts]).save(snakemake.output[0])
