"""What a run came to, for the terminal and for the first page of its report: read from its `summary.md`."""

import base64
import re
import textwrap
from pathlib import Path

#: The figure that makes the case: the first of these that the preset has; a task of one's own has one by time.
FIGURES = ("made_mnist", "pixelcnnpp_mnist", "sampling_scaling", "*_time", "densenet_outputs", "rnn_end", "training")

#: Snakemake centres its pages: of one that is larger than the window, the top and the left would be out of reach.
STYLE = """.. raw:: html

   <style>.items-center.overflow-auto { place-content: safe center; place-items: safe center }
   .prose.max-w-lg { max-width: 50rem; padding: 1rem }</style>"""


def verdict(summary: Path) -> tuple[list[str], list[list[str]]]:
    """The lines of the section Verdict, and the rows of its table, the titles first."""
    section = re.search(r"^## Verdict\n(.*?)(?=^## |\Z)", summary.read_text(encoding="utf-8"), re.M | re.S)
    lines = section[1].splitlines() if section else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [line[2:] for line in lines if line.startswith("- ")], cells[:1] + cells[2:]


def first_page(about: str, summary: Path, figures: Path) -> str:
    """The text `about` the workflow in reStructuredText, with the verdict, its table and a figure before it."""
    lines, rows = verdict(summary)
    title, _, rest = about.partition("\n\n")
    parts = [title, STYLE, "\n".join(f"- {_plain(line)}" for line in lines), _table(rows), _figure(figures), rest]
    return "\n\n".join(part for part in parts if part)


def _table(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        "".join(f"   {'* -' if i == 0 else '  -'} {_plain(cell)}\n" for i, cell in enumerate(row)) for row in rows
    )
    return f".. list-table::\n   :header-rows: 1\n\n{cells}"


def _figure(folder: Path) -> str:
    """The figure inside the page, as a report is one file; in lines, as docutils reads none that is very long."""
    path = next((path for name in FIGURES for path in sorted(folder.glob(f"{name}.png"))), None)
    if path is None:
        return ""
    data = textwrap.indent(base64.encodebytes(path.read_bytes()).decode(), "   ")
    return f".. image:: data:image/png;base64,\n{data}   :alt: {path.stem}\n   :width: 100%"


def _plain(text: str) -> str:
    """Without what reStructuredText or Jinja would take for markup."""
    return re.sub(r"([\\*`|_{}])", r"\\\1", text)
