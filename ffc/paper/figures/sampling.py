"""Figures of MADE and PixelCNN++: how iterates approach the answer, and what they look like on the way.

Records are those of one task, by solver. Curves are means over the batch; a time axis spreads a solver's
certified seconds evenly over its iterations, unless the record has the time of each.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ffc.core.errors import FFCError
from ffc.paper.figures.style import add_footnote, add_legend, axes, in_order, is_beside, look, looks, of_kind, styled
from ffc.store.records import Record

_ITERATIONS, _SECONDS = "parallel iterations", "wall-clock time (s)"


@styled
def made(records: Mapping[str, Record], by: str) -> Figure:
    """Distance to the answer (thick) and to the next iterate (thin), linear; `by` "iterations" or "seconds"."""
    chosen = _solvers(records, by)
    together = any(map(is_beside, chosen))
    figure, ax = axes(chosen, _label(by), "l2 error and forward difference, mean")
    for record, style in zip(chosen, looks(chosen), strict=True):
        x = _axis(record, by)
        ax.plot(x, _mean(record["error_l2"]), label=style.label, **style.line)
        difference = _mean(record["change"])[1:]
        ax.plot(x[:-1], difference, label="_difference" if together else "difference", **style.thin)
    ax.set(xlim=(0, None), ylim=(0, None))
    # A column for each solver, as far as they fit; or for ours and theirs.
    add_legend(ax, columns=2 if together or len(chosen) > 3 else len(chosen))
    return figure


@styled
def pixelcnnpp(records: Mapping[str, Record], by: str) -> Figure:
    """Distance to the answer of every solver, logarithmic, until it is exact; `by` "iterations" or "seconds"."""
    chosen = _solvers(records, by)
    figure, ax = axes(chosen, _label(by), "l2 error, mean over samples", log=True)
    for record, style in zip(chosen, looks(chosen), strict=True):
        x, error = _axis(record, by), _mean(record["error_l2"])
        left = error > 0
        ax.plot(x[left], error[left], label=style.label, **style.line)
        ax.plot(x[left][-1:], error[left][-1:], marker="o", markersize=3.5, **style.line)
    ax.set_xlim(0, None)
    add_legend(ax)
    return figure


@styled
def strip(records: Mapping[str, Record], sample: int = 0) -> Figure:
    """One sample at iterations 0, 5, …, 45 and the last: sequential above, Jacobi below."""
    rows = [_one(records, "sequential"), _one(records, "jacobi")]
    rows += [record for solver in ("sequential", "jacobi") for record in of_kind(records, solver) if is_beside(record)]
    shown = rows[0]["snapshot_iterations"][:-1]
    columns = [*np.flatnonzero(shown < max(record["snapshot_iterations"][-1] for record in rows)), -1]
    # Eleven columns fit a page.
    figure = Figure(figsize=(0.53 * len(columns) + 0.9, 0.78 * len(rows) + 0.25))
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for record, row in zip(rows, grid, strict=True):
        for column, ax in zip(columns, row, strict=True):
            picture = record["snapshots"][column, sample]
            ax.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            last = column == -1
            ax.set_title(f"last: {record['snapshot_iterations'][-1]}" if last else str(shown[column]), fontsize=6.5)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color="#999999", linewidth=0.5)
        row[0].set_ylabel(look(record).label.replace(": ", ":\n"), fontsize=7)
    add_footnote(figure, rows)
    return figure


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


def _label(by: str) -> str:
    return {"iterations": _ITERATIONS, "seconds": _SECONDS}[by]


def _mean(curves: np.ndarray) -> np.ndarray:
    return curves.mean(axis=1)
