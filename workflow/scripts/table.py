"""The table of results as a page of the report, and the verdict for its first page."""

import csv
from html import escape
from pathlib import Path

from _entry import job


def row(cells, tag):
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


with job(snakemake):
    from ffc.paper.first_page import first_page
    from ffc.paper.workflow import write_page
    from ffc.store.records import write_bytes

    with open(snakemake.input.csv, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    lines = [f"<h1>{escape(snakemake.params.title)}</h1><table>", row(header, "th")]
    lines += [row(cells, "td") for cells in rows]
    write_page(Path(snakemake.output.page), snakemake.params.title, "\n".join([*lines, "</table>"]))
    text = first_page(Path(snakemake.input.markdown), [Path(figure) for figure in snakemake.input.figures])
    write_bytes(Path(snakemake.output.verdict), text.encode())
