"""Tables as Markdown."""

from collections.abc import Iterable


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a header and rows of text."""
    header = list(header)
    return "\n".join([_line(header), "|" + "---|" * len(header), *map(_line, rows)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
