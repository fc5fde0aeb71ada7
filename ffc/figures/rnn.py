"""Figures of backpropagation by Jacobi iteration (paper, section 4.1)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ffc.figures.style import add_legend, axes, in_order, look, shades, styled
from ffc.records import Record

#: Losses of single sequences scatter: curves are running means over this many steps.
SMOOTHING = 10


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
