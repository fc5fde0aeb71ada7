"""Figures of DenseNet's Jacobi iteration (paper, section 4.2). Curves are over images, index k after k updates."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ffc.figures.style import LOOKS, add_legend, axes, styled
from ffc.records import Record

_GREY = "#777777"


@styled
def outputs(records: Mapping[str, Record], log: bool) -> Figure:
    """Distance of the logits to the feedforward ones, and to the next iteration's, mean ± std."""
    jacobi = records["jacobi"]
    figure, ax = axes(list(records.values()), "Jacobi iterations", "l2 distance of the logits", log=log)
    count = len(jacobi["error_l2"])
    _band(ax, jacobi["error_l2"], log, label=f"Jacobi: error, {count} images: mean ± std", **LOOKS["jacobi"].line)
    _band(ax, jacobi["change"][:, 1:], log, label="Jacobi: forward difference", color=_GREY)
    ax.set_xlim(0, None)
    if not log:
        ax.set_ylim(0, None)
    add_legend(ax, columns=1)
    return figure


@styled
def top5_by_iterations(records: Mapping[str, Record]) -> Figure:
    """How many of the top-5 predictions still differ, truly and as the authors count."""
    jacobi = records["jacobi"]
    figure, ax = _top5_axes(records, "iterations")
    _top5(ax, np.arange(jacobi["top5_difference"].shape[1]), jacobi)
    ax.axvline(jacobi.meta["size"], label=f"Feedforward: {jacobi.meta['size']} layers", **LOOKS["feedforward"].line)
    return _finished(figure, ax)


@styled
def top5_by_time(records: Mapping[str, Record]) -> Figure:
    """The same against the authors' estimate of time, with the times that were measured beside it."""
    jacobi, feedforward = records["jacobi"], records["feedforward"]
    layers = 1e3 * feedforward["layer_seconds"]
    figure, ax = _top5_axes(records, "estimated time (ms): slowest layer × iterations")
    _top5(ax, layers.max(axis=1).mean() * np.arange(jacobi["top5_difference"].shape[1]), jacobi)
    ax.axvline(layers.sum(axis=1).mean(), label="Feedforward, estimated: sum of layers", **LOOKS["feedforward"].line)
    for record, name in ((feedforward, "feedforward"), (jacobi, "jacobi")):
        measured = 1e3 * np.median(record["seconds"], axis=1).mean()
        look = LOOKS[name]
        ax.axvline(measured, color=look.color, linestyle=":", label=f"{look.label}, measured: {measured:.3g} ms")
    return _finished(figure, ax)


def _top5_axes(records: Mapping[str, Record], xlabel: str):
    return axes(list(records.values()), xlabel, "differing top-5 predictions, mean")


def _finished(figure: Figure, ax) -> Figure:
    ax.set(xlim=(0, None), ylim=(0, 5.2))
    add_legend(ax, columns=1)
    return figure


def _top5(ax, x: np.ndarray, jacobi: Record) -> None:
    ax.plot(x, jacobi["top5_difference"].mean(axis=0), label="Jacobi: top-5", **LOOKS["jacobi"].line)
    theirs = jacobi["smallest5_difference"].mean(axis=0)
    ax.plot(x, theirs, label="Jacobi: authors' count (5 smallest, by place)", color=_GREY, linewidth=1)


def _band(ax, curves: np.ndarray, log: bool, **line) -> None:
    """Mean over images with a band of one standard deviation; on a logarithmic axis only what is above zero."""
    mean, std = curves.mean(axis=0), curves.std(axis=0)
    k = np.arange(len(mean))
    shown = mean > 0 if log else mean >= 0
    ax.plot(k[shown], mean[shown], **line)
    low = np.maximum(mean - std, mean / 10 if log else 0)
    ax.fill_between(k[shown], low[shown], (mean + std)[shown], color=line["color"], alpha=0.15, linewidth=0)
