"""Figures of samplers: how iterates approach the answer, and what they look like on the way.

Records are those of one task, by solver. Curves are means over the batch; a time axis spreads a solver's
certified seconds evenly over its iterations, unless the record has the time of each.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ffc.core.errors import FFCError
from ffc.paper.figures.marks import clocks, log_to_zero, plain_ticks, stops
from ffc.paper.figures.page import PAGE, add_footnote, add_legend, axes
from ffc.paper.figures.style import GREY, in_order, is_beside, kind_of, look, looks, of_kind, styled
from ffc.paper.tasks import SEQUENTIAL
from ffc.store.records import Record

_ITERATIONS, _SECONDS = "parallel iterations", "wall-clock time (s)"
#: Solvers whose forward difference is of the whole state, as in the paper: that of a window says nothing of the rest.
_WHOLE = ("sequential", "jacobi")
_LINES: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest"}


@styled
def made(records: Mapping[str, Record], by: str) -> Figure:
    """Distance to the answer and, thin, to the next iterate, linear; `by` "iterations" or "seconds", logarithmic."""
    chosen = _solvers(records, by)
    figure, ax = axes(chosen, _label(by), "ℓ₂ error (logits of pixels), mean")
    for record, style in zip(chosen, looks(chosen), strict=True):
        x, error = _axis(record, by), _mean(record["error_l2"])
        ax.plot(x, error, label=style.label, **style.line)
        if record.meta["kind"] in _WHOLE:
            ax.plot(x[:-1], _mean(record["change"])[1:], label="_difference", zorder=1.9, **style.thin)
        stops(ax, record, x, error, style)
    ax.set_ylim(0, None)
    _logarithmic(ax, chosen, by)
    thin = Line2D([], [], color=GREY, linewidth=0.8, label="thin: forward difference")
    add_legend(ax, signs=[*clocks(chosen), thin])
    return figure


@styled
def pixelcnnpp(records: Mapping[str, Record], by: str) -> Figure:
    """As `approach`, of pixels."""
    return _approach(records, by, "ℓ₂ error (pixels in [−1, 1]), mean")


@styled
def approach(records: Mapping[str, Record], by: str) -> Figure:
    """Distance to the answer of every solver, logarithmic down to zero; `by` "iterations" or "seconds", logarithmic."""
    return _approach(records, by, "ℓ₂ distance to the answer, mean")


def _approach(records: Mapping[str, Record], by: str, ylabel: str) -> Figure:
    chosen = _solvers(records, by)
    figure, ax = axes(chosen, _label(by), ylabel)
    errors = [_mean(record["error_l2"]) for record in chosen]
    log_to_zero(ax, np.concatenate(errors))
    for record, error, style in zip(chosen, errors, looks(chosen), strict=True):
        x = _axis(record, by)
        ax.plot(x, error, label=style.label, **style.line)
        stops(ax, record, x, error, style)
    ax.set(xlim=(0, None), ylim=(0, None))
    if by == "seconds":
        _logarithmic(ax, chosen, by)
    add_legend(ax, signs=clocks(chosen))
    return figure


@styled
def strip(records: Mapping[str, Record], sample: int = 0) -> Figure:
    """One sample at iterations 0, 5, …, 45 and the last: sequential above, Jacobi below."""
    rows = [_one(records, "sequential"), _one(records, "jacobi")]
    rows += [record for solver in ("sequential", "jacobi") for record in of_kind(records, solver) if is_beside(record)]
    return _pictures(rows, sample)


@styled
def on_the_way(records: Mapping[str, Record], sample: int = 0) -> Figure:
    """One sample at iterations 0, 5, …, 45 and the last: sequential above, then Jacobi or another parallel solver, and
    the drafted one if there is one.

    Of samples that are no pictures, it shows which of their blocks have their value.
    """
    ordered = in_order(records.values())
    parallel = [record for record in ordered if record.meta["kind"] not in SEQUENTIAL]
    jacobi = [record for record in parallel if record.meta["kind"] == "jacobi"]
    drafted = [record for record in parallel if kind_of(record) == "drafted"]
    rows = [*ordered[:1], *(jacobi or parallel)[:1]]
    rows += [record for record in drafted[:1] if record is not rows[-1]]
    return _pictures(rows, sample) if all("snapshots" in row.arrays for row in rows) else _settled(rows, sample)


def _pictures(rows: list[Record], sample: int) -> Figure:
    columns = _columns(rows)
    # Eleven columns fit a page.
    figure = Figure(figsize=(0.53 * len(columns) + 0.9, 0.78 * len(rows) + 0.15))
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for record, row in zip(rows, grid, strict=True):
        for column, ax in zip(columns, row, strict=True):
            ax.set_visible(column in _columns([record]))
            picture = record["snapshots"][column, sample]
            ax.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set_title(_when(record, column, "iteration "), fontsize=6.5)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color="#999999", linewidth=0.5)
        row[0].set_ylabel(look(record).label.replace(": ", ":\n"), fontsize=7)
    add_footnote(figure, rows)
    return figure


def _settled(rows: list[Record], sample: int) -> Figure:
    """Draw a line for each iteration shown, dark where a block has the bits that it ends with."""
    shown = [_columns([record]) for record in rows]
    heights = [0.15 * len(columns) + 0.3 for columns in shown]
    figure = Figure(figsize=(PAGE, 0.4 + sum(heights)))
    panels = figure.subplots(len(rows), squeeze=False, height_ratios=heights).flat
    for record, columns, ax in zip(rows, shown, panels, strict=True):
        ax.imshow(record["settled"][columns, sample], cmap="Greys", vmin=0, vmax=1.4, **_LINES)
        ax.set_yticks(range(len(columns)), [_when(record, column) for column in columns], fontsize=5.5)
        ax.set_ylabel("iteration")
        ax.set_title(look(record).label, loc="left", fontsize=7)
        ax.grid(visible=False)
    ax.set_xlabel("block; dark: it has its value")
    add_footnote(figure, rows)
    return figure


def _columns(rows: list[Record]) -> list[int]:
    """Return the snapshots that are shown: the last, and those before the last of `rows` has ended."""
    shown = rows[0]["snapshot_iterations"][:-1]
    return [*np.flatnonzero(shown < max(record["snapshot_iterations"][-1] for record in rows)), -1]


def _when(record: Record, column: int, first: str = "") -> str:
    iteration = record["snapshot_iterations"][column]
    return f"last: {iteration}" if column == -1 else f"{first if column == 0 else ''}{iteration}"


def _solvers(records: Mapping[str, Record], by: str) -> list[Record]:
    """In order; step by step, the cached baseline is the sequential one, so it has no line of its own there."""
    same = by == "iterations" and "sequential" in records
    return in_order(record for record in records.values() if not (same and record.meta["kind"] == "cached"))


def _one(records: Mapping[str, Record], name: str) -> Record:
    if name not in records:
        raise FFCError(f"strip of samples: no record of the solver {name}; there are {', '.join(records) or 'none'}")
    return records[name]


def _axis(record: Record, by: str) -> np.ndarray:
    """[K + 1] where each point of a curve lies."""
    k = np.arange(len(record["error_l2"]))
    if by == "iterations":
        return k * record["steps_per_iteration"]
    return record["elapsed"] if "elapsed" in record.arrays else k / k[-1] * np.median(record["seconds"])


def _logarithmic(ax: Axes, records: list[Record], by: str) -> None:
    """Solvers differ by factors of hundreds; the axis begins when the fastest has done a thirtieth of its work."""
    ends = [_axis(record, by)[-1] for record in records]
    ax.set_xscale("log", nonpositive="mask")
    ax.set_xlim(min(ends) / 30 if by == "seconds" else 1, 1.3 * max(ends))
    plain_ticks(ax.xaxis)


def _label(by: str) -> str:
    return {"iterations": _ITERATIONS, "seconds": _SECONDS}[by]


def _mean(curves: np.ndarray) -> np.ndarray:
    return curves.mean(axis=1)
