"""How the time of a batch grows with the images' size, their number, and the network's width."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ffc.paper.figures.marks import plain_ticks, repeats, these_ticks
from ffc.paper.figures.page import PAGE, add_footnote
from ffc.paper.figures.style import GREY, LOOKS, styled
from ffc.store.records import Record

_AXES = {
    "size": "image height and width (pixels)",
    "batch": "batch (images)",
    "filters": "width of the network (filters)",
}
_WAYS = {
    "cached": LOOKS["cached"],
    "jacobi": LOOKS["jacobi"],
    "rows": replace(LOOKS["gs_jacobi"], label="GS-Jacobi, 2 rows"),
    "pixels": replace(LOOKS["gs_jacobi_ahead"], label="GS-Jacobi, half a row"),
    "drafted": replace(LOOKS["drafted"], label="GS-Jacobi, a row, drafted"),
}
_RING: dict[str, Any] = {"linestyle": "none", "marker": "o", "markerfacecolor": "none", "markersize": 7}


@styled
def sampling(records: Mapping[str, Record]) -> Figure:
    """Seconds of each way, median of the repeats with a bar for their range; a ring where the short race chose it."""
    record = records["sampling"]
    ways = {way: style for way, style in _WAYS.items() if way in record["way"]}
    figure = Figure(figsize=(PAGE, 0.44 * PAGE))
    panels = figure.subplots(1, len(_AXES), sharey=True)
    for panel, (axis, label) in zip(panels, _AXES.items(), strict=True):
        panel.set(xscale="log", yscale="log", xlabel=label)
        for way, style in ways.items():
            here = (record["axis"] == axis) & (record["way"] == way)
            at, seconds, chosen = record["at"][here], record["seconds"][here], record["chosen"][here]
            repeats(panel, at, seconds, style)
            panel.plot(at[chosen], np.median(seconds, axis=1)[chosen], color=style.color, **_RING)
        these_ticks(panel.xaxis, at)
    panels[0].set_ylabel("wall-clock time (s)")
    plain_ticks(panels[0].yaxis)
    ring = Line2D([], [], color=GREY, label="choice of auto", **_RING)
    handles = [*panels[0].get_legend_handles_labels()[0], ring]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    add_footnote(figure, [record], [f"Lines: median of {seconds.shape[1]} repeats; bars: their range"])
    return figure
