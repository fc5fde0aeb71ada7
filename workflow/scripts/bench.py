"""All solvers of a preset, timed in turn."""

from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.bench import bench, to_markdown
    from ffc.store.records import write_bytes

    record = bench(Path(snakemake.params.results), repeats=snakemake.params.repeats)
    record.save(snakemake.output.record)
    write_bytes(snakemake.output.table, to_markdown(record).encode())
