"""A task's data set, as a record."""

from _entry import job

with job(snakemake):
    from ffc.data import load

    dataset = load(root=snakemake.config["data"]["folder"], **snakemake.params.data)
    dataset.to_record().save(snakemake.output[0])
