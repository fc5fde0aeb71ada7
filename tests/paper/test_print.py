"""Figures as they are printed, from the records that the repository keeps: nothing overlaps, all can be read."""

import itertools

import matplotlib as mpl
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text
from places import ROOT

from ffc.paper import figures
from ffc.paper.figures import page, style, training

KEPT = next((ROOT / "results" / "reference").glob("*/laptop/records"))


@pytest.mark.parametrize("name", [*figures.FIGURES, *figures.EXTRAS, "training"])
def test_a_figure_is_fit_to_print(name):
    if name == "training":
        figure = training.curves({path.name: figures.load_records(path) for path in sorted(KEPT.iterdir())})
    else:
        figure = figures.draw(name, KEPT)
    assert figure.get_figwidth() <= (page.PAGE if len(figure.axes) > 1 else page.COLUMN)
    with mpl.rc_context(style.RC):
        figure.draw_without_rendering()
    texts = {text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()}
    shown = {text: text.get_window_extent() for text in texts - undrawn(figure)}
    for text, box in shown.items():
        assert text.get_fontsize() >= 6, text
        assert all(figure.bbox.padded(1).contains(*corner) for corner in box.corners()), text
    for (one, box), (other, beside) in itertools.combinations(shown.items(), 2):
        assert not box.padded(-1).overlaps(beside.padded(-1)), (one, other)
    for legend in figure.findobj(Legend):
        names = [text.get_text() for text in legend.get_texts()]
        assert len(set(names)) == len(names)
        box = legend.get_window_extent().padded(-1)
        assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)  # legends hide no curve


def undrawn(figure) -> set[Text]:
    """Texts that matplotlib keeps and does not draw: of ticks outside their axis's limits, and of axes without any."""
    kept: set[Text] = set()
    for ax, name in itertools.product(figure.axes, ("xaxis", "yaxis")):
        low, high = sorted(getattr(ax, name).get_view_interval())
        for tick in (*getattr(ax, name).majorTicks, *getattr(ax, name).minorTicks):
            if not (ax.axison and low <= tick.get_loc() <= high):
                kept |= {tick.label1, tick.label2}
    return kept


def test_samples_of_8_bits_come_last_and_are_squares():
    ordered = style.in_order(figures.load_records(KEPT / "pixelcnnpp_mnist").values())
    labels = [style.look(record).label for record in ordered[-2:]]
    assert labels[0] == "Sequential, cached (8-bit)"
    assert labels[1].startswith("GS-Jacobi (window ")
    assert labels[1].endswith("drafted, 8-bit; not in the paper)")
    assert [look.marker for look in style.looks(ordered)] == ["o"] * (len(ordered) - 2) + ["s", "s"]
