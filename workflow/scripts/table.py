"""The table of results as a page of the report, and the verdict for its first page."""

from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.first_page import first_page, table_page
    from ffc.store.records import write_bytes

    inputs, output = snakemake.input, snakemake.output
    table_page(Path(inputs.csv), snakemake.params.title, Path(output.page))
    text = first_page(Path(inputs.markdown), [Path(figure) for figure in inputs.figures])
    write_bytes(Path(output.verdict), text.encode())
