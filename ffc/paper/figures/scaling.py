"""How a batch grows with what is drawn: images with their size, their number and the network's width; tokens with
their temperature, their number and the width."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ffc.paper.figures.marks import plain_ticks, repeats, these_ticks
from ffc.paper.figures.page import PAGE, add_footnote
from ffc.paper.figures.style import GREY, LOOKS, Look, styled
from ffc.store.records import Record

_AXES = {
    "size": "image height and width (pixels)",
    "batch": "batch (images)",
    "filters": "width of the network (filters)",
    "temperature": "temperature",
    "length": "length (tokens)",
    "width": "width of the network (channels)",
}
_LOOKS = {
    "cached": LOOKS["cached"],
    "jacobi": LOOKS["jacobi"],
    "rows": LOOKS["gs_jacobi"],
    "pixels": LOOKS["gs_jacobi_ahead"],
    "window": LOOKS["gs_jacobi"],
    "drafted": LOOKS["drafted"],
}
_RING: dict[str, Any] = {"linestyle": "none", "marker": "o", "markerfacecolor": "none", "markersize": 7}


@styled
def sampling(records: Mapping[str, Record]) -> Figure:
    """Seconds of each way, median of the repeats with a bar for their range; a ring where the short race chose it.

    Of tokens also iterations, above: there they hang on the axes.
    """
    record = records["sampling"]
    ways = _ways(record)
    axes = [axis for axis in _AXES if axis in record["axis"]]
    counted = "temperature" in axes
    figure = Figure(figsize=(PAGE, (0.72 if counted else 0.44) * PAGE))
    panels = figure.subplots(1 + counted, len(axes), sharex="col", sharey="row", squeeze=False)
    for column, axis in zip(panels.T, axes, strict=True):
        for panel in column:
            panel.set(xscale="linear" if axis == "temperature" else "log", yscale="log")
        column[-1].set_xlabel(_AXES[axis])
        if counted:
            _iterations(column[0], record, axis, ways)
        these_ticks(column[-1].xaxis, _seconds(column[-1], record, axis, ways))
    for row, label in zip(panels, [*["iterations"] * counted, "wall-clock time (s)"], strict=True):
        row[0].set_ylabel(label)
        plain_ticks(row[0].yaxis)
    ring = Line2D([], [], color=GREY, label="choice of auto", **_RING)
    handles = [*panels[-1, 0].get_legend_handles_labels()[0], ring]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    count, what = record["seconds"].shape[1], "another sample each" if counted else "of one batch"
    add_footnote(figure, [record], [f"Lines: median of {count} repeats, {what}; bars: their range"])
    return figure


def _ways(record: Record) -> dict[str, Look]:
    """Return what each way of the record looks like, and is called."""
    labels = record.meta.get("labels", {})  # records of before there were tokens have none
    return {
        way: replace(style, label=labels.get(way, style.label)) for way, style in _LOOKS.items() if way in record["way"]
    }


def _iterations(panel: Axes, record: Record, axis: str, ways: Mapping[str, Look]) -> None:
    for way, style in ways.items():
        here = (record["axis"] == axis) & (record["way"] == way)
        panel.plot(record["at"][here], record["iterations"][here], marker=style.marker, markersize=2.5, **style.line)


def _seconds(panel: Axes, record: Record, axis: str, ways: Mapping[str, Look]) -> np.ndarray:
    """Draw them; the values of the axis."""
    for way, style in ways.items():
        here = (record["axis"] == axis) & (record["way"] == way)
        at, seconds, chosen = record["at"][here], record["seconds"][here], record["chosen"][here]
        repeats(panel, at, seconds, style)
        panel.plot(at[chosen], np.median(seconds, axis=1)[chosen], color=style.color, **_RING)
    return at
