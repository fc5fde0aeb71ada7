"""What lines alone don't say: where the two clocks stop, how far repeats are apart, and what ticks are worth."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ffc.paper.figures.style import GREY, Look, look
from ffc.store.records import Record

#: The paper's clock stops when the answer is first reached, which only they know who have it: hollow.
ORACLE: dict[str, Any] = {"markersize": 5.5, "markerfacecolor": "white", "markeredgewidth": 1.0}
#: Ours stops when the answer is proven: filled. Inside the other where both stop at once.
CERTIFIED: dict[str, Any] = {"markersize": 3.2, "markeredgewidth": 0.0}


def stops(ax: Axes, record: Record, x: np.ndarray, error: np.ndarray, style: Look) -> None:
    """Where on its curve a solver stopped, by the paper's clock and, unless the run is the authors', by ours."""
    index, oracle = np.arange(len(x)), float(record["oracle_iterations"])  # theirs is a mean over runs
    _mark(ax, np.interp(oracle, index, x), np.interp(oracle, index, error), style, ORACLE)
    if "certified" in record.arrays:
        _mark(ax, x[-1], error[-1], style, CERTIFIED)


def clocks(records: Iterable[Record]) -> list[Line2D]:
    """Return what the marks of `stops` mean, for a legend: in their shape, if they have one."""
    records = list(records)
    shapes = {look(record).marker for record in records}
    marker = shapes.pop() if len(shapes) == 1 else "o"
    ours = any("certified" in record.arrays for record in records)
    named = [("paper's clock: oracle stop", ORACLE), ("our clock: certified stop", CERTIFIED)]
    return [
        Line2D([], [], linestyle="none", marker=marker, color=GREY, label=label, **mark)
        for label, mark in named[: 1 + ours]
    ]


def repeats(ax: Axes, x: np.ndarray, seconds: np.ndarray, style: Look) -> None:
    """Draw the median of `seconds` [len(x), R] as a line, with a bar from the least to the greatest at each of `x`."""
    ax.plot(x, np.median(seconds, axis=1), label=style.label, marker=style.marker, markersize=2.5, **style.line)
    ax.vlines(x, seconds.min(axis=1), seconds.max(axis=1), color=style.color, linewidth=0.7)


def plain_ticks(axis: Axis) -> None:
    """Numbers without powers on a logarithmic axis, as many as its limits leave room for; so set these first."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1,) if decades > 2 else (1, 2, 5), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def these_ticks(axis: Axis, values: Iterable[float]) -> None:
    """Set a tick at each of `values` and nowhere else."""
    axis.set_ticks(values := list(values), [f"{value:,g}" for value in values])
    axis.set_minor_locator(NullLocator())


def log_to_zero(ax: Axes, errors: np.ndarray) -> None:
    """Scale the vertical axis: logarithmic from the greatest of `errors` to the least above zero, and down to zero.

    It stays as it is where all errors are zero: a first guess may be the answer.
    """
    if not np.any(errors > 0):
        return
    least, greatest = np.floor(np.log10([errors[errors > 0].min(), errors.max()])).astype(int)
    ax.set_yscale("symlog", linthresh=10.0**least)
    decades = np.arange(greatest, least - 1, (least - greatest - 1) // 6)
    ax.set_yticks([0, *10.0**decades])
    ax.yaxis.set_minor_locator(NullLocator())


def _mark(ax: Axes, x: float, y: float, style: Look, mark: dict) -> None:
    """Above all lines, and whole where it lies on an axis."""
    alpha = style.line.get("alpha")
    ax.plot([x], [y], style.marker, color=style.color, alpha=alpha, clip_on=False, zorder=3, label="_stop", **mark)
