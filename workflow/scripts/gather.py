"""One record of a solver's repeats, which several jobs have shared."""

from _entry import job

with job(snakemake):
    from ffc.experiments import sampling
    from ffc.records import Record

    sampling.gather([Record.load(part) for part in snakemake.input.parts]).save(snakemake.output[0])
