"""Figures of DenseNet's Jacobi iteration (paper, section 4.2). Curves are over images, index k after k updates."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ffc.paper.figures.marks import CERTIFIED, ORACLE, plain_ticks
from ffc.paper.figures.page import add_legend, axes
from ffc.paper.figures.style import look, of_kind, styled
from ffc.store.records import Record

_SECOND = {"color": "#777777", "linestyle": "-", "zorder": 1.9}


@styled
def outputs(records: Mapping[str, Record], log: bool) -> Figure:
    """Distance of the logits to the feedforward ones, and to the next iteration's, mean ± std."""
    chosen = of_kind(records, "jacobi")
    counts = " and ".join(dict.fromkeys(str(len(jacobi["error_l2"])) for jacobi in chosen))
    note = f"Mean ± standard deviation of {counts} images"
    figure, ax = axes(list(records.values()), "Jacobi iterations", "ℓ₂ distance of the logits", log=log, notes=[note])
    for jacobi in chosen:
        style = look(jacobi)
        _band(ax, jacobi["error_l2"], log, style.shade, label=f"{style.label}: error", **style.line)
        label = f"{style.label}: forward difference"
        _band(ax, jacobi["change"][:, 1:], log, style.shade, label=label, **style.line | _SECOND)
    ax.set_xlim(0, None)
    if not log:
        ax.set_ylim(0, None)
    add_legend(ax)
    return figure


@styled
def top5_by_iterations(records: Mapping[str, Record]) -> Figure:
    """How many of the top-5 predictions still differ, truly and as the authors count."""
    figure, ax = _top5_axes(records, "Jacobi iterations")
    for jacobi in of_kind(records, "jacobi"):
        _top5(ax, 1, jacobi)
    for feedforward in of_kind(records, "feedforward"):
        style, layers = look(feedforward), feedforward.meta["size"]
        ax.axvline(layers, label=f"{style.label}: {layers} layers", **style.line)
    _finish(ax)
    return figure


@styled
def top5_by_time(records: Mapping[str, Record]) -> Figure:
    """Draw the same against the authors' estimate of time, with both solvers' times as estimated and as measured."""
    note = "Curves and estimates: the slowest layer's time × iterations; the sum of all layers' for Feedforward"
    figure, ax = _top5_axes(records, "time (ms)", [note])
    times = []
    for jacobi, feedforward in zip(of_kind(records, "jacobi"), of_kind(records, "feedforward"), strict=True):
        layers = 1e3 * feedforward["layer_seconds"]
        _top5(ax, slowest := layers.max(axis=1).mean(), jacobi)
        estimates = (layers.sum(axis=1).mean(), 1e3 * jacobi["estimate_smallest5"].mean())
        for record, estimate in zip((feedforward, jacobi), estimates, strict=True):
            times += [slowest, _time(ax, estimate, record, "estimated", ORACLE)]
            if "seconds" in record.arrays:  # the authors timed layers alone
                times.append(
                    _time(ax, 1e3 * np.median(record["seconds"], axis=1).mean(), record, "measured", CERTIFIED)
                )
    ax.set_xscale("log", nonpositive="mask")
    _finish(ax, min(times), 1.3 * max(times))
    plain_ticks(ax.xaxis)
    return figure


def _time(ax: Axes, time: float, record: Record, how: str, mark: dict[str, Any]) -> float:
    """Return a vertical line: thin and hollow as the authors estimate, or as measured."""
    style = look(record)
    line = (style.thin if mark is ORACLE else style.line) | {"marker": "o", "markevery": [0], "clip_on": False} | mark
    ax.axvline(time, label=f"{style.label}, {how}", **line)
    return time


def _top5_axes(records: Mapping[str, Record], xlabel: str, notes: Iterable[str] = ()) -> tuple[Figure, Axes]:
    return axes(list(records.values()), xlabel, "differing top-5 predictions, mean", notes=notes)


def _finish(ax: Axes, left: float = 0, right: float | None = None) -> None:
    ax.set(xlim=(left, right), ylim=(0, 5.2))
    add_legend(ax)


def _top5(ax: Axes, unit: float, jacobi: Record) -> None:
    style, x = look(jacobi), unit * np.arange(jacobi["top5_difference"].shape[1])
    ax.plot(x, jacobi["top5_difference"].mean(axis=0), label=f"{style.label}: top-5", **style.line)
    smallest5 = jacobi["smallest5_difference"].mean(axis=0)
    label = f"{style.label}: authors' count (5 smallest, by place)"
    ax.plot(x, smallest5, label=label, **style.thin | _SECOND)


def _band(ax: Axes, curves: np.ndarray, log: bool, shade: float, **line: Any) -> None:
    """Mean over images with a band of one standard deviation; on a logarithmic axis only what is above zero."""
    mean, std = curves.mean(axis=0), curves.std(axis=0)
    k = np.arange(len(mean))
    shown = mean > 0 if log else mean >= 0
    ax.plot(k[shown], mean[shown], **line)
    low = np.maximum(mean - std, mean / 10 if log else 0)
    ax.fill_between(k[shown], low[shown], (mean + std)[shown], color=line["color"], alpha=shade, linewidth=0)
