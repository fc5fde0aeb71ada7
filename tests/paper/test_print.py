"""Figures as they are printed, from the records that the repository keeps: nothing overlaps, all can be read."""

import dataclasses
import itertools
import shutil

import matplotlib as mpl
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text
from places import ROOT

from ffc.paper import figures
from ffc.paper.figures import page, style, training
from ffc.store.records import Record

KEPT = next((ROOT / "results" / "reference").glob("*/laptop/records"))
NAMES = [*figures.FIGURES, *figures.EXTRAS, "training"]
ROUNDED = {"system": {"quantize": "8bit"}}
DRAFTED = {"solver": "gs_jacobi", "window": 1, "guess": "row_above", "draft": True, "together": True, **ROUNDED}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The kept records, with solvers of 8-bit images among PixelCNN++'s."""
    folder = tmp_path_factory.mktemp("kept") / "records"
    shutil.copytree(KEPT, folder)
    for task in ("pixelcnnpp_mnist", "pixelcnnpp_cifar10"):
        for name, options in (("cached_8bit", {"solver": "cached", **ROUNDED}), ("drafted", DRAFTED)):
            of_8bit(Record.load(KEPT / task / f"{options['solver']}.npz"), name, options).save(
                folder / task / f"{name}.npz"
            )
    return folder


def of_8bit(record: Record, name: str, options: dict) -> Record:
    settings = record.meta["settings"] | {"solvers": {name: options}}
    return dataclasses.replace(record, meta=record.meta | ROUNDED | {"solver": name, "settings": settings})


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_fit_to_print(records, name):
    if name == "training":
        figure = training.curves({path.name: figures.load_records(path) for path in sorted(records.iterdir())})
    else:
        figure = figures.draw(name, records)
    assert figure.get_figwidth() <= (page.PAGE if len(figure.axes) > 1 else page.COLUMN)
    with mpl.rc_context(style.RC):
        figure.draw_without_rendering()
    undrawn = _undrawn(figure)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    shown = {text: text.get_window_extent() for text in texts if text not in undrawn}
    for text, box in shown.items():
        assert text.get_fontsize() >= 6, text
        assert all(figure.bbox.padded(1).contains(*corner) for corner in box.corners()), text
    for (one, box), (other, beside) in itertools.combinations(shown.items(), 2):
        assert not box.padded(-1).overlaps(beside.padded(-1)), (one, other)
    for legend in figure.findobj(Legend):
        names = [text.get_text() for text in legend.get_texts()]
        assert len(set(names)) == len(names)
        for ax in figure.axes:  # legends hide no curve
            assert not legend.get_window_extent().padded(-1).overlaps(ax.get_window_extent())


def _undrawn(figure) -> set[Text]:
    """Texts that matplotlib keeps and does not draw: of ticks outside their axis's limits, and of axes without any."""
    found: set[Text] = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.majorTicks, *axis.minorTicks):
                if not (ax.axison and low <= tick.get_loc() <= high):
                    found |= {tick.label1, tick.label2}
    return found


def test_drafted_samples_of_8_bits_are_told_apart(records):
    found = figures.load_records(records / "pixelcnnpp_mnist")
    ordered = style.in_order(found.values())
    assert [record.meta["solver"] for record in ordered[-2:]] == ["cached_8bit", "drafted"]
    cached, drafted = map(style.look, ordered[-2:])
    assert cached.label == "Sequential, cached (8-bit)"
    assert drafted.label == "GS-Jacobi (window 1, drafted, 8-bit; not in the paper)"
    assert {look.marker for look in style.looks(ordered)[:-2]} == {"o"}
    assert {cached.marker, drafted.marker} == {"s"}


def test_both_clocks_are_marked_on_each_curve(records):
    figure = figures.draw("pixelcnnpp_cifar10", records)
    found = style.in_order(figures.load_records(records / "pixelcnnpp_cifar10").values())
    stops = [line for line in figure.axes[0].get_lines() if line.get_label() == "_stop"]
    assert len(stops) == 2 * len(found)
    for record, oracle, certified in zip(found, stops[::2], stops[1::2], strict=True):
        assert oracle.get_xdata()[0] == pytest.approx(float(record["oracle_seconds"]))
        assert certified.get_xydata()[0, 1] == 0
        assert oracle.get_markerfacecolor() == "white" != certified.get_markerfacecolor()
