"""Figures of backpropagation by Jacobi iteration (paper, section 4.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ffc.paper.figures.marks import plain_ticks, repeats, these_ticks
from ffc.paper.figures.page import PAGE, add_footnote, add_legend, axes
from ffc.paper.figures.style import GREY, LOOKS, in_order, look, shades, styled
from ffc.store.records import Record

#: Losses of single sequences scatter: curves are running means over this many steps.
SMOOTHING = 10
#: By steps all curves coincide; the one that was drawn first is wide, so that it shows.
_BELOW = {"linewidth": 2.6}
_CROSS: dict[str, Any] = {"linestyle": "none", "marker": "x", "markersize": 9}

#: Both passes, and the ways of each by the names of their arrays.
_PASSES = {
    "forward": {
        "sequential": LOOKS["sequential"],
        "deer": LOOKS["deer"],
        "quasi_deer": LOOKS["quasi_deer"],
        "forward_chunks": replace(LOOKS["jacobi_gs"], label="Chunks"),
    },
    "backward": {
        "backpropagation": replace(LOOKS["sequential"], label="Sequential (backpropagation)"),
        "jacobi": replace(LOOKS["jacobi"], label="Jacobi, fewest sweeps"),
        "chunks": replace(LOOKS["jacobi_gs"], label="Jacobi-GS (chunks)"),
        "scan": LOOKS["scan"],
    },
}


@styled
def gradient_error(records: Mapping[str, Record], stage: str) -> Figure:
    """Distance of the gradient to the exact one after each iteration, mean ± std; `stage` begin or end."""
    chosen = in_order(record for name, record in records.items() if name.startswith("gradients_"))
    when = {"begin": "Before", "end": "After"}[stage]
    note = f"{when} training; mean ± standard deviation of {_counts(len(record[stage]) for record in chosen)} samples"
    figure, ax = axes(chosen, "iterations", "ℓ₂ error of the gradient", notes=[note])
    for record in chosen:
        curves, style = record[stage], look(record)
        mean, std = curves.mean(axis=0), curves.std(axis=0)
        k = np.arange(len(mean))
        ax.plot(k, mean, label=style.label, **style.line)
        ax.fill_between(k, np.maximum(mean - std, 0), mean + std, color=style.color, alpha=style.shade, linewidth=0)
    ax.set(xlim=(0, None), ylim=(0, None))
    add_legend(ax)
    return figure


@styled
def training(records: Mapping[str, Record], by: str) -> Figure:
    """Training loss, logarithmic, mean over the runs; `by` iterations (training steps) or seconds."""
    chosen = in_order(record for name, record in records.items() if not name.startswith("gradients_"))
    width = min(SMOOTHING, chosen[0]["loss"].shape[1])
    note = f"Running mean of {width} steps, mean of {_counts(len(record['loss']) for record in chosen)} runs"
    xlabel = {"iterations": "training steps", "seconds": "wall-clock time (s)"}[by]
    figure, ax = axes(chosen, xlabel, "training loss (mean squared error)", log=True, notes=[note])
    truncated = dict.fromkeys(record.meta["solver"] for record in chosen if record.meta["kind"] == "jacobi")
    lines = dict(zip(truncated, shades(len(truncated)), strict=True))
    for record in chosen:
        loss, seconds = record["loss"].mean(axis=0), record["seconds"].mean(axis=0)
        x = np.arange(1, len(loss) + 1) if by == "iterations" else seconds
        style = look(record)
        smooth = np.convolve(loss, np.full(width, 1 / width), mode="valid")
        line = style.line | lines.get(record.meta["solver"], _BELOW if by == "iterations" else {})
        ax.plot(x[width - 1 :], smooth, label=style.label, **line)
    ax.set_xlim(0, None)
    plain_ticks(ax.yaxis)
    add_legend(ax)
    return figure


@styled
def scaling(records: Mapping[str, Record]) -> Figure:
    """Seconds by length of the sequence, median of the repeats with a bar for their range; a cross: it fell back."""
    record = records["scaling"]
    figure = Figure(figsize=(PAGE, 0.45 * PAGE))
    for panel, (name, ways) in zip(figure.subplots(1, 2, sharey=True), _PASSES.items(), strict=True):
        panel.set(xscale="log", yscale="log", xlabel=f"length of the sequence (time steps), {name} pass")
        signs = []
        for way, style in ways.items():
            seconds, fell_back = record[f"{way}_seconds"], ~record[f"{way}_parallel"]
            repeats(panel, record["lengths"], seconds, style)
            if fell_back.any() and style.color != LOOKS["sequential"].color:
                at, median = record["lengths"][fell_back], np.median(seconds, axis=1)[fell_back]
                panel.plot(at, median, color=style.color, **_CROSS)
                signs = [Line2D([], [], color=GREY, label="fell back to sequential", **_CROSS)]
        these_ticks(panel.xaxis, record["lengths"])
        handles = [*panel.get_legend_handles_labels()[0], *signs]
        panel.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.axes[0].set_ylabel("wall-clock time (s)")
    plain_ticks(figure.axes[0].yaxis)
    add_footnote(figure, [record], [f"Lines: median of {seconds.shape[1]} repeats; bars: their range"])
    return figure


def _counts(numbers: Iterable[int]) -> str:
    """Ours and, where they differ, the authors'."""
    return " and ".join(dict.fromkeys(map(str, numbers)))
