"""Figures show what the records hold: a table says each one's axes and lines, by arithmetic on made-up records."""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pytest
import synthetic
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend

from ffc.core.errors import FFCError
from ffc.paper import figures
from ffc.paper.figures import sampling, style, training

CLOCKS = ["paper's clock: oracle stop", "our clock: certified stop"]
THIN = "thin: forward difference"
STEPS, SECONDS = "parallel iterations", "wall-clock time (s)"
LINEAR, UPRIGHT, FLAT, BOTH = ("linear", "linear"), ("linear", "log"), ("log", "linear"), ("log", "log")
#: Samplers of the made-up records: iterations, evaluations in each, seconds.
RUNS = {
    "Sequential": (16, 1, 0.8),
    "Sequential, cached": (16, 1, 0.4),
    "Jacobi": (4, 1, 0.1),
    "GS-Jacobi (window 2)": (8, 1, 0.2),
    "Jacobi-GS (block 4)": (3, 4, 0.3),
}
WAYS = {"cached": 10, "jacobi": 5, "rows": 20, "pixels": 30, "drafted": 8}  # milliseconds for each unit of a size
SIZED = ["Sequential, cached", "Jacobi", "GS-Jacobi, 2 rows", "GS-Jacobi, half a row", "GS-Jacobi, a row, drafted"]
K = np.arange(synthetic.SIZE + 1)


class Panel(NamedTuple):
    """Axes: their names, their scales, where x begins (None: by itself), and the lines (name, x, y) in order."""

    x: str
    y: str
    scales: tuple[str, str]
    begin: float | None
    lines: list[tuple]


class Page(NamedTuple):
    """A figure: its panels, what its legend has beside their lines, and the first part of its footnote."""

    panels: list[Panel]
    signs: tuple[str, ...] = ()
    note: str = ""


def approach(by, labels, differences=False):
    """Errors fall evenly to 0 from a mean of 16/3; marks stand half-way (the oracle's) and at the end (ours)."""
    for label in labels:
        count, steps, seconds = RUNS[label]
        x = np.linspace(0, count * steps if by == STEPS else seconds, count + 1)
        y = np.linspace(16 / 3, 0, count + 1)
        yield label, x, y
        if differences and "cached" not in label:
            yield "_difference", x[:-1], np.full(count, 16 / 3 / count)  # at the iterate that it leaves
        yield "_stop", x[count // 2 : count // 2 + 1], y[count // 2 : count // 2 + 1]
        yield "_stop", x[-1:], y[-1:]


def made(by):
    labels = [
        label for label in ("Sequential", "Sequential, cached", "Jacobi") if by == SECONDS or "cached" not in label
    ]
    lines = list(approach(by, labels, differences=True))
    panel = Panel(by, "ℓ₂ error (logits of pixels), mean", FLAT, 1 if by == STEPS else 0.1 / 30, lines)
    return Page([panel], [*CLOCKS, THIN])


def pixels(by):
    lines = list(approach(by, [label for label in RUNS if by == SECONDS or "cached" not in label]))
    scales, begin = (("linear", "symlog"), 0) if by == STEPS else (("log", "symlog"), 0.1 / 30)
    return Page([Panel(by, "ℓ₂ error (pixels in [−1, 1]), mean", scales, begin, lines)], CLOCKS)


def gradients(when, scale):
    """A mean of 3 · rate^k over the samples, and 0 at the end."""
    rates = {"Feedforward": 0.95, "Jacobi": 0.5}
    lines = [(label, K, scale * np.append(3 * rate ** K[:-1], 0)) for label, rate in rates.items()]
    note = f"{when} training; mean ± standard deviation of 5 samples"
    return Page([Panel("iterations", "ℓ₂ error of the gradient", LINEAR, 0, lines)], note=note)


def losses(x, ends):
    """Losses of 2 · 2^−i, the mean of both runs; running means of ten of the twelve steps."""
    smooth = [np.mean(2 * 0.5 ** np.arange(i, i + 10)) for i in range(3)]
    labels = ("Feedforward", "Jacobi (2 iterations)", "Jacobi (16 iterations)")
    lines = [(label, np.array([10, 11, 12]) * end / 12, smooth) for label, end in zip(labels, ends, strict=True)]
    panel = Panel(x, "training loss (mean squared error)", UPRIGHT, 0, lines)
    return Page([panel], note="Running mean of 10 steps, mean of 2 runs")


def outputs(scales, count):
    error, difference = [3, 1.5, 0.75, 0][:count], [1.5, 0.75, 0.75]  # zero has no place on a logarithmic axis
    lines = [("Jacobi: error", K[:count], error), ("Jacobi: forward difference", K[:3], difference)]
    panel = Panel("Jacobi iterations", "ℓ₂ distance of the logits", scales, 0, lines)
    return Page([panel], note="Mean ± standard deviation of 2 images")


def top5(x, scales, begin, unit, upright, note=""):
    """Two images; the slowest layer takes 2 ms of the authors' estimate."""
    curves = {"top-5": [2.5, 0.5, 0, 0], "authors' count (5 smallest, by place)": [5, 3, 1, 0]}
    lines = [(f"Jacobi: {label}", unit * K[:4], curve) for label, curve in curves.items()]
    lines += [(label, [at, at], [0, 1]) for label, at in upright.items()]
    return Page([Panel(x, "differing top-5 predictions, mean", scales, begin, lines)], note=note)


def lengths(name, ways, first, y=""):
    """Seconds in proportion to the length, way after way; DEER fell back at 100: a cross."""
    lines = []
    for place, label in enumerate(ways, first):
        lines.append((label, [10, 100], [2e-3 * place, 20e-3 * place]))
        lines += [("", [100], [20e-3 * place])] if label == "DEER" else []
    return Panel(f"length of the sequence (time steps), {name} pass", y, BOTH, None, lines)


def sizes(x, at, y=""):
    """The median of repeats in proportion 1, 2, 3; a ring at the way that the race chose."""
    lines = []
    for label, (way, unit) in zip(SIZED, WAYS.items(), strict=True):
        seconds = 2e-3 * unit * np.array(at)
        lines += [(label, at, seconds), ("", at, seconds) if way == "jacobi" else ("", [], [])]
    return Panel(x, y, BOTH, None, lines)


TIMES = {"Feedforward, estimated": 4, "Feedforward, measured": 3, "Jacobi, estimated": 5, "Jacobi, measured": 6}
TABLE = {
    "rnn_begin": gradients("Before", 1),
    "rnn_end": gradients("After", 0.1),
    "rnn_backprop": losses(SECONDS, (1, 2, 2)),
    "rnn_backprop_iter": losses("training steps", (12, 12, 12)),
    "densenet_outputs": outputs(LINEAR, 4),
    "densenet_outputs_log": outputs(UPRIGHT, 3),
    "densenet_iter": top5("Jacobi iterations", LINEAR, 0, 1, {"Feedforward: 3 layers": 3}),
    "densenet": top5(
        *("time (ms)", FLAT, 2, 2, TIMES),
        note="Curves and estimates: the slowest layer's time × iterations; the sum of all layers' for Feedforward",
    ),
    **{f"made_{data}_time_nolog_iter": made(STEPS) for data in ("mnist", "cifar")},
    **{f"made_{data}_time_nolog": made(SECONDS) for data in ("mnist", "cifar")},
    **{f"pixelcnnpp_{data}_iter": pixels(STEPS) for data in ("mnist", "cifar10")},
    **{f"pixelcnnpp_{data}": pixels(SECONDS) for data in ("mnist", "cifar10")},
    "rnn_scaling": Page(
        [
            lengths("forward", ["Sequential", "DEER", "Quasi-DEER", "Chunks"], 1, SECONDS),
            lengths(
                "backward",
                ["Sequential (backpropagation)", "Jacobi, fewest sweeps", "Jacobi-GS (chunks)", "Associative scan"],
                5,
            ),
        ],
        ["fell back to sequential"],
        "Lines: median of 3 repeats; bars: their range",
    ),
    "sampling_scaling": Page(
        [
            sizes("image height and width (pixels)", [8, 16], SECONDS),
            sizes("batch (images)", [1, 4]),
            sizes("width of the network (filters)", [16, 32]),
        ],
        ["choice of auto"],
        "Lines: median of 3 repeats, of one batch; bars: their range",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    synthetic.write(folder)
    return folder


@pytest.fixture(scope="module")
def drawn(folder):
    """Every figure, drawn once."""
    return {name: figures.draw(name, folder) for name in figures.FIGURES | figures.EXTRAS}


def lines_of(ax) -> list[tuple]:
    """(name, x, y) of every line; what has no name has an empty one."""
    return [("" if (name := line.get_label()).startswith("_child") else name, *line.get_data()) for line in ax.lines]


def legend(figure) -> list[str]:
    return [text.get_text() for one in figure.findobj(Legend) for text in one.get_texts()]


def footnote(figure) -> str:
    """In one line, without the dots between its parts."""
    return figure.get_supxlabel().replace("\n", " ").replace(" · ", " ")


def assert_lines(ax, expected):
    for line, (label, *data) in zip(lines_of(ax), expected, strict=True):
        assert line[0] == label
        np.testing.assert_allclose(line[1:], data, err_msg=label, atol=1e-12)


def test_the_papers_eighteen_figures_and_two_more_are_drawn():
    assert len(figures.FIGURES) == 18
    assert TABLE.keys() | {"made_mnist", "made_cifar"} == figures.FIGURES.keys() | figures.EXTRAS.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_figure_shows_the_records_numbers_on_the_papers_axes(drawn, name):
    figure, page = drawn[name], TABLE[name]
    for ax, panel in zip(figure.axes, page.panels, strict=True):
        assert (ax.get_xlabel(), ax.get_ylabel(), (ax.get_xscale(), ax.get_yscale())) == panel[:3]
        assert panel.begin is None or ax.get_xlim()[0] == pytest.approx(panel.begin)
        assert_lines(ax, panel.lines)
    named = {label for panel in page.panels for label, *_ in panel.lines if label and label[0] != "_"}
    assert sorted(legend(figure)) == sorted({*named, *page.signs})


@pytest.mark.parametrize("name", figures.FIGURES | figures.EXTRAS)
def test_a_figure_says_its_data_weights_and_device(drawn, name):
    weights = [] if name.startswith("rnn") else ["Weights: trained here (7 steps, 1.25 bits/dim)"]
    note = [TABLE[name].note] if name in TABLE and TABLE[name].note else []
    assert footnote(drawn[name]) == " ".join([*note, "Data: pebbles 4×4", *weights, "Device: Abacus, 10 rows"])


def test_bands_are_of_one_deviation_and_bars_from_the_least_to_the_greatest(drawn):
    def band(name, number, k):
        corners = drawn[name].axes[0].collections[number].get_paths()[0].vertices
        heights = corners[np.isclose(corners[:, 0], k), 1]
        return heights.min(), heights.max()

    deviation = np.std([0.5, 1, 1.5, 2, 2.5])
    assert band("rnn_begin", 1, 1) == pytest.approx((1.5 - deviation, 1.5 + deviation))
    assert band("densenet_outputs", 0, 1) == band("densenet_outputs_log", 0, 1) == pytest.approx((1, 2))
    bars = drawn["rnn_scaling"].axes[0].collections[1].get_segments()
    np.testing.assert_allclose(bars, [[[10, 2e-3], [10, 6e-3]], [[100, 20e-3], [100, 60e-3]]])


def test_the_papers_clock_is_a_hollow_mark_and_ours_a_filled_one(drawn):
    for name in ("made_mnist_time_nolog", "pixelcnnpp_mnist_iter"):
        stops = [line for line in drawn[name].axes[0].lines if line.get_label() == "_stop"]
        for oracle, certified in zip(stops[::2], stops[1::2], strict=True):
            assert oracle.get_markerfacecolor() == "white" != certified.get_markerfacecolor()
    rings = [line for line in drawn["sampling_scaling"].axes[1].lines if line.get_markerfacecolor() == "none"]
    assert [ring.get_color() for ring in rings if len(ring.get_xdata())] == [style.LOOKS["jacobi"].color]
    crosses = [line.get_color() for line in drawn["rnn_scaling"].axes[0].lines if line.get_marker() == "x"]
    assert crosses == [style.LOOKS["deer"].color]


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
    """Each solver has one colour in all figures; in gray, lines differ in dash or in lightness."""
    for name in ("made_mnist_time_nolog", "pixelcnnpp_mnist"):
        colors = {line.get_label(): line.get_color() for line in drawn[name].axes[0].lines}
        assert colors.items() >= {(style.LOOKS[kind].label, style.LOOKS[kind].color) for kind in ("cached", "jacobi")}
    assert len({look.color for look in style.LOOKS.values()}) == len(style.LOOKS) - 1  # feedforward is sequential
    looks = [look.line for kind, look in style.LOOKS.items() if kind != "feedforward"]
    for family in (looks, style.shades(5)):
        for one, other in itertools.combinations(family, 2):
            assert one["linestyle"] != other["linestyle"] or apart(one["color"], other["color"]) > 0.1


def apart(*colors) -> float:
    """How far two colours are in lightness."""
    one, other = (np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) for color in colors)
    return abs(float(one - other))


def test_two_solvers_of_a_kind_are_told_apart_and_a_long_name_leaves_room_for_the_curves():
    ahead = {"solver": "gs_jacobi", "window": "7 blocks", "guess": "row_above"}
    records = {
        "sequential": synthetic.sampling("pixelcnnpp_mnist", "sequential", 16, 0.8),
        "gs_jacobi": synthetic.sampling("pixelcnnpp_mnist", "gs_jacobi", 8, 0.2, options={"window": 2}),
        "wider": synthetic.sampling("pixelcnnpp_mnist", "wider", 8, 0.2, options={"solver": "gs_jacobi", "window": 4}),
        "ahead": synthetic.sampling("pixelcnnpp_mnist", "ahead", 6, 0.1, options=ahead),
    }
    figure = sampling.pixelcnnpp(records, by="seconds")
    figure.draw_without_rendering()
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    first = lines["GS-Jacobi (window 2)"]
    for other in (lines["GS-Jacobi (window 4)"], lines["GS-Jacobi (window 7 blocks, guess row_above)"]):
        assert apart(first.get_color(), other.get_color()) > 0.1
        assert first._dash_pattern != other._dash_pattern
    assert figure.axes[0].get_position().width > 0.7


def test_what_a_race_chose_is_named():
    for options, label in (({}, "Auto (GS-Jacobi, window 2)"), ({"window": "auto"}, "GS-Jacobi (window 2)")):
        record = synthetic.sampling("made_mnist", "gs_jacobi" if options else "auto", 4, 0.1, options=options)
        record.meta["chosen"] = {"solver": "gs_jacobi", "window": 2}
        assert style.look(record).label == label


def test_figures_admit_that_devices_differ():
    one, two = synthetic.densenet().values()
    other = dataclasses.replace(two, meta=two.meta | {"device": {"platform": "gpu", "name": "Comet"}})
    device = style.sources([one, other])[-1]
    assert device == "Device: Abacus, 10 rows, Comet (times of different devices do not compare)"


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
    assert_lines(seconds, [("Sequential, cached", at, median), ("", [], []), (drafted, at, median), ("", at, median)])


def test_a_figure_is_written_as_three_files_the_same_each_time(folder, tmp_path):
    for attempt in ("one", "two"):
        image = figures.show("pixelcnnpp_mnist", folder, tmp_path / attempt)
    files = {path.suffix: path.read_bytes() for path in (tmp_path / "one").glob("pixelcnnpp_mnist.*")}
    assert files == {path.suffix: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert files[".png"] == image.data
    assert files.keys() == {".png", ".svg", ".pdf"}
    assert files[".svg"].startswith(b"<?xml")
    assert files[".pdf"].startswith(b"%PDF")


def test_what_cannot_be_drawn_is_named(folder, tmp_path):
    figures.load_records(folder / "made_mnist")["jacobi"].save(tmp_path / "made_mnist" / "jacobi.npz")
    for name, problem in (
        ("made_mnist", "no record of the solver sequential"),
        ("made_cifar", "made_cifar: no records there"),
        ("made", "figure 'made': expected one of rnn_begin"),
    ):
        with pytest.raises(FFCError, match=problem):
            figures.draw(name, tmp_path)
