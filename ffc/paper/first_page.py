"""The outcome of a run, for the terminal and for the report: its first page from its `summary.md`, and its table."""

import base64
import csv
import re
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ffc.paper.workflow import write_page

#: The figure that makes the case: the first of these that the preset has; a task of one's own has one by time.
FIGURES = ("made_mnist", "pixelcnnpp_mnist", "sampling_scaling", "*_time", "densenet_outputs", "rnn_end", "training")


def verdict(summary: Path) -> tuple[list[str], list[list[str]]]:
    """Return the lines of the section Verdict, and the rows of its table, the titles first."""
    section = re.search(r"^## Verdict\n(.*?)(?=^## |\Z)", summary.read_text(encoding="utf-8"), re.M | re.S)
    lines = section[1].splitlines() if section else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [line[2:] for line in lines if line.startswith("- ")], cells[:1] + cells[2:]


def first_page(summary: Path, figures: Sequence[Path]) -> str:
    """Return the verdict in reStructuredText, with its table and one of `figures`."""
    lines, rows = verdict(summary)
    parts = ["\n".join(f"- {_plain(line)}" for line in lines), _table(rows), _figure(figures)]
    return "".join(f"{part}\n\n" for part in parts if part)


def _table(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        "".join(f"   {'* -' if i == 0 else '  -'} {_plain(cell)}\n" for i, cell in enumerate(row)) for row in rows
    )
    return f".. list-table::\n   :header-rows: 1\n\n{cells}"


def _figure(figures: Sequence[Path]) -> str:
    """Return the figure inside the page, for a report is one file; in lines, as docutils reads no long one."""
    path = next((path for name in FIGURES for path in sorted(figures) if path.match(f"{name}.png")), None)
    if path is None:
        return ""
    data = textwrap.indent(base64.encodebytes(path.read_bytes()).decode(), "   ")
    return f".. image:: data:image/png;base64,\n{data}   :alt: {path.stem}\n   :width: 100%"


def table_page(table: Path, title: str, output: Path) -> None:
    """Write the rows of `table`, a .csv file, as a page of the report."""
    with open(table, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    lines = [f"<h1>{escape(title)}</h1><table>", _row(header, "th"), *(_row(row, "td") for row in rows), "</table>"]
    write_page(output, title, "\n".join(lines))


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _plain(text: str) -> str:
    """Without what reStructuredText or Jinja would take for markup."""
    return re.sub(r"([\\*`|_{}])", r"\\\1", text)
