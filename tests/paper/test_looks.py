"""How figures look: lines told apart, strips, curves of training, tokens; and as they are printed, from our records."""

import dataclasses
import itertools

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend
from matplotlib.text import Text
from places import ROOT
from test_figures import CACHED, assert_lines

from ffc.paper import figures
from ffc.paper.figures import page, sampling, style, training

KEPT = next((ROOT / "results" / "reference").glob("*/laptop/records"))
#: More solvers of a kind than there are dashes.
CROWD = [
    synthetic.sampling("pixelcnnpp_mnist", f"{kind}_{i}", 4, 0.1, options={"solver": kind} | options)
    for kind, several in {
        "sequential": [{}],
        "jacobi": [{}, {}],
        "gs_jacobi": [*({"window": window} for window in range(2, 9)), {"guess": "row_above", "window": 9}],
    }.items()
    for i, options in enumerate(several)
]


def test_strips_show_sequential_above_and_jacobi_below():
    """A row is empty between the end of its solver and its last picture."""
    ends = {"sequential": 10, "jacobi": 5}
    figure = sampling.strip({name: synthetic.sampling("made_cifar", name, end, 0.1) for name, end in ends.items()})
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in axes] == ["iteration 0", "5", "last: 10", "iteration 0", "last: 5"]
    assert [ax.get_ylabel() for ax in axes if ax.get_ylabel()] == ["Sequential", "Jacobi"]
    pictures = [ax.images[0].get_array() for ax in axes]
    assert {picture.shape for picture in pictures} == {(4, 4, 3)}
    assert [np.unique(picture).tolist() for picture in pictures] == [[0], [127], [255], [0], [255]]


def test_lines_are_told_apart_with_and_without_colour():
    """Each kind of solver has a colour; in gray, any two lines differ in dash or in lightness."""
    assert len({look.color for look in style.LOOKS.values()}) == len(style.LOOKS) - 1  # feedforward is sequential
    kinds = [look for kind, look in style.LOOKS.items() if kind != "feedforward"]
    several = style.looks(style.in_order(CROWD))
    for family in ([look.line for look in kinds], [look.line for look in several], style.shades(5)):
        for one, other in itertools.combinations(family, 2):
            assert one["linestyle"] != other["linestyle"] or apart(one["color"], other["color"]) > 0.1
    windows = [look for look in several if look.label.startswith("GS-Jacobi (window")][:7]
    assert len({look.dash for look in windows}) == 7
    assert min(apart(windows[0].color, other.color) for other in windows[1:]) > 0.1


def apart(*colors) -> float:
    """How far two colours are in lightness."""
    one, other = (np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) for color in colors)
    return abs(float(one - other))


def test_what_a_race_chose_is_named():
    for options, label in (({}, "Auto (GS-Jacobi, window 2)"), ({"window": "auto"}, "GS-Jacobi (window 2)")):
        record = synthetic.sampling("made_mnist", "gs_jacobi" if options else "auto", 4, 0.1, options=options)
        record.meta["chosen"] = {"solver": "gs_jacobi", "window": 2}
        assert style.look(record).label == label


def test_samples_of_8_bits_come_last_and_are_squares():
    ordered = style.in_order(figures.load_records(KEPT / "pixelcnnpp_mnist").values())
    cached, drafted = (style.look(record).label for record in ordered[-2:])
    assert cached == "Sequential, cached (8-bit)"
    assert drafted == "GS-Jacobi (window 7 blocks, drafted, 8-bit; not in the paper)"
    assert [look.marker for look in style.looks(ordered)] == ["o"] * (len(ordered) - 2) + ["s", "s"]


def test_learning_curves_have_a_panel_for_each_task_trained_here():
    records = synthetic.everything()
    figure = training.curves(records | {"scaling": {"sampling": synthetic.images()}})  # with a task's weights
    shown = [ax for ax in figure.axes if ax.axison]
    titles = [f"{task}: test 1.25 bits/dim, 7 steps" for task in records if task != "rnn"]
    assert [ax.get_title() for ax in shown] == titles
    step, train, valid = (synthetic.CURVES[name] for name in ("step", "train_loss", "valid_loss"))
    for ax in shown:
        assert_lines(ax, [("training", step, train), ("held out", step, valid), ("kept", [4], [1])])
    once = {name: [value[0]] for name, value in synthetic.CURVES.items()}  # a single point is no curve
    jacobi = records["made_mnist"]["jacobi"]
    jacobi = dataclasses.replace(jacobi, meta=jacobi.meta | {"checkpoint": synthetic.WEIGHTS | {"curves": once}})
    figure = training.curves({"rnn": records["rnn"], "made_mnist": {"jacobi": jacobi}})
    assert figure.texts[0].get_text() == "No weights come with a curve."


def test_tokens_have_iterations_above_their_times():
    points, drafted = [("temperature", 0.5), ("temperature", 1), ("length", 64), ("width", 32)], "drafted tokens"
    ways = {"cached": (0.1, 64), "drafted": (0.05, 16)}
    record = synthetic.sizes(points, ways, "drafted", {"drafted": drafted}, task="text")
    counts, *_, seconds, _, _ = figures.scaling.sampling({"sampling": record}).axes
    assert (counts.get_ylabel(), seconds.get_xlabel(), seconds.get_xscale()) == ("iterations", "temperature", "linear")
    assert [list(line.get_ydata()) for line in counts.lines] == [[64, 64], [16, 16]]
    at, slow, fast = [0.5, 1], [0.1, 0.2], [0.05, 0.1]  # medians of three
    assert_lines(seconds, [(CACHED, at, slow), ("", [], []), (drafted, at, fast), ("", at, fast)])


@pytest.mark.parametrize("name", [*figures.FIGURES, *figures.EXTRAS, "training"])
def test_a_figure_is_fit_to_print(name):
    """Nothing overlaps, all can be read, and long names leave room for the curves."""
    if name == "training":
        figure = training.curves({path.name: figures.load_records(path) for path in sorted(KEPT.iterdir())})
    else:
        figure = figures.draw(name, KEPT)
    with mpl.rc_context(style.RC):
        figure.draw_without_rendering()
    single = len(figure.axes) == 1
    assert figure.get_figwidth() <= (page.COLUMN if single else page.PAGE)
    assert not single or figure.axes[0].get_position().width > 0.6
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
