"""Figures of backpropagation by Jacobi iteration (paper, section 4.1)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ffc.paper.figures.style import PAGE, Look, add_footnote, add_legend, axes, in_order, look, shades, styled
from ffc.store.records import Record

#: Losses of single sequences scatter: curves are running means over this many steps.
SMOOTHING = 10

#: Both passes, and the ways of each by the names of their arrays.
_PASSES = {
    "forward": {
        "sequential": Look("In order", "#000000"),
        "deer": Look("DEER", "#d55e00", (0, (6, 1.2, 1.2, 1.2))),
        "quasi_deer": Look("Quasi-DEER", "#e69f00", (0, (2.5, 1))),
        "forward_chunks": Look("Chunks", "#cc79a7", (0, (1, 1))),
    },
    "backward": {
        "backpropagation": Look("Backpropagation", "#000000"),
        "jacobi": Look("Jacobi, fewest sweeps", "#d55e00", (0, (6, 1.2, 1.2, 1.2))),
        "chunks": Look("Chunks (Jacobi-GS)", "#cc79a7", (0, (1, 1))),
        "scan": Look("Associative scan", "#009e73", (0, (2.5, 1))),
    },
}


@styled
def gradient_error(records: Mapping[str, Record], stage: str) -> Figure:
    """Distance of the gradient to the exact one after each iteration, mean ± std; `stage` begin or end."""
    chosen = in_order(record for name, record in records.items() if name.startswith("gradients_"))
    when = {"begin": "before", "end": "after"}[stage]
    figure, ax = axes(chosen, "iterations", f"l2 error of the gradient, {when} training")
    for record in chosen:
        curves, style = record[stage], look(record)
        mean, std = curves.mean(axis=0), curves.std(axis=0)
        k = np.arange(len(mean))
        ax.plot(k, mean, label=f"{style.label}, {len(curves)} samples: mean ± std", **style.line)
        ax.fill_between(k, np.maximum(mean - std, 0), mean + std, color=style.color, alpha=style.shade, linewidth=0)
    ax.set(xlim=(0, None), ylim=(0, None))
    add_legend(ax, columns=1)
    return figure


@styled
def training(records: Mapping[str, Record], by: str) -> Figure:
    """Training loss, logarithmic, mean over the runs; `by` iterations (training steps) or seconds."""
    chosen = in_order(record for name, record in records.items() if not name.startswith("gradients_"))
    width = min(SMOOTHING, chosen[0]["loss"].shape[1])
    runs = " and ".join(dict.fromkeys(str(len(record["loss"])) for record in chosen))
    xlabel = {"iterations": "training steps", "seconds": "wall-clock time (s)"}[by]
    figure, ax = axes(chosen, xlabel, f"training loss ({runs} runs, {width} steps)", log=True)
    truncated = dict.fromkeys(record.meta["solver"] for record in chosen if record.meta["kind"] == "jacobi")
    lines = dict(zip(truncated, shades(len(truncated)), strict=True))
    for record in chosen:
        loss, seconds = record["loss"].mean(axis=0), record["seconds"].mean(axis=0)
        x = np.arange(1, len(loss) + 1) if by == "iterations" else seconds
        style = look(record)
        smooth = np.convolve(loss, np.full(width, 1 / width), mode="valid")
        ax.plot(x[width - 1 :], smooth, label=style.label, **style.line | lines.get(record.meta["solver"], {}))
    ax.set_xlim(0, None)
    add_legend(ax)
    return figure


@styled
def scaling(records: Mapping[str, Record]) -> Figure:
    """Seconds against the length of the sequence, least and median of the repeats; a cross where a way fell back."""
    record = records["scaling"]
    figure = Figure(figsize=(PAGE, 0.45 * PAGE))
    for panel, (name, ways) in zip(figure.subplots(1, 2, sharey=True), _PASSES.items(), strict=True):
        for way, style in ways.items():
            seconds, fell_back = record[f"{way}_seconds"], ~record[f"{way}_parallel"]
            median = np.median(seconds, axis=1)
            panel.plot(record["lengths"], median, label=style.label, marker="o", markersize=3, **style.line)
            panel.plot(record["lengths"], seconds.min(axis=1), **style.thin)
            if fell_back.any() and way not in ("sequential", "backpropagation"):
                panel.plot(record["lengths"][fell_back], median[fell_back], "x", color=style.color, markersize=9)
        panel.set(xscale="log", yscale="log", xlabel=f"time steps, {name}")
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.axes[0].set_ylabel("seconds: median, least (thin)")
    add_footnote(figure, [record])
    return figure
