"""Figures of DenseNet's Jacobi iteration (paper, section 4.2). Curves are over images, index k after k updates."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ffc.paper.figures.style import add_legend, axes, look, of_kind, styled
from ffc.store.records import Record

_SECOND = {"color": "#777777", "linestyle": "-"}


@styled
def outputs(records: Mapping[str, Record], log: bool) -> Figure:
    """Distance of the logits to the feedforward ones, and to the next iteration's, mean ± std."""
    figure, ax = axes(list(records.values()), "Jacobi iterations", "l2 distance of the logits", log=log)
    for jacobi in of_kind(records, "jacobi"):
        style, count = look(jacobi), len(jacobi["error_l2"])
        label = f"{style.label}: error, {count} images: mean ± std"
        _band(ax, jacobi["error_l2"], log, style.shade, label=label, **style.line)
        label = f"{style.label}: forward difference"
        _band(ax, jacobi["change"][:, 1:], log, style.shade, label=label, **style.line | _SECOND)
    ax.set_xlim(0, None)
    if not log:
        ax.set_ylim(0, None)
    add_legend(ax, columns=1)
    return figure


@styled
def top5_by_iterations(records: Mapping[str, Record]) -> Figure:
    """How many of the top-5 predictions still differ, truly and as the authors count."""
    figure, ax = _top5_axes(records, "iterations")
    for jacobi in of_kind(records, "jacobi"):
        _top5(ax, np.arange(jacobi["top5_difference"].shape[1]), jacobi)
    for feedforward in of_kind(records, "feedforward"):
        style, layers = look(feedforward), feedforward.meta["size"]
        ax.axvline(layers, label=f"{style.label}: {layers} layers", **style.line)
    return _finished(figure, ax)


@styled
def top5_by_time(records: Mapping[str, Record]) -> Figure:
    """The same against the authors' estimate of time, with the times that were measured beside it."""
    figure, ax = _top5_axes(records, "estimated time (ms): slowest layer × iterations")
    for jacobi, feedforward in zip(of_kind(records, "jacobi"), of_kind(records, "feedforward"), strict=True):
        layers, style = 1e3 * feedforward["layer_seconds"], look(feedforward)
        _top5(ax, layers.max(axis=1).mean() * np.arange(jacobi["top5_difference"].shape[1]), jacobi)
        ax.axvline(layers.sum(axis=1).mean(), label=f"{style.label}, estimated: sum of layers", **style.line)
        for record in (feedforward, jacobi):
            if "seconds" in record.arrays:  # the authors timed layers alone
                measured, style = 1e3 * np.median(record["seconds"], axis=1).mean(), look(record)
                line = style.line | {"linestyle": ":"}
                ax.axvline(measured, label=f"{style.label}, measured: {measured:.3g} ms", **line)
    return _finished(figure, ax)


def _top5_axes(records: Mapping[str, Record], xlabel: str):
    return axes(list(records.values()), xlabel, "differing top-5 predictions, mean")


def _finished(figure: Figure, ax) -> Figure:
    ax.set(xlim=(0, None), ylim=(0, 5.2))
    add_legend(ax, columns=1)
    return figure


def _top5(ax, x: np.ndarray, jacobi: Record) -> None:
    style = look(jacobi)
    ax.plot(x, jacobi["top5_difference"].mean(axis=0), label=f"{style.label}: top-5", **style.line)
    smallest5 = jacobi["smallest5_difference"].mean(axis=0)
    label = f"{style.label}: authors' count (5 smallest, by place)"
    ax.plot(x, smallest5, label=label, **style.thin | _SECOND)


def _band(ax, curves: np.ndarray, log: bool, shade: float, **line) -> None:
    """Mean over images with a band of one standard deviation; on a logarithmic axis only what is above zero."""
    mean, std = curves.mean(axis=0), curves.std(axis=0)
    k = np.arange(len(mean))
    shown = mean > 0 if log else mean >= 0
    ax.plot(k[shown], mean[shown], **line)
    low = np.maximum(mean - std, mean / 10 if log else 0)
    ax.fill_between(k[shown], low[shown], (mean + std)[shown], color=line["color"], alpha=shade, linewidth=0)
