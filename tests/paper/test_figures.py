"""Figures show what the records hold: a table says each one's axes and lines, by arithmetic on made-up records."""

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from matplotlib.legend import Legend

from ffc.core.errors import FFCError
from ffc.paper import figures

CLOCKS = ("paper's clock: oracle stop", "our clock: certified stop")
THIN = "thin: forward difference"
STEPS, SECONDS = "parallel iterations", "wall-clock time (s)"
LINEAR, CACHED = ("linear", "linear"), "Sequential, cached"
#: Samplers of the made-up records: iterations, evaluations in each, seconds.
RUNS = {
    "Sequential": (16, 1, 0.8),
    CACHED: (16, 1, 0.4),
    "Jacobi": (4, 1, 0.1),
    "GS-Jacobi (window 2)": (8, 1, 0.2),
    "Jacobi-GS (block 4)": (3, 4, 0.3),
}
#: Ways by size: milliseconds for each unit.
SIZED = {CACHED: 10, "Jacobi": 5, "GS-Jacobi, 2 rows": 20, "GS-Jacobi, half a row": 30, "GS-Jacobi, a row, drafted": 8}
K = np.arange(synthetic.SIZE + 1)


def page(*panels, note="", signs=()):
    """A figure: of each panel x, y, scales, where x begins (None: by itself) and the lines: (name, x, y); its note;
    what the legend has beside the lines."""
    return panels, note, signs


def approach(by, ylabel, labels, scales, begin, signs=CLOCKS):
    """Errors fall evenly to 0 from a mean of 16/3; marks stand half-way (the oracle's) and at the end (ours)."""
    lines = []
    for label in labels:
        count, steps, seconds = RUNS[label]
        x, y = np.linspace(0, count * steps if by == STEPS else seconds, count + 1), np.linspace(16 / 3, 0, count + 1)
        lines.append((label, x, y))
        if THIN in signs and label != CACHED:  # at the iterate that it leaves
            lines.append(("_difference", x[:-1], np.full(count, 16 / 3 / count)))
        lines += [("_stop", x[[place]], y[[place]]) for place in (count // 2, count)]
    return page((by, ylabel, scales, begin, lines), signs=signs)


def gradients(when, scale):
    """A mean of 3 · rate^k over the samples, and 0 at the end."""
    rates = {"Feedforward": 0.95, "Jacobi": 0.5}
    lines = [(label, K, scale * np.append(3 * rate ** K[:-1], 0)) for label, rate in rates.items()]
    note = f"{when} training; mean ± standard deviation of 5 samples"
    return page(("iterations", "ℓ₂ error of the gradient", LINEAR, 0, lines), note=note)


def losses(x, ends):
    """Losses of 2 · 2^−i, the mean of both runs; running means of ten of the twelve steps."""
    smooth = [np.mean(2 * 0.5 ** np.arange(i, i + 10)) for i in range(3)]
    labels = ("Feedforward", "Jacobi (2 iterations)", "Jacobi (16 iterations)")
    lines = [(label, np.array([10, 11, 12]) * end / 12, smooth) for label, end in zip(labels, ends, strict=True)]
    panel = (x, "training loss (mean squared error)", ("linear", "log"), 0, lines)
    return page(panel, note="Running mean of 10 steps, mean of 2 runs")


def outputs(scales, count):
    """Zero has no place on a logarithmic axis."""
    lines = [("Jacobi: error", K[:count], [3, 1.5, 0.75, 0][:count])]
    lines += [("Jacobi: forward difference", K[:3], [1.5, 0.75, 0.75])]
    panel = ("Jacobi iterations", "ℓ₂ distance of the logits", scales, 0, lines)
    return page(panel, note="Mean ± standard deviation of 2 images")


def top5(x, scales, unit, upright, note=""):
    """Two images; the slowest layer takes 2 ms of the authors' estimate."""
    curves = {"top-5": [2.5, 0.5, 0, 0], "authors' count (5 smallest, by place)": [5, 3, 1, 0]}
    lines = [(f"Jacobi: {label}", unit * K[:4], curve) for label, curve in curves.items()]
    lines += [(label, [at, at], [0, 1]) for label, at in upright.items()]
    return page((x, "differing top-5 predictions, mean", scales, unit if note else 0, lines), note=note)


def lengths(name, ways, first, y):
    """Seconds in proportion to the length, way after way; DEER fell back at 100: a cross."""
    lines = []
    for place, label in enumerate(ways, first):
        lines.append((label, [10, 100], [2e-3 * place, 20e-3 * place]))
        lines += [("", [100], [20e-3 * place])] if label == "DEER" else []
    return f"length of the sequence (time steps), {name} pass", y, ("log", "log"), None, lines


def sizes(x, at, y):
    """Seconds in proportion to the size: the median of three repeats; a ring at the way that the race chose."""
    lines = []
    for label, unit in SIZED.items():
        seconds = 2e-3 * unit * np.array(at)
        lines += [(label, at, seconds), ("", at, seconds) if label == "Jacobi" else ("", [], [])]
    return x, y, ("log", "log"), None, lines


LOGITS, COLOURS = "ℓ₂ error (logits of pixels), mean", "ℓ₂ error (pixels in [−1, 1]), mean"
MADE = {
    STEPS: approach(STEPS, LOGITS, ["Sequential", "Jacobi"], ("log", "linear"), 1, (*CLOCKS, THIN)),
    SECONDS: approach(SECONDS, LOGITS, ["Sequential", CACHED, "Jacobi"], ("log", "linear"), 0.1 / 30, (*CLOCKS, THIN)),
}
PIXELS = {
    STEPS: approach(STEPS, COLOURS, [label for label in RUNS if label != CACHED], ("linear", "symlog"), 0),
    SECONDS: approach(SECONDS, COLOURS, RUNS, ("log", "symlog"), 0.1 / 30),
}
TIMES = {"Feedforward, estimated": 4, "Feedforward, measured": 3, "Jacobi, estimated": 5, "Jacobi, measured": 6}
BACKWARD = ("Sequential (backpropagation)", "Jacobi, fewest sweeps", "Jacobi-GS (chunks)", "Associative scan")
ESTIMATES = "Curves and estimates: the slowest layer's time × iterations; the sum of all layers' for Feedforward"
REPEATS = "Lines: median of 3 repeats{}; bars: their range"
TABLE = {
    "rnn_begin": gradients("Before", 1),
    "rnn_end": gradients("After", 0.1),
    "rnn_backprop": losses(SECONDS, (1, 2, 2)),
    "rnn_backprop_iter": losses("training steps", (12, 12, 12)),
    "densenet_outputs": outputs(LINEAR, 4),
    "densenet_outputs_log": outputs(("linear", "log"), 3),
    "densenet_iter": top5("Jacobi iterations", LINEAR, 1, {"Feedforward: 3 layers": 3}),
    "densenet": top5("time (ms)", ("log", "linear"), 2, TIMES, ESTIMATES),
    **{f"made_{data}_time_nolog_iter": MADE[STEPS] for data in ("mnist", "cifar")},
    **{f"made_{data}_time_nolog": MADE[SECONDS] for data in ("mnist", "cifar")},
    **{f"pixelcnnpp_{data}_iter": PIXELS[STEPS] for data in ("mnist", "cifar10")},
    **{f"pixelcnnpp_{data}": PIXELS[SECONDS] for data in ("mnist", "cifar10")},
    "rnn_scaling": page(
        lengths("forward", ("Sequential", "DEER", "Quasi-DEER", "Chunks"), 1, SECONDS),
        lengths("backward", BACKWARD, 5, ""),
        **{"note": REPEATS.format(""), "signs": ["fell back to sequential"]},
    ),
    "sampling_scaling": page(
        sizes("image height and width (pixels)", [8, 16], SECONDS),
        sizes("batch (images)", [1, 4], ""),
        sizes("width of the network (filters)", [16, 32], ""),
        **{"note": REPEATS.format(", of one batch"), "signs": ["choice of auto"]},
    ),
}


@pytest.fixture(scope="module")
def drawn(made_up):
    """Every figure, drawn once."""
    return {name: figures.draw(name, made_up) for name in figures.FIGURES | figures.EXTRAS}


def lines_of(ax) -> list[tuple]:
    """(name, x, y) of every line; what has no name has an empty one."""
    return [("" if (name := line.get_label()).startswith("_child") else name, *line.get_data()) for line in ax.lines]


def contents(ax) -> tuple[list, list]:
    """All lines and pictures, to compare."""
    lines = [(label, np.asarray(x).tolist(), np.asarray(y).tolist()) for label, x, y in lines_of(ax)]
    return lines, [picture.get_array().tolist() for picture in ax.images]


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
    figure, (panels, note, signs) = drawn[name], TABLE[name]
    for ax, (x, y, scales, begin, lines) in zip(figure.axes, panels, strict=True):
        assert (ax.get_xlabel(), ax.get_ylabel(), (ax.get_xscale(), ax.get_yscale())) == (x, y, scales)
        assert begin is None or ax.get_xlim()[0] == pytest.approx(begin)
        assert_lines(ax, lines)
    labels = {label for *_, lines in panels for label, *_ in lines if label and label[0] != "_"}
    assert sorted(legend(figure)) == sorted({*labels, *signs})
    weights = "" if name.startswith("rnn") else " Weights: trained here (7 steps, 1.25 bits/dim)"
    assert footnote(figure) == f"{note} Data: pebbles 4×4{weights} Device: Abacus, 10 rows".strip()


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


def test_a_figure_is_written_as_three_files_the_same_each_time_whatever_a_users_style(made_up, tmp_path):
    written = []
    for style in ({}, {"text.usetex": True, "lines.marker": "o", "axes.facecolor": "red", "font.family": "serif"}):
        with mpl.rc_context(style):  # the records may be of the authors, and few figures be wanted
            image = figures.show("made_mnist_time_nolog", made_up, tmp_path, ["made_mnist_time_nolog"], made_up)
        written.append({path.suffix: path.read_bytes() for path in tmp_path.iterdir()})
        assert written[-1][".png"] == image.data
    assert written[0] == written[1]
    assert {content[:4] for content in written[0].values()} == {b"\x89PNG", b"<?xm", b"%PDF"}


def test_what_cannot_be_drawn_is_named_and_left_out_of_a_notebook_if_it_was_not_asked_for(made_up, tmp_path):
    figures.load_records(made_up / "made_mnist")["jacobi"].save(tmp_path / "made_mnist" / "jacobi.npz")
    for name, problem in (
        ("made_mnist", "no record of the solver sequential"),
        ("made_cifar", "made_cifar: no records there"),
        ("made", "figure 'made': expected one of rnn_begin"),
    ):
        with pytest.raises(FFCError, match=problem):
            figures.draw(name, tmp_path)
    for records, only in ((made_up, ["rnn_begin"]), (made_up, []), (tmp_path, None)):
        note = figures.show("rnn_end", records, tmp_path / "out", only)
        assert note.data == "*rnn_end is left out: not all of its results are there.*"
    assert not (tmp_path / "out").exists()
