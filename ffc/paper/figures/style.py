"""How every figure looks: one colour and one dash for each solver, small type, a footnote that says what it shows."""

import dataclasses
import io
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from ffc.store.records import Record, write_bytes
from ffc.store.released import DENSENET

#: Widths of the paper's single column and of its page, in inches: figures need no scaling there.
COLUMN, PAGE = 3.25, 6.75
_LINE = 0.13  # inches, of a legend
_LETTERS = 22  # of a legend, an inch, its lines and gaps allowed for

#: Matplotlib's own defaults, then ours: a user's matplotlibrc and styles change no figure.
RC: dict[Any, Any] = {
    **{name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")},
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 6.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.04,
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.4,
    "legend.columnspacing": 0.8,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.3,
    "legend.handletextpad": 0.4,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # letters, not outlines: a PDF of the paper can be searched
    "savefig.dpi": 240,
    "svg.hashsalt": "ffc",  # the same figure is the same file
}
#: Decorates a function that draws.
styled = mpl.rc_context(RC)


@dataclass(frozen=True)
class Look:
    """A solver's name, colour (Okabe and Ito's, told apart by colour-blind readers) and dash (in print)."""

    label: str
    color: str
    dash: str | tuple = "-"
    faint: bool = False  # beside the curves that a figure is about

    @property
    def line(self) -> dict:
        faint = {"linewidth": 1.0, "alpha": 0.55} if self.faint else {}
        return {"color": self.color, "linestyle": self.dash, **faint}

    @property
    def thin(self) -> dict:
        """A second line of the same solver."""
        return self.line | {"linestyle": "-", "linewidth": 0.5 if self.faint else 0.8}

    @property
    def shade(self) -> float:
        """The opacity of a band around the line."""
        return 0.07 if self.faint else 0.15


#: By kind of solver, in the order of legends and tables.
LOOKS = {
    "feedforward": Look("Feedforward", "#000000"),
    "sequential": Look("Sequential", "#000000"),
    "cached": Look("Sequential, cached", "#0072b2", (0, (6, 1.5))),
    "jacobi": Look("Jacobi", "#d55e00", (0, (6, 1.2, 1.2, 1.2))),
    "gs_jacobi": Look("GS-Jacobi", "#009e73", (0, (2.5, 1))),
    "jacobi_gs": Look("Jacobi-GS", "#cc79a7", (0, (1, 1))),
    "auto": Look("Auto", "#e69f00", (0, (4, 1, 1, 1, 1, 1))),
}
#: From long to short: where curves coincide, what was drawn before shows through.
_DASHES = ((0, (10, 2)), (0, (6, 2)), (0, (5, 1.5, 1.5, 1.5)), (0, (3, 2)), (0, (1, 2)))


def theirs(record: Record) -> bool:
    """Whether the authors, not we, ran it (`ffc.paper.authors`)."""
    return record.meta.get("origin") == "authors"


def beside(ours: Mapping[str, Record], authors: Mapping[str, Record]) -> dict[str, Record]:
    """Records of one task, ours and the authors', for a figure to draw together: theirs faint, and named so."""
    faint = {
        f"{name}_authors": dataclasses.replace(record, meta=record.meta | {"beside": True})
        for name, record in authors.items()
    }
    return {**ours, **faint}


def is_beside(record: Record) -> bool:
    """Whether a record came into its figure by `beside`, along with ours."""
    return record.meta.get("beside", False)


def of_kind(records: Mapping[str, Record], kind: str) -> list[Record]:
    """The records of one kind of solver: ours, and the authors' beside it."""
    return in_order(record for record in records.values() if record.meta["kind"] == kind)


def of_one_system(record: Record, other: Record) -> bool:
    """Whether two records of one task solve the same system, so that they have one answer."""
    return record.meta.get("system", {}) == other.meta.get("system", {})


def look(record: Record) -> Look:
    """The look of a record's solver; the label says its window or block, its system, or that it was truncated."""
    base, options = LOOKS[record.meta["kind"]], record.meta["settings"]["solvers"][record.meta["solver"]] or {}
    chosen = record.meta.get("chosen", {})
    options = options | chosen
    notes = [LOOKS[chosen["solver"]].label] if record.meta["kind"] == "auto" else []
    notes += [f"{name} {options[name]}" for name in ("window", "block", "guess") if options.get(name)]
    notes += [note for name, note in (("draft", "drafted"), ("together", "together")) if options.get(name)]
    notes += ["8-bit"] if record.meta.get("system", {}).get("quantize") == "8bit" else []
    if "iterations" in options:
        notes.append(f"{options['iterations']} iterations")
    label = f"{base.label} ({', '.join(notes)})" if notes else base.label
    return Look(f"authors: {label}" if is_beside(record) else label, base.color, base.dash, is_beside(record))


def looks(records: Iterable[Record]) -> list[Look]:
    """The look of each record; of several of one kind, the later ones are darker, and each has a dash of its own."""
    seen: Counter = Counter()
    found = []
    for record in records:
        style, among = look(record), (record.meta["kind"], is_beside(record))
        if number := seen[among]:
            red, green, blue = mpl.colors.to_rgb(style.color)
            color = mpl.colors.to_hex((0.55 * red, 0.55 * green, 0.55 * blue))
            style = dataclasses.replace(style, color=color, dash=_DASHES[-number % len(_DASHES)])
        seen[among] += 1
        found.append(style)
    return found


def shades(count: int) -> list[dict]:
    """Lines of one family that differ in one number: from light to dark, each with its own dash."""
    colors = mpl.colormaps["YlOrBr"]
    places = [0.4 + 0.55 * i / max(1, count - 1) for i in range(count)]
    return [{"color": colors(place), "linestyle": _DASHES[i % len(_DASHES)]} for i, place in enumerate(places)]


def in_order(records: Iterable[Record]) -> list[Record]:
    """By kind of solver, then by iterations and name; what stands beside ours comes after it."""
    kinds = list(LOOKS)

    def place(record: Record) -> tuple:
        options = record.meta["settings"]["solvers"].get(record.meta["solver"]) or {}
        return is_beside(record), kinds.index(record.meta["kind"]), options.get("iterations", 0), record.meta["solver"]

    return sorted(records, key=place)


def axes(records: Sequence[Record], xlabel: str, ylabel: str, log: bool = False) -> tuple[Figure, Axes]:
    """A single pair of axes over a footnote about `records`."""
    figure = Figure(figsize=(COLUMN, 0.78 * COLUMN))
    ax = figure.subplots()
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    add_footnote(figure, records)
    return figure, ax


def add_legend(ax: Axes, columns: int = 2) -> None:
    """Above the axes, where it hides no curve, from the figure's left edge; a figure grows with a long one.

    In one column where names are too long for more.
    """
    figure = cast(Figure, ax.figure)
    labels = ax.get_legend_handles_labels()[1]
    if max(map(len, labels), default=0) * columns > _LETTERS * figure.get_figwidth():
        columns = 1
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + _LINE * rows)
    corner = blended_transform_factory(figure.transFigure, ax.transAxes)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), bbox_transform=corner, ncols=columns, borderaxespad=0.2)


def add_footnote(figure: Figure, records: Sequence[Record]) -> None:
    """Data set, weights and device of `records`, below the figure; above it whose results they are, if not ours."""
    if any(map(theirs, records)):
        title = "The authors' results" if all(map(theirs, records)) else "Our results, and the authors' (faint)"
        figure.suptitle(title, x=0.01, ha="left", fontsize=7.5, fontweight="bold")
    width = int(figure.get_figwidth() * 25)
    text = textwrap.fill(" · ".join(sources(records)), width)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=5, color="#555555")


def sources(records: Iterable[Record], parts: Iterable[str] = ("Data", "Weights", "Device")) -> list[str]:
    """What the records were made from: the true name of the data, where the weights come from, the device."""
    lines, records = [], list(records)
    for part in parts:
        names = list(dict.fromkeys(filter(None, map(_SOURCES[part], records))))
        warning = " (times of different devices do not compare)" if part == "Device" and len(names) > 1 else ""
        if names:
            lines.append(f"{part}: {', '.join(names)}{warning}")
    return lines


def _data(record: Record) -> str | None:
    return record.meta.get("data", {}).get("title")


def _weights(record: Record) -> str | None:
    checkpoint = record.meta.get("checkpoint")
    if checkpoint is None:
        return None
    origin, metrics = checkpoint.get("origin", "given"), checkpoint.get("metrics", {})
    if origin in ("trained", "box"):
        facts = [f"{metrics['steps']} steps"] if "steps" in metrics else []
        facts += [f"{metrics['test_loss']:.3g} {metrics['unit']}"] if "test_loss" in metrics else []
        where = "trained here" if origin == "trained" else f"{checkpoint['name']} in the box"
        return f"{where} ({', '.join(facts)})" if facts else where
    if origin == "released":
        return f"released by {'torchvision' if checkpoint.get('released_file') == DENSENET else 'the authors'}"
    return f"{checkpoint.get('file', 'unnamed')} ({origin})"


def _device(record: Record) -> str:
    return record.meta["device"]["name"]


_SOURCES = {"Data": _data, "Weights": _weights, "Device": _device}


def save(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write `name`.png, .svg and .pdf (for LaTeX) under `folder`, each whole or not at all; the path of the first."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    with mpl.rc_context(RC):
        for ending, metadata in undated.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending, metadata=metadata)
            write_bytes(Path(folder) / f"{name}.{ending}", buffer.getvalue())
    return Path(folder) / f"{name}.png"
