"""A figure as it is printed: axes, a legend that hides nothing, a footnote that says what it shows, and its files."""

import io
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from ffc.paper.figures.style import GREY, PARTS, RC, sources, theirs
from ffc.store.records import Record, write_bytes

#: Widths of the paper's single column and of its page, in inches: figures need no scaling there.
COLUMN, PAGE = 3.25, 6.75
_LINE = 0.13  # inches, of a legend
_LETTERS, _HANDLE = 22, 7  # of a legend, an inch; the room of a name's line, in letters
_NOTE_LETTERS = 23  # of a footnote, an inch


def axes(
    records: Sequence[Record], xlabel: str, ylabel: str, log: bool = False, notes: Iterable[str] = ()
) -> tuple[Figure, Axes]:
    """Return a single pair of axes over a footnote: `notes`, and what there is to say about `records`."""
    figure = Figure(figsize=(COLUMN, 0.7 * COLUMN))
    ax = figure.subplots()
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    add_footnote(figure, records, notes)
    return figure, ax


def add_legend(ax: Axes, signs: Sequence[Artist] = ()) -> None:
    """Above the axes, where it hides no curve, from the figure's left edge; a figure grows with a long one.

    Names stand in two columns, then those that are too long for these, and last `signs`, which are no curves.
    """
    figure = cast(Figure, ax.figure)
    short, long = _columns(ax.get_legend_handles_labels()[0], _LETTERS * figure.get_figwidth())
    lines = 0
    for group, columns in ((signs, 2), (long, 1), (short, 2)):  # upwards
        if group:
            lift = ScaledTranslation(0, _LINE * lines, figure.dpi_scale_trans)
            corner = blended_transform_factory(figure.transFigure, ax.transAxes + lift)
            place: dict[str, Any] = {
                "loc": "lower left",
                "bbox_to_anchor": (0, 1),
                "bbox_transform": corner,
                "borderaxespad": 0.5,
            }
            legend = ax.add_artist(Legend(ax, group, [*map(_name, group)], ncols=columns, borderpad=0, **place))
            legend.set_clip_on(False)  # or the layout would leave it no room
            lines += -(-len(group) // columns)
    _grow(figure, _LINE * lines)


def _columns(handles: list[Artist], width: float) -> tuple[list[Artist], list[Artist]]:
    """Those whose names fit two columns of `width` letters together, filled one after the other; and the longest."""
    short = list(handles)
    while short:
        half = -(-len(short) // 2)
        widest = [max((len(_name(one)) for one in column), default=0) for column in (short[:half], short[half:])]
        if sum(widest) + 2 * _HANDLE <= width:
            break
        short.remove(max(short, key=lambda one: len(_name(one))))
    return short, [one for one in handles if one not in short]


def _name(handle: Artist) -> str:
    return str(handle.get_label())


def add_footnote(
    figure: Figure, records: Sequence[Record], notes: Iterable[str] = (), parts: Iterable[str] = PARTS
) -> None:
    """Write `notes`, data set, weights and device below the figure; above it whose results these are, if not ours.

    A figure grows with both.
    """
    if any(map(theirs, records)):
        title = "The authors' results" if all(map(theirs, records)) else "Our results, and the authors' (faint)"
        figure.suptitle(title, x=0.01, ha="left", fontsize=7.5, fontweight="bold")
        _grow(figure, 1.5 * _LINE)
    text = _filled([*notes, *sources(records, parts)], int(figure.get_figwidth() * _NOTE_LETTERS))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=6, color=GREY)
    _grow(figure, 0.9 * _LINE * (1 + text.count("\n")))


def _grow(figure: Figure, inches: float) -> None:
    figure.set_figheight(figure.get_figheight() + inches)


def _filled(parts: Iterable[str], width: int) -> str:
    """Parts with dots between them, in lines that break between two parts where they can."""
    text = ""
    for part in parts:
        room = width - len(text.rpartition("\n")[2])
        gap = "" if not text else " · " if len(part) + 3 <= room else "\n"
        text += gap + textwrap.fill(part, width)
    return text


def save(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write `name`.png, .svg and .pdf (for LaTeX) under `folder`, each whole or not at all; the path of the first."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    with mpl.rc_context(RC):
        for ending, metadata in undated.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending, metadata=metadata)
            write_bytes(Path(folder) / f"{name}.{ending}", buffer.getvalue())
    return Path(folder) / f"{name}.png"
