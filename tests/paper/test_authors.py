"""The authors' raw results: records say what the files hold, and figures show them alone and beside ours."""

import tracemalloc

import numpy as np
import plot_data
import pytest
import synthetic
from test_figures import CLOCKS, curves, footnote, legend

from ffc.core.errors import FFCError
from ffc.paper import authors, figures, summary, verdict
from ffc.store import released
from ffc.store.records import Record

EVERYTHING = authors.files_of(authors.FIGURES)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Every raw file by its name, unpacked from an archive in the authors' layout."""
    folder = tmp_path_factory.mktemp("authors")
    plot_data.write(folder / "unpacked" / "plot_data")
    plot_data.save(folder / "unpacked" / "runs" / "pretarined" / "mnist_made.pth", {"net.0.weight": np.zeros(1)})
    archive = plot_data.archive(folder / "archive.tar.gz", folder / "unpacked")
    note = released.collect(["mnist_made.pth"], folder / "out", str(archive), extra=EVERYTHING)
    assert list(note["files"]) == ["mnist_made.pth"]
    return note["extra"]


@pytest.fixture(scope="module")
def records(found):
    return {name: authors.read(*name.split("/"), found) for name in authors.RECORDS}


@pytest.fixture(scope="module")
def folders(records, tmp_path_factory):
    """Our records, and theirs."""
    ours, theirs = (tmp_path_factory.mktemp(name) for name in ("ours", "theirs"))
    synthetic.write(ours)
    for name, record in records.items():
        record.save(theirs / f"{name}.npz")
    return ours, theirs


def test_the_archive_is_searched_for_all_that_the_papers_figures_show(found):
    assert set(authors.FIGURES) <= set(figures.FIGURES)
    assert len(authors.FIGURES) == 18
    assert set(found) == set(EVERYTHING) == {file for names in authors.RECORDS.values() for file in names}
    assert len(EVERYTHING) == 4 + 6 + 1 + 4 + 10


def test_a_record_says_that_it_is_the_authors(records):
    for name, record in records.items():
        task, solver = name.split("/")
        assert (record.meta["origin"], record.meta["task"]) == ("authors", task)
        assert record.meta["solver"] == solver.removeprefix("gradients_")
        assert record.meta["device"]["name"] == "the authors' GPU (not recorded)"
        assert not {"certified", "status", "max_difference"} & record.arrays.keys()
    data = {record.meta["data"]["title"] for record in records.values()}
    assert data == {"MNIST resized to 10×10", "ImageNet, 2 images", "MNIST 4×4", "CIFAR-10 4×4"}


def test_solvers_have_the_authors_settings(records):
    options = {
        name: record.meta["settings"]["solvers"][name.split("/")[1].removeprefix("gradients_")]
        for name, record in records.items()
    }
    assert options["rnn/jacobi_30"] == {"solver": "jacobi", "iterations": 30}
    assert options["pixelcnnpp_mnist/gs_jacobi"] == {"window": 15}
    assert options["pixelcnnpp_cifar10/gs_jacobi"] == {"window": 2}
    assert options["pixelcnnpp_mnist/jacobi_gs"] == {"block": plot_data.SIDE}
    assert options["densenet/jacobi"] == options["rnn/gradients_jacobi"] == {}


def test_gradient_errors_are_distances_over_all_parameters_to_the_last_iteration(records):
    count = plot_data.HIDDEN * (plot_data.HIDDEN + 3) + 1
    for solver, approach in (("feedforward", 0.9), ("jacobi", 0.5)):
        expected = np.sqrt(count) * np.array([1, approach, approach**2, 0])
        for stage in ("begin", "end"):
            np.testing.assert_allclose(records[f"rnn/gradients_{solver}"][stage], [expected] * 2, rtol=1e-6)


def test_a_stage_without_a_file_is_left_out(found):
    one = {name: path for name, path in found.items() if "end" not in name}
    assert list(authors.read("rnn", "gradients_jacobi", one).arrays) == ["begin"]


def test_the_moving_average_of_losses_is_undone(records):
    record = records["rnn/jacobi_20"]
    np.testing.assert_allclose(record["loss"], plot_data.loss("Jacobi_RNN_20"), rtol=1e-10)
    np.testing.assert_array_equal(record["seconds"], [np.arange(1, plot_data.UPDATES + 1)] * plot_data.RUNS)


def test_logits_stand_before_each_update(records):
    feedforward, jacobi = records["densenet/feedforward"], records["densenet/jacobi"]
    np.testing.assert_allclose(jacobi["error_l2"], [[8, 4, 0.5]] * 2)
    np.testing.assert_allclose(jacobi["change"], [[0, 4, 3.5]] * 2)
    assert jacobi["top5_difference"].tolist() == [[1, 0, 0]] * 2  # the largest logit, 9, went down to 1, 5, 8.5
    assert jacobi["smallest5_difference"].tolist() == [[3, 0, 0]] * 2
    np.testing.assert_allclose(jacobi["estimate_smallest5"], 2e-3)  # one iteration of the slowest layer
    np.testing.assert_array_equal(feedforward["layer_seconds"], plot_data.logits()["all_times"])
    assert jacobi.meta["size"] == plot_data.LAYERS
    assert "seconds" not in feedforward.arrays | jacobi.arrays


@pytest.mark.parametrize("data", ["mnist", "cifar"])
@pytest.mark.parametrize("solver", ["sequential", "jacobi"])
def test_mades_iterates_become_curves_pictures_and_times(records, data, solver):
    record, raw = records[f"made_{data}/{solver}"], plot_data.made(data, solver)
    images, size = raw["images"], len(raw["images"]) - 1
    np.testing.assert_array_equal(record["samples"], images[-1])
    np.testing.assert_allclose(record["error_l2"], np.linalg.norm(images - images[-1], axis=2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(record["error_max"], np.abs(images - images[-1]).max(axis=2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(record["change"][1:], np.linalg.norm(np.diff(images, axis=0), axis=2), rtol=1e-5)
    np.testing.assert_allclose(record["elapsed"], 0.01 * np.arange(size + 1), atol=1e-6)
    assert record["oracle_iterations"] == {"sequential": size, "jacobi": 3}[solver]
    assert record["oracle_seconds"] == pytest.approx(0.01 * record["oracle_iterations"], abs=1e-6)
    assert record["snapshot_iterations"].tolist() == [*range(0, 50, 5), size]
    trunc_lambda = {"mnist": 1e-6, "cifar": 0.05}[data]
    pixels = np.clip((1 / (1 + np.exp(-images[5])) - trunc_lambda) / (1 - 2 * trunc_lambda), 0, 1)
    shown = np.moveaxis(record["snapshots"][1] / 255, -1, 1).reshape(pixels.shape)  # channels are first in the file
    np.testing.assert_allclose(shown, pixels, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("solver", ["sequential", "cached", "jacobi", "jacobi_gs", "gs_jacobi"])
def test_pixelcnnpps_distances_are_ours_in_an_image_from_minus_one_to_one(records, solver):
    record = records[f"pixelcnnpp_cifar10/{solver}"]
    left = 1 - plot_data.halving(np.arange(17))  # of a way of 1 in each of 48 entries
    np.testing.assert_allclose(record["error_l2"], np.tile(np.sqrt(48) * left[:, None], 6), rtol=1e-6)
    np.testing.assert_allclose(record["error_max"], np.tile(left[:, None], 6), rtol=1e-6)
    np.testing.assert_allclose(record["elapsed"], np.linspace(0, 2, 17))
    assert np.unique(record["samples"]).tolist() == [-1, 1]
    assert (record["evaluations"], record["steps_per_iteration"], record.meta["size"]) == (16, 1, 16)


def test_the_oracle_of_pixelcnnpp_is_theirs(records):
    jacobi, gs_jacobi = (records[f"pixelcnnpp_mnist/{name}"] for name in ("jacobi", "gs_jacobi"))
    assert jacobi["oracle_iterations"] == 3  # within 0.01
    assert jacobi["oracle_seconds"] == pytest.approx((1 + 3) / 2 * 3 / 16)
    assert gs_jacobi["oracle_iterations"] == 4  # when the last rows were accepted
    assert gs_jacobi["oracle_seconds"] == pytest.approx((1 + 3) / 2 * 4 / 16)


def test_the_oracles_hundredth_is_of_their_unit(tmp_path):
    raw = plot_data.pixelcnnpp("mnist", "jacobi")
    raw["all_samples"][:, :5] = raw["all_samples"][:, -1:] * 0.985  # up to 0.015 off
    raw["all_samples"][:, 5:9] = raw["all_samples"][:, -1:] * 0.992  # up to 0.008 off, in our unit 0.016
    plot_data.save(tmp_path / "report.npz", raw)
    record = authors.read("pixelcnnpp_mnist", "jacobi", {"mnist_jacobi/report.npz": tmp_path / "report.npz"})
    assert record["oracle_iterations"] == 6


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_drawn_from_theirs_alone_and_says_so(folders, name, tmp_path):
    figure = figures.draw(name, folders[1])
    figures.save(figure, tmp_path, name)
    assert figure.get_suptitle() == "The authors' results"
    assert "Device: the authors' GPU (not recorded)" in footnote(figure)
    who = {"rnn": None, "densenet": "torchvision"}.get(name.partition("_")[0], "the authors")
    assert (f"Weights: released by {who}" in footnote(figure)) == (who is not None)


def test_times_are_those_that_the_files_have(folders):
    lines = curves(figures.draw("made_mnist_time_nolog", folders[1]))
    np.testing.assert_allclose(lines["Jacobi"][0], 0.01 * np.arange(17), atol=1e-6)
    assert list(curves(figures.draw("densenet", folders[1]))) == [
        "Jacobi: top-5",
        "Jacobi: authors' count (5 smallest, by place)",
        "Feedforward, estimated",  # and no time of a whole network
        "Jacobi, estimated",
    ]


@pytest.mark.parametrize("name", [name for name in figures.FIGURES if name not in ("made_mnist", "made_cifar")])
def test_an_overlay_has_our_curves_as_they_are_and_theirs_faint(folders, name, tmp_path):
    ours, theirs = (curves(figures.draw(name, folder)) for folder in folders)
    figure = figures.draw(name, *folders)
    figures.save(figure, tmp_path, name)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")}
    named = {f"authors: {label}": data for label, data in theirs.items()}
    assert lines.keys() == (ours | named).keys()
    for label, line in lines.items():
        np.testing.assert_array_equal(line.get_data(), (ours | named)[label])
        assert (line.get_alpha() is not None) == label.startswith("authors: ")
    assert figure.get_suptitle() == "Our results, and the authors' (faint)"
    assert "times of different devices do not compare" in footnote(figure)
    signs = [*CLOCKS, "thin: forward difference"]
    assert sorted(label for label in legend(figure) if label not in signs) == sorted(lines)


def test_an_overlay_of_strips_has_their_rows_below_ours(folders):
    figure = figures.draw("made_mnist", *folders)
    rows = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    assert rows == ["Sequential", "Jacobi", "authors:\nSequential", "authors:\nJacobi"]


def test_the_forward_differences_of_an_overlay_are_there_without_a_name(folders):
    figure = figures.draw("made_mnist_time_nolog_iter", *folders)
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert labels.count("_difference") == 4
    assert labels.count("_stop") == 2 * 2 + 2  # nothing of theirs is certified


def test_the_table_says_that_nothing_of_theirs_is_certified(folders):
    found = summary.load(folders[1])
    rows = {(row["task"], row["solver"]): row for row in summary.table(found)}
    assert {row["certified"] for row in rows.values()} == {"no"}
    jacobi = rows["made_mnist", "Jacobi"]
    assert jacobi["certified_seconds"] is jacobi["over_plain"] is jacobi["max_difference"] is None
    assert jacobi["oracle_over_plain"] == pytest.approx(16 / 3, rel=1e-4)
    lines = verdict.conclusion(list(rows.values()))
    assert "made_mnist, Jacobi: 5.33× as fast as plain by the oracle clock" in "\n".join(lines)
    assert lines[-1].startswith("Certified: nothing.")
    assert "–" in summary.to_markdown(list(rows.values()), summary.origins(found))


def test_what_lacks_a_file_is_not_drawn():
    some = {"densenet.npz", "made_mnist_jacobi.npz", "GS_convergence_begin.pth", "Jacobi_convergence_begin.pth"}
    drawable = authors.drawable(authors.FIGURES, some)
    both = ["rnn/gradients_feedforward", "rnn/gradients_jacobi"]
    assert drawable.pop("rnn_begin") == both
    assert drawable == {
        f"densenet{view}": ["densenet/feedforward", "densenet/jacobi"]
        for view in ("", "_iter", "_outputs", "_outputs_log")
    }
    assert authors.drawable([*authors.FIGURES, "a_figure_of_ours"], []) == {}
    assert list(authors.drawable(["rnn_end", "densenet"], EVERYTHING)) == ["rnn_end", "densenet"]


def test_a_figure_that_is_not_asked_for_is_left_out_of_a_notebook(folders, tmp_path):
    note = figures.show("rnn_end", folders[1], tmp_path, only=["rnn_begin"])
    assert "rnn_end" in note.data
    assert list(tmp_path.iterdir()) == []
    figures.show("rnn_begin", folders[0], tmp_path, ["rnn_begin"], folders[1])
    assert {path.name for path in tmp_path.iterdir()} == {"rnn_begin.png", "rnn_begin.svg", "rnn_begin.pdf"}


def test_a_record_of_which_there_is_no_file(found):
    with pytest.raises(FFCError, match=r"made_mnist by jacobi: no file; expected made_mnist_jacobi\.npz"):
        authors.read("made_mnist", "jacobi", {})
    with pytest.raises(FFCError, match="made_mnist by cached: no file; expected none"):
        authors.read("made_mnist", "cached", found)


def test_a_large_file_is_read_iterate_by_iterate(tmp_path):
    raw = plot_data.made("mnist", "jacobi", side=16)
    plot_data.save(tmp_path / "made_mnist_jacobi.npz", raw)
    read = {"made_mnist_jacobi.npz": tmp_path / "made_mnist_jacobi.npz"}
    expected = authors.read("made_mnist", "jacobi", read)  # compiled now
    tracemalloc.start()
    record = authors.read("made_mnist", "jacobi", read)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < raw["images"].nbytes / 2
    np.testing.assert_array_equal(record["error_l2"], expected["error_l2"])


def test_records_come_back_from_disk(folders, records):
    record = Record.load(folders[1] / "made_mnist" / "jacobi.npz")
    np.testing.assert_array_equal(record["error_l2"], records["made_mnist/jacobi"]["error_l2"])
    assert record.meta == records["made_mnist/jacobi"].meta
