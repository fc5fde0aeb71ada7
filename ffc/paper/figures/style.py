"""How every figure looks: one name, colour and dash for each solver, small type, and what to say of its records."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from ffc.paper.tasks import paper_of
from ffc.store.records import Record
from ffc.store.released import DENSENET

PARTS = ("Data", "Weights", "Device")  # what a footnote says of records

#: Of what is no solver's.
GREY = "#555555"

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
    marker: str = "o"  # a square where a solver has a system of its own

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


#: By kind of solver, in the order of legends and tables. Solvers of 8-bit images come last.
LOOKS = {
    "feedforward": Look("Feedforward", "#000000"),
    "sequential": Look("Sequential", "#000000"),
    "cached": Look("Sequential, cached", "#0072b2", (0, (6, 1.5))),
    "jacobi": Look("Jacobi", "#d55e00", (0, (6, 1.2, 1.2, 1.2))),
    "gs_jacobi": Look("GS-Jacobi", "#009e73", (0, (2.5, 1))),
    "gs_jacobi_ahead": Look("GS-Jacobi", "#00573f", (0, (1, 2))),  # from a better first guess
    "jacobi_gs": Look("Jacobi-GS", "#cc79a7", (0, (1, 1))),
    "auto": Look("Auto", "#882255", (0, (4, 1, 1, 1, 1, 1))),
    "deer": Look("DEER", "#332288", (0, (6, 1.2, 1.2, 1.2))),
    "quasi_deer": Look("Quasi-DEER", "#999933", (0, (4, 2))),
    "scan": Look("Associative scan", "#661100", (0, (2.5, 1))),
    "cached_8bit": Look("Sequential, cached", "#56b4e9", (0, (6, 1.5)), marker="s"),
    "drafted": Look("GS-Jacobi", "#e69f00", marker="s"),
}
#: From long to short: where curves coincide, what was drawn before shows through.
_DASHES = ((0, (10, 2)), (0, (6, 2)), (0, (5, 1.5, 1.5, 1.5)), (0, (3, 2)), (0, (1, 2)))


def theirs(record: Record) -> bool:
    """Whether the authors, not we, ran it (`ffc.paper.authors`)."""
    return record.meta.get("origin") == "authors"


def beside(ours: Mapping[str, Record], authors: Mapping[str, Record]) -> dict[str, Record]:
    """Return records of one task, ours and the authors', for a figure to draw together: theirs faint, and named so."""
    faint = {
        f"{name}_authors": dataclasses.replace(record, meta=record.meta | {"beside": True})
        for name, record in authors.items()
    }
    return {**ours, **faint}


def is_beside(record: Record) -> bool:
    """Whether a record came into its figure by `beside`, along with ours."""
    return record.meta.get("beside", False)


def of_kind(records: Mapping[str, Record], kind: str) -> list[Record]:
    """Return the records of one kind of solver: ours, and the authors' beside it."""
    return in_order(record for record in records.values() if record.meta["kind"] == kind)


def of_one_system(record: Record, other: Record) -> bool:
    """Whether two records of one task solve the same system, so that they have one answer."""
    return record.meta.get("system", {}) == other.meta.get("system", {})


def look(record: Record) -> Look:
    """Return the look of a record's solver; the label tells its window or block, its system, or a truncation."""
    base, options = LOOKS[kind_of(record)], _options(record)
    chosen = record.meta.get("chosen", {})
    drafted = options.get("draft")
    notes = [LOOKS[chosen["solver"]].label] if record.meta["kind"] == "auto" else []
    notes += [f"{name} {options[name]}" for name in ("window", "block") if options.get(name)]
    notes += [f"guess {options['guess']}"] if options.get("guess") and not drafted else []
    notes += ["drafted"] if drafted else ["together"] if options.get("together") else []
    notes += ["8-bit"] if _is_8bit(record) else []
    if "iterations" in options:
        notes.append(f"{options['iterations']} iterations")
    outside = "; not in the paper" if drafted and paper_of(record.meta) else ""
    label = f"{base.label} ({', '.join(notes)}{outside})" if notes else base.label
    faint = is_beside(record)
    marker = "s" if _is_8bit(record) else base.marker
    return dataclasses.replace(base, label=f"authors: {label}" if faint else label, faint=faint, marker=marker)


def kind_of(record: Record) -> str:
    """Return the key of `LOOKS`: the kind of a record's solver, and whether it is drafted, ahead or of 8-bit images."""
    kind, options = record.meta["kind"], _options(record)
    if kind == "gs_jacobi":
        return "drafted" if options.get("draft") else "gs_jacobi_ahead" if options.get("guess") else kind
    return "cached_8bit" if kind == "cached" and _is_8bit(record) else kind


def _options(record: Record) -> dict:
    """Return what the preset says of the solver, and what a race chose."""
    return (record.meta["settings"]["solvers"].get(record.meta["solver"]) or {}) | record.meta.get("chosen", {})


def _is_8bit(record: Record) -> bool:
    return record.meta.get("system", {}).get("quantize") == "8bit"


def looks(records: Iterable[Record]) -> list[Look]:
    """Return the look of each record, no two alike: of one kind, the later ones are darker, and each has a dash
    of its own."""
    styles: list[tuple[Look, bool]] = []
    earlier: set[tuple[str, bool]] = set()
    for record in records:
        among = (kind_of(record), is_beside(record))
        styles.append((look(record), among in earlier))
        earlier.add(among)
    taken = {style.dash for style, again in styles if not again}
    free = (dash for dash in (*reversed(_DASHES), *map(_dots, range(2, len(styles) + 2))) if dash not in taken)
    return [
        dataclasses.replace(style, color=_darker(style.color), dash=next(free)) if again else style
        for style, again in styles
    ]


def _dots(count: int) -> tuple:
    """Return a dash and so many dots."""
    return 0, (5, 1.5, *(1.5, 1.5) * count)


def _darker(color: str) -> str:
    red, green, blue = mpl.colors.to_rgb(color)
    return mpl.colors.to_hex((0.55 * red, 0.55 * green, 0.55 * blue))


def shades(count: int) -> list[dict]:
    """Lines of one family that differ in one number: from light to dark, each with its own dash."""
    colors = mpl.colormaps["YlOrBr"]
    places = [0.4 + 0.55 * i / max(1, count - 1) for i in range(count)]
    return [{"color": colors(place), "linestyle": _DASHES[i % len(_DASHES)]} for i, place in enumerate(places)]


def in_order(records: Iterable[Record]) -> list[Record]:
    """By kind of solver, then by iterations and name; what stands beside ours comes after it."""
    kinds = list(LOOKS)

    def place(record: Record) -> tuple:
        return (
            is_beside(record),
            kinds.index(kind_of(record)),
            _options(record).get("iterations", 0),
            record.meta["solver"],
        )

    return sorted(records, key=place)


def sources(records: Iterable[Record], parts: Iterable[str] = PARTS) -> list[str]:
    """Return what the records were made from: the true name of the data, where the weights come from, the device."""
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
