"""A task's data set, as a record."""

from _entry import job
from snakemake.script import snakemake

with job(snakemake):
    from ffc.data import load, to_record

    to_record(load(root=snakemake.config["data"]["folder"], **snakemake.params.data)).save(snakemake.output[0])
