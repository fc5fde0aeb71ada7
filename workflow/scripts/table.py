"""The table of results as a page of the report."""

import csv
from html import escape
from pathlib import Path

from _entry import job

STYLE = """body { font-family: sans-serif; font-size: 14px }
table { border-collapse: collapse }
th { text-align: left; border-bottom: 2px solid #888 }
th, td { padding: 4px 10px }
tr:nth-child(even) { background: #f3f3f3 }"""


def row(cells, tag):
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


with job(snakemake):
    from ffc.records import write_whole

    with open(snakemake.input[0], newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    title = escape(snakemake.params.title)
    lines = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>",
        f"<h1>{title}</h1><table>",
        row(header, "th"),
        *(row(cells, "td") for cells in rows),
        "</table></html>",
    ]
    write_whole(Path(snakemake.output[0]), lambda page: page.write("\n".join(lines).encode()))
