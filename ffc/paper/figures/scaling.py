"""How the time of a batch grows with the images' size, their number, and the network's width."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ffc.paper.figures.style import LOOKS, PAGE, Look, add_footnote, styled
from ffc.store.records import Record

_AXES = {"size": "image height and width", "batch": "images in a batch", "filters": "filters"}
_WAYS = {
    "cached": LOOKS["cached"],
    "jacobi": LOOKS["jacobi"],
    "rows": Look("GS-Jacobi, 2 rows", "#009e73", (0, (2.5, 1))),
    "pixels": Look("GS-Jacobi, half a row", "#e69f00", (0, (4, 1, 1, 1, 1, 1))),
    "drafted": Look("GS-Jacobi, a row, drafted", "#cc79a7", (0, (1, 1))),
}


@styled
def sampling(records: Mapping[str, Record]) -> Figure:
    """Seconds of each way, median and least of the repeats; a ring where the short race chose it."""
    record = records["sampling"]
    ways = {way: style for way, style in _WAYS.items() if way in record["way"]}
    figure = Figure(figsize=(PAGE, 0.42 * PAGE))
    panels = figure.subplots(1, len(_AXES), sharey=True)
    for panel, (axis, label) in zip(panels, _AXES.items(), strict=True):
        for way, style in ways.items():
            here = (record["axis"] == axis) & (record["way"] == way)
            at, median, chosen = record["at"][here], np.median(record["seconds"][here], axis=1), record["chosen"][here]
            panel.plot(at, median, label=style.label, marker="o", markersize=2.5, **style.line)
            panel.plot(at, record["seconds"][here].min(axis=1), **style.thin)
            panel.plot(at[chosen], median[chosen], "o", mfc="none", color=style.color, markersize=7)
        panel.set(xscale="log", yscale="log", xlabel=label)
        panel.set_xticks(at, [str(value) for value in at])
        panel.xaxis.set_minor_locator(NullLocator())
    panels[0].set_ylabel("seconds: median, least (thin)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(ways))
    add_footnote(figure, [record])
    return figure
