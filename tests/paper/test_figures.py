"""Figures show what the records hold: each test reads a figure's axes, not its file alone."""

import dataclasses
import itertools

import numpy as np
import pytest
import synthetic
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.legend import Legend

from ffc.core.errors import FFCError
from ffc.paper import figures
from ffc.paper.figures import sampling, style, training

CLOCKS = ["paper's clock: oracle stop", "our clock: certified stop"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    synthetic.write(folder)
    return folder


@pytest.fixture(scope="module")
def drawn(folder):
    """Every figure, drawn once."""
    return {name: figures.draw(name, folder) for name in figures.FIGURES | figures.EXTRAS}


def curves(figure) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The lines of a figure's first axes by label (unlabelled ones left out)."""
    return curves_of(figure.axes[0])


def curves_of(ax) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    lines = ax.get_lines()
    return {line.get_label(): line.get_data() for line in lines if not line.get_label().startswith("_")}


def legend(figure) -> list[str]:
    return [text.get_text() for one in figure.findobj(Legend) for text in one.get_texts()]


def footnote(figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")


def test_the_papers_eighteen_figures_are_drawn_and_written(drawn, tmp_path):
    assert len(figures.FIGURES) == 18
    for name in figures.FIGURES:
        figures.save(drawn[name], tmp_path, name)
        assert imread(tmp_path / f"{name}.png")[..., :3].std() > 0.01  # something is drawn
        assert (tmp_path / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(tmp_path.iterdir())) == 3 * 18


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_says_its_data_weights_and_device(drawn, name):
    text = footnote(drawn[name])
    assert "Data: pebbles 4×4" in text
    assert "Device: Abacus, 10 rows" in text
    assert ("Weights: trained here (7 steps, 1.25 bits/dim)" in text) == (not name.startswith("rnn"))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_an_axis_is_logarithmic_where_the_papers_is(drawn, name):
    logarithmic = name.startswith("rnn_backprop") or name == "densenet_outputs_log"
    to_zero = name.startswith("pixelcnnpp")
    scales = {ax.get_yscale() for ax in drawn[name].axes}
    assert scales == {"symlog" if to_zero else "log" if logarithmic else "linear"}


def test_one_colour_for_each_solver_in_all_figures(drawn):
    made = drawn["made_mnist_time_nolog"].axes[0].get_lines()
    pixels = drawn["pixelcnnpp_mnist"].axes[0].get_lines()
    for label in ("Sequential", "Sequential, cached", "Jacobi"):
        colors = {line.get_color() for line in (*made, *pixels) if line.get_label() == label}
        assert len(colors) == 1
    assert len({look.color for look in style.LOOKS.values()}) == len(style.LOOKS) - 1  # feedforward is sequential


def test_what_a_race_chose_is_named():
    auto = synthetic.sampling("made_mnist", "auto", 4, 0.1)
    auto.meta["chosen"] = {"solver": "gs_jacobi", "window": 2}
    assert style.look(auto).label == "Auto (GS-Jacobi, window 2)"
    window = synthetic.sampling("made_mnist", "gs_jacobi", 4, 0.1, options={"window": "auto"})
    window.meta["chosen"] = {"solver": "gs_jacobi", "window": 2}
    assert style.look(window).label == "GS-Jacobi (window 2)"


def test_two_solvers_of_a_kind_are_told_apart_and_a_long_name_leaves_room_for_the_curves():
    ahead = {"solver": "gs_jacobi", "window": "7 blocks", "guess": "row_above"}
    records = {
        "sequential": synthetic.sampling("pixelcnnpp_mnist", "sequential", 16, 0.8),
        "gs_jacobi": synthetic.sampling("pixelcnnpp_mnist", "gs_jacobi", 8, 0.2, options={"window": 2}),
        "ahead": synthetic.sampling("pixelcnnpp_mnist", "ahead", 6, 0.1, options=ahead),
    }
    figure = sampling.pixelcnnpp(records, by="seconds")
    figure.draw_without_rendering()
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    one, other = lines["GS-Jacobi (window 2)"], lines["GS-Jacobi (window 7 blocks, guess row_above)"]
    assert abs(luminance(one.get_color()) - luminance(other.get_color())) > 0.1
    assert one._dash_pattern != other._dash_pattern
    assert figure.axes[0].get_position().width > 0.7


def test_lines_are_told_apart_without_colour():
    looks = [look.line for kind, look in style.LOOKS.items() if kind != "feedforward"]  # which is sequential
    for family in (looks, style.shades(5)):
        for one, other in itertools.combinations(family, 2):
            grey = abs(luminance(one["color"]) - luminance(other["color"]))
            assert one["linestyle"] != other["linestyle"] or grey > 0.1


def luminance(color) -> float:
    return float(np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)))


def test_errors_against_iterations_count_evaluations_that_follow_one_another(drawn):
    lines = curves(drawn["pixelcnnpp_mnist_iter"])
    assert list(lines) == ["Sequential", "Jacobi", "GS-Jacobi (window 2)", "Jacobi-GS (block 4)"]
    x, error = lines["Jacobi-GS (block 4)"]
    np.testing.assert_array_equal(x, [0, 4, 8, 12])  # three iterations of four steps
    np.testing.assert_allclose(error, [16 / 3, 32 / 9, 16 / 9, 0])
    np.testing.assert_array_equal(lines["Sequential"][0], np.arange(17))


def test_errors_against_time_spread_the_median_of_certified_seconds(drawn):
    lines = curves(drawn["made_cifar_time_nolog"])
    np.testing.assert_allclose(lines["Jacobi"][0], [0, 0.025, 0.05, 0.075, 0.1])
    np.testing.assert_allclose(lines["Jacobi"][1], [16 / 3, 4, 8 / 3, 4 / 3, 0])
    assert lines["Sequential, cached"][0][-1] == pytest.approx(0.4)


def test_a_forward_difference_stands_at_the_iterate_that_it_leaves(drawn):
    figure = drawn["made_mnist_time_nolog_iter"]
    x, difference = [line.get_data() for line in figure.axes[0].get_lines() if line.get_label() == "_difference"][-1]
    np.testing.assert_array_equal(x, [0, 1, 2, 3])
    np.testing.assert_allclose(difference, 4 / 3)
    assert sorted(legend(figure)) == sorted(["Sequential", "Jacobi", *CLOCKS, "thin: forward difference"])


@pytest.mark.parametrize(("name", "channels"), [("made_mnist", 1), ("made_cifar", 3)])
def test_strips_show_sequential_above_and_jacobi_below(drawn, name, channels):
    axes = [ax for ax in drawn[name].axes if ax.get_visible()]
    # A row is empty between the end of its solver and its last picture.
    assert [ax.get_title() for ax in axes] == ["iteration 0", "5", "10", "15", "last: 16", "iteration 0", "last: 4"]
    assert (axes[0].get_ylabel(), axes[5].get_ylabel()) == ("Sequential", "Jacobi")
    pictures = [ax.images[0].get_array() for ax in axes]
    assert pictures[0].shape == ((4, 4, 3) if channels == 3 else (4, 4))
    assert pictures[1].max() == 5 * 255 // 16  # sequential has not got far by iteration 5
    assert pictures[6].min() == 255  # and Jacobi is at its end


def test_a_strip_needs_both_solvers(folder, tmp_path):
    figures.load_records(folder / "made_mnist")["jacobi"].save(tmp_path / "made_mnist" / "jacobi.npz")
    with pytest.raises(FFCError, match="no record of the solver sequential"):
        figures.draw("made_mnist", tmp_path)


def test_gradient_errors_are_means_in_a_band_of_one_deviation(drawn):
    figure = drawn["rnn_begin"]
    (x, mean) = curves(figure)["Jacobi"]
    assert x[-1] == synthetic.SIZE
    np.testing.assert_allclose(mean[:3], [3, 1.5, 0.75])
    band = figure.axes[0].collections[1].get_paths()[0].vertices
    top = band[np.isclose(band[:, 0], 1), 1].max()
    assert top == pytest.approx(1.5 + np.std([0.5, 1, 1.5, 2, 2.5]))
    assert "Before training; mean ± standard deviation of 5 samples" in footnote(figure)
    after = curves(drawn["rnn_end"])
    np.testing.assert_allclose(after["Jacobi"][1], mean / 10)


def test_training_curves_are_running_means_of_the_runs(drawn):
    by_step, by_time = (curves(drawn[name]) for name in ("rnn_backprop_iter", "rnn_backprop"))
    assert list(by_step) == ["Feedforward", "Jacobi (2 iterations)", "Jacobi (16 iterations)"]
    x, loss = by_step["Feedforward"]
    np.testing.assert_array_equal(x, [10, 11, 12])
    assert loss[0] == pytest.approx(2 * (0.5 ** np.arange(10)).mean())
    assert by_time["Jacobi (2 iterations)"][0][-1] == pytest.approx(2.0)


def test_densenet_has_the_authors_estimate_and_measured_times_apart(drawn):
    lines = curves(drawn["densenet"])
    np.testing.assert_allclose(lines["Jacobi: top-5"], [[0, 2, 4, 6], [2.5, 0.5, 0, 0]])
    np.testing.assert_allclose(lines["Jacobi: authors' count (5 smallest, by place)"][1], [5, 3, 1, 0])
    assert lines["Feedforward, estimated"][0][0] == pytest.approx(4)
    assert lines["Feedforward, measured"][0][0] == pytest.approx(3)
    assert lines["Jacobi, estimated"][0][0] == pytest.approx(5)
    assert lines["Jacobi, measured"][0][0] == pytest.approx(6)


def test_densenet_logits_approach_the_feedforward_ones(drawn):
    linear, logarithmic = (curves(drawn[name]) for name in ("densenet_outputs", "densenet_outputs_log"))
    (error, difference), (log_error, _) = linear.values(), logarithmic.values()
    np.testing.assert_allclose(error, [[0, 1, 2, 3], [3, 1.5, 0.75, 0]])
    np.testing.assert_allclose(difference, [[0, 1, 2], [1.5, 0.75, 0.75]])
    np.testing.assert_allclose(log_error, [[0, 1, 2], [3, 1.5, 0.75]])  # zero has no place there
    assert curves(drawn["densenet_iter"])["Feedforward: 3 layers"][0][0] == 3


def test_figures_admit_that_devices_differ():
    one, two = synthetic.densenet().values()
    other = dataclasses.replace(two, meta=two.meta | {"device": {"platform": "gpu", "name": "Comet"}})
    device = style.sources([one, other])[-1]
    assert device == "Device: Abacus, 10 rows, Comet (times of different devices do not compare)"


def test_weights_are_called_what_they_are():
    said = []
    torchvisions = {"origin": "released", "released_file": "densenet201-c1103571.pth"}
    given = {"origin": "given", "file": "mine.pth"}
    for checkpoint in ({"origin": "released"}, torchvisions, given, {"origin": "trained"}):
        record = synthetic.record({}, "made_mnist", "jacobi", checkpoint=checkpoint)
        said += style.sources([record], ["Weights"])
    assert said == [
        "Weights: released by the authors",
        "Weights: released by torchvision",
        "Weights: mine.pth (given)",
        "Weights: trained here",
    ]


def test_the_same_figure_is_the_same_file(folder, tmp_path):
    files = []
    for attempt in ("one", "two"):
        figures.save(figures.draw("pixelcnnpp_mnist", folder), tmp_path / attempt, "figure")
        files.append([path.read_bytes() for path in sorted((tmp_path / attempt).iterdir())])
    assert files[0] == files[1]


def test_learning_curves_have_a_panel_for_each_task_trained_here(folder):
    found = synthetic.everything()
    figure = training.curves(found | {"scaling": {"sampling": synthetic.sizes()}})  # with a task's weights
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == [
        f"{task}: test 1.25 bits/dim, 7 steps" for task in found if task != "rnn"
    ]
    held_out, kept = (dict(curves_of(shown[0]))[label] for label in ("held out", "kept"))
    np.testing.assert_array_equal(held_out, [[2, 4, 6, 7], [3, 1, 1.5, 2]])
    np.testing.assert_array_equal(kept, [[4], [1]])


def test_times_by_length_have_a_panel_for_each_pass_and_a_cross_where_a_way_fell_back(drawn):
    forward, backward = drawn["rnn_scaling"].axes
    assert list(curves_of(forward)) == ["Sequential", "DEER", "Quasi-DEER", "Chunks"]
    ways = ["Sequential (backpropagation)", "Jacobi, fewest sweeps", "Jacobi-GS (chunks)", "Associative scan"]
    assert list(curves_of(backward)) == ways
    np.testing.assert_allclose(curves_of(forward)["Quasi-DEER"], [[10, 100], [6e-3, 60e-3]])
    assert [line.get_xdata() for line in forward.get_lines() if line.get_marker() == "x"] == [[100]]
    assert (forward.get_xscale(), forward.get_yscale(), backward.get_yscale()) == ("log", "log", "log")
    assert "Device: Abacus, 10 rows" in footnote(drawn["rnn_scaling"])


def test_times_by_size_have_a_panel_for_each_and_a_ring_where_the_race_chose(drawn):
    size, batch, filters = drawn["sampling_scaling"].axes
    ways = ["Sequential, cached", "Jacobi", "GS-Jacobi, 2 rows", "GS-Jacobi, half a row", "GS-Jacobi, a row, drafted"]
    assert list(curves_of(size)) == ways
    np.testing.assert_allclose(curves_of(size)["Jacobi"], [[8, 16], [80e-3, 160e-3]])
    np.testing.assert_allclose(curves_of(filters)["Sequential, cached"], [[16, 32], [320e-3, 640e-3]])
    rings = [line for line in batch.get_lines() if line.get_markerfacecolor() == "none" and len(line.get_xdata())]
    assert [(ring.get_color(), list(ring.get_xdata())) for ring in rings] == [("#d55e00", [1, 4])]


def test_tokens_have_iterations_above_their_times():
    rows = [
        {"axis": axis, "at": at, "way": way, "seconds": np.array([1.0, 2.0]) * at, "iterations": count}
        | {"certified": True, "max_difference": 0.0, "chosen": way == "drafted"}
        for axis, at in [("temperature", 0.5), ("temperature", 1), ("length", 64), ("width", 32)]
        for way, count in [("cached", 64), ("drafted", 16)]
    ]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    labels = {"drafted": "GS-Jacobi, 8 tokens, drafted"}
    found = synthetic.record(arrays, "text", "scaling", checkpoint=synthetic.WEIGHTS, labels=labels)
    counts, *_, seconds, _, _ = figures.scaling.sampling({"sampling": found}).axes
    assert counts.get_ylabel() == "iterations"
    assert [list(line.get_ydata()) for line in counts.get_lines()] == [[64, 64], [16, 16]]
    assert list(curves_of(seconds)) == ["Sequential, cached", "GS-Jacobi, 8 tokens, drafted"]
    assert (seconds.get_xlabel(), seconds.get_xscale()) == ("temperature", "linear")


def test_without_training_the_learning_curves_say_so():
    found = synthetic.everything()
    once = {name: [value[0]] for name, value in synthetic.CURVES.items()}  # a single point is no curve
    made = found["made_mnist"]["jacobi"]
    made = dataclasses.replace(made, meta=made.meta | {"checkpoint": synthetic.WEIGHTS | {"curves": once}})
    figure = training.curves({"rnn": found["rnn"], "made_mnist": {"jacobi": made}})
    assert figure.texts[0].get_text() == "No weights come with a curve."


def test_show_writes_the_figure_and_hands_it_to_the_notebook(folder, tmp_path):
    image = figures.show("rnn_end", folder, tmp_path)
    assert image.data == (tmp_path / "rnn_end.png").read_bytes()
