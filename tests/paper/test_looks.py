"""How figures look: strips of samples, lines that are told apart, learning curves, and tokens."""

import dataclasses
import itertools

import numpy as np
import pytest
import synthetic
from matplotlib.colors import to_rgb
from test_figures import CACHED, assert_lines

from ffc.paper import figures
from ffc.paper.figures import sampling, style, training

WAYS = {
    "sequential": [{}],
    "jacobi": [{}, {}],
    "gs_jacobi": [{"window": window} for window in range(2, 9)],
    "ahead": [{"guess": "row_above"}, {"guess": "row_above", "window": "9 blocks"}],
}
#: More solvers of a kind than there are dashes.
CROWD = [
    synthetic.sampling(
        "pixelcnnpp_mnist", f"{kind}_{i}", 4, 0.1, options={"solver": kind.replace("ahead", "gs_jacobi"), **options}
    )
    for kind, several in WAYS.items()
    for i, options in enumerate(several)
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Figures of samplers."""
    synthetic.write(folder := tmp_path_factory.mktemp("records"))
    return {name: figures.draw(name, folder) for name in figures.FIGURES if "rnn" not in name and "dense" not in name}


@pytest.mark.parametrize(("name", "shape"), [("made_mnist", (4, 4)), ("made_cifar", (4, 4, 3))])
def test_strips_show_sequential_above_and_jacobi_below(drawn, name, shape):
    axes = [ax for ax in drawn[name].axes if ax.get_visible()]
    # A row is empty between the end of its solver and its last picture.
    assert [ax.get_title() for ax in axes] == ["iteration 0", "5", "10", "15", "last: 16", "iteration 0", "last: 4"]
    assert [ax.get_ylabel() for ax in axes] == ["Sequential", *[""] * 4, "Jacobi", ""]
    pictures = [ax.images[0].get_array() for ax in axes]
    assert {picture.shape for picture in pictures} == {shape}
    assert [np.unique(picture).tolist() for picture in pictures] == [[0], [79], [159], [239], [255], [0], [255]]


def test_lines_are_told_apart_with_and_without_colour(drawn):
    """Each kind of solver has one colour in all figures; in gray, any two lines differ in dash or in lightness."""
    for name in ("made_mnist_time_nolog", "pixelcnnpp_mnist"):
        colors = {line.get_label(): line.get_color() for line in drawn[name].axes[0].lines}
        assert colors.items() >= {(style.LOOKS[kind].label, style.LOOKS[kind].color) for kind in ("cached", "jacobi")}
    assert len({look.color for look in style.LOOKS.values()}) == len(style.LOOKS) - 1  # feedforward is sequential
    kinds = [look for kind, look in style.LOOKS.items() if kind != "feedforward"]
    several = style.looks(style.in_order(CROWD))
    for family in ([look.line for look in kinds], [look.line for look in several], style.shades(5)):
        for one, other in itertools.combinations(family, 2):
            assert one["linestyle"] != other["linestyle"] or apart(one["color"], other["color"]) > 0.1
    windows = [look for look in several if look.label.startswith("GS-Jacobi (window")]
    assert len({look.dash for look in windows}) == len(windows) == 8
    assert min(apart(windows[0].color, other.color) for other in windows[1:]) > 0.1


def apart(*colors) -> float:
    """How far two colours are in lightness."""
    one, other = (np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) for color in colors)
    return abs(float(one - other))


def test_a_long_name_leaves_room_for_the_curves():
    records = {
        record.meta["solver"]: record for record in CROWD if record.meta["solver"] in ("sequential_0", "ahead_1")
    }
    figure = sampling.pixelcnnpp(records, by="seconds")
    figure.draw_without_rendering()
    assert [line.get_label() for line in figure.axes[0].lines][-3] == "GS-Jacobi (window 9 blocks, guess row_above)"
    assert figure.axes[0].get_position().width > 0.6


def test_what_a_race_chose_is_named():
    for options, label in (({}, "Auto (GS-Jacobi, window 2)"), ({"window": "auto"}, "GS-Jacobi (window 2)")):
        record = synthetic.sampling("made_mnist", "gs_jacobi" if options else "auto", 4, 0.1, options=options)
        record.meta["chosen"] = {"solver": "gs_jacobi", "window": 2}
        assert style.look(record).label == label


def test_learning_curves_have_a_panel_for_each_task_trained_here():
    records = synthetic.everything()
    figure = training.curves(records | {"scaling": {"sampling": synthetic.sizes()}})  # with a task's weights
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == [
        f"{task}: test 1.25 bits/dim, 7 steps" for task in records if task != "rnn"
    ]
    step, train, valid = (synthetic.CURVES[name] for name in ("step", "train_loss", "valid_loss"))
    for ax in shown:
        assert_lines(ax, [("training", step, train), ("held out", step, valid), ("kept", [4], [1])])
    once = {name: [value[0]] for name, value in synthetic.CURVES.items()}  # a single point is no curve
    jacobi = records["made_mnist"]["jacobi"]
    jacobi = dataclasses.replace(jacobi, meta=jacobi.meta | {"checkpoint": synthetic.WEIGHTS | {"curves": once}})
    figure = training.curves({"rnn": records["rnn"], "made_mnist": {"jacobi": jacobi}})
    assert figure.texts[0].get_text() == "No weights come with a curve."


def test_tokens_have_iterations_above_their_times():
    rows = [
        {"axis": axis, "at": at, "way": way, "seconds": np.array([1.0, 2.0]) * at, "iterations": count}
        | {"certified": True, "max_difference": 0.0, "chosen": way == "drafted"}
        for axis, at in [("temperature", 0.5), ("temperature", 1), ("length", 64), ("width", 32)]
        for way, count in [("cached", 64), ("drafted", 16)]
    ]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    labels = {"drafted": "GS-Jacobi, 8 tokens, drafted"}
    record = synthetic.record(arrays, "text", "scaling", checkpoint=synthetic.WEIGHTS, labels=labels)
    counts, *_, seconds, _, _ = figures.scaling.sampling({"sampling": record}).axes
    assert (counts.get_ylabel(), seconds.get_xlabel(), seconds.get_xscale()) == ("iterations", "temperature", "linear")
    assert [list(line.get_ydata()) for line in counts.lines] == [[64, 64], [16, 16]]
    drafted = labels["drafted"]
    at, median = [0.5, 1], [0.75, 1.5]
    assert_lines(seconds, [(CACHED, at, median), ("", [], []), (drafted, at, median), ("", at, median)])
