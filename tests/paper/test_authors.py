"""The authors' raw results: records say what the files hold, figures show them alone and beside ours, and a file that
their code does not write is named with what is wrong."""

import re
import tracemalloc

import numpy as np
import plot_data
import pytest
from hostile import RunsCode, refused
from test_figures import CLOCKS, THIN, contents, footnote, legend

from ffc.core.errors import FFCError
from ffc.paper import authors, figures, summary, verdict
from ffc.paper.authors import files
from ffc.store import released

EVERYTHING = authors.files_of(authors.FIGURES)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Every raw file by its name, of a folder in the authors' layout."""
    folder = tmp_path_factory.mktemp("authors")
    plot_data.write(folder / "plot_data")
    return released.collect([], folder / "out", str(folder), extra=EVERYTHING)["extra"]


@pytest.fixture(scope="module")
def records(raw):
    return {name: authors.read(*name.split("/"), raw) for name in authors.RECORDS}


@pytest.fixture(scope="module")
def folders(records, made_up, tmp_path_factory):
    """Our records, and theirs."""
    theirs = tmp_path_factory.mktemp("theirs")
    for name, record in records.items():
        record.save(theirs / f"{name}.npz")
    return made_up, theirs


def test_all_files_are_looked_for_that_the_papers_figures_show(raw):
    assert authors.FIGURES.keys() == figures.FIGURES.keys()
    assert set(raw) == set(EVERYTHING) == {file for names in authors.RECORDS.values() for file in names}
    assert len(EVERYTHING) == 4 + 6 + 1 + 4 + 10


def test_a_record_says_that_it_is_the_authors_and_how_they_ran_it(records):
    for name, options, title in (
        ("rnn/jacobi_20", {"solver": "jacobi", "iterations": 20}, "MNIST resized to 10×10"),
        ("densenet/jacobi", {}, "ImageNet, 2 images"),
        ("made_cifar/jacobi", {}, "CIFAR-10 4×4"),
        ("pixelcnnpp_mnist/gs_jacobi", {"window": 15}, "MNIST 4×4"),  # rows, as their configuration says
        ("pixelcnnpp_cifar10/gs_jacobi", {"window": 2}, "CIFAR-10 4×4"),
        ("pixelcnnpp_cifar10/jacobi_gs", {"block": plot_data.SIDE}, "CIFAR-10 4×4"),
    ):
        (task, solver), meta = name.split("/"), records[name].meta
        assert (meta["origin"], meta["task"], meta["solver"]) == ("authors", task, solver)
        assert (meta["kind"], meta["settings"]) == (options.get("solver", solver), {"solvers": {solver: options}})
        assert meta["data"]["title"] == title
    for name, record in records.items():
        assert not {"certified", "status", "max_difference"} & record.arrays.keys()
        assert ("seconds" in record.arrays) == (name.startswith("rnn/") and "gradients" not in name)


def test_gradient_errors_are_distances_to_the_last_iteration_and_the_moving_average_of_losses_is_undone(records, raw):
    count = plot_data.HIDDEN * (plot_data.HIDDEN + 3) + 1
    for solver, approach in (("feedforward", 0.9), ("jacobi", 0.5)):
        expected = np.sqrt(count) * np.array([1, approach, approach**2, 0])
        for stage in ("begin", "end"):
            np.testing.assert_allclose(records[f"rnn/gradients_{solver}"][stage], [expected] * 2, rtol=1e-6)
    begun = {name: path for name, path in raw.items() if "end" not in name}
    assert list(authors.read("rnn", "gradients_jacobi", begun).arrays) == ["begin"]
    record = records["rnn/jacobi_20"]
    np.testing.assert_allclose(record["loss"], plot_data.loss("Jacobi_RNN_20"), rtol=1e-10)
    np.testing.assert_array_equal(record["seconds"], [np.arange(1, plot_data.UPDATES + 1)] * plot_data.RUNS)


def test_logits_stand_before_each_update(records):
    feedforward, jacobi = records["densenet/feedforward"], records["densenet/jacobi"]
    np.testing.assert_array_equal(feedforward["layer_seconds"], plot_data.logits()["all_times"])
    assert jacobi.meta["size"] == feedforward.meta["size"] == plot_data.LAYERS
    for name, expected in {
        "error_l2": [8, 4, 0.5],
        "change": [0, 4, 3.5],
        "top5_difference": [1, 0, 0],  # the largest logit, 9, went down to 1, 5, 8.5
        "smallest5_difference": [3, 0, 0],
        "estimate_smallest5": 2e-3,  # one iteration of the slowest layer
    }.items():
        np.testing.assert_allclose(jacobi[name], [expected] * 2, err_msg=name)


@pytest.mark.parametrize("name", [name for name in authors.RECORDS if name.startswith("made")])
def test_mades_iterates_become_curves_pictures_and_times(records, name):
    data, solver = name.removeprefix("made_").split("/")
    record, images = records[name], plot_data.made(data, solver)["images"]
    size, left = len(images) - 1, images - images[-1]
    for array, expected in {
        "error_l2": np.linalg.norm(left, axis=2),
        "error_max": np.abs(left).max(axis=2),
        "change": np.linalg.norm(np.diff(images, axis=0, prepend=images[:1]), axis=2),
        "elapsed": 0.01 * np.arange(size + 1),
        "oracle_seconds": 0.01 * record["oracle_iterations"],
    }.items():
        np.testing.assert_allclose(record[array], expected, rtol=1e-5, atol=1e-6, err_msg=array)
    np.testing.assert_array_equal(record["samples"], images[-1])
    assert record["oracle_iterations"] == {"sequential": size, "jacobi": 4}[solver]
    assert record["snapshot_iterations"].tolist() == [*range(0, 50, 5), size]
    trunc_lambda = {"mnist": 1e-6, "cifar": 0.05}[data]
    pixels = np.clip((1 / (1 + np.exp(-images[5])) - trunc_lambda) / (1 - 2 * trunc_lambda), 0, 1)
    shown = np.moveaxis(record["snapshots"][1] / 255, -1, 1).reshape(pixels.shape)  # channels are first in the file
    np.testing.assert_allclose(shown, pixels, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("name", [name for name in authors.RECORDS if name.startswith("pixelcnnpp")])
def test_pixelcnnpps_distances_are_ours_in_an_image_from_minus_one_to_one_and_the_oracle_theirs(records, name):
    record, entries = records[name], 16 * (1 if "mnist" in name else 3)
    left = 1 - plot_data.halving(np.arange(17))[:, None]  # of a way of 1 in each entry, of both runs' three samples
    oracle = 4 if "gs_jacobi" in name else 3  # when the last rows were accepted; within a hundredth of their unit
    for array, expected in {
        "error_l2": np.tile(np.sqrt(entries) * left, 6),
        "error_max": np.tile(left, 6),
        "elapsed": np.linspace(0, 2, 17),  # the median of the repeats
        "oracle_iterations": oracle,
        "oracle_seconds": (1 + 3) / 2 * oracle / 16,
    }.items():
        np.testing.assert_allclose(record[array], expected, rtol=1e-6, err_msg=array)
    assert np.unique(record["samples"]).tolist() == [-1, 1]
    assert (record["evaluations"], record["steps_per_iteration"], record.meta["size"]) == (16, 1, 16)
    assert (record["iterations"] == 16).all()


def test_a_large_file_is_read_iterate_by_iterate_and_takes_no_more_memory_than_the_limit(tmp_path, monkeypatch):
    raw, path = plot_data.made("mnist", "jacobi", side=12), tmp_path / "made_mnist_jacobi.npz"
    plot_data.save(path, raw)
    authors.read("made_mnist", "jacobi", {path.name: path})  # compiled now
    tracemalloc.start()
    authors.read("made_mnist", "jacobi", {path.name: path})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < raw["images"].nbytes / 2
    monkeypatch.setattr(files, "LIMIT", 1000)
    with pytest.raises(FFCError, match="it asks for 1,160 bytes of memory at once"):
        authors.read("made_mnist", "jacobi", {path.name: path})


#: How many ours and theirs are: both numbers, where they differ.
COUNTS = {"rnn_begin": "deviation of 5 and 2 samples", "rnn_backprop": "mean of 2 runs"}
COUNTS |= {"densenet_outputs": "deviation of 2 images"}


@pytest.mark.parametrize("name", [name for name in figures.FIGURES if "cifar" not in name])
def test_a_figure_of_theirs_says_whose_it_is_and_an_overlay_has_it_faint_beside_ours(folders, name):
    ours, theirs, overlay = (figures.draw(name, *which) for which in (folders[:1], folders[1:], folders))
    overlay.draw_without_rendering()
    who = {"rnn": None, "densenet": "torchvision"}.get(name.partition("_")[0], "the authors")
    assert (f"Weights: released by {who}" in footnote(theirs)) == (who is not None)
    assert footnote(theirs).endswith("Device: the authors' GPU (not recorded)")
    device = "Abacus, 10 rows, the authors' GPU (not recorded) (times of different devices do not compare)"
    assert footnote(overlay).endswith(device)
    assert COUNTS.get(name, "") in footnote(overlay)
    assert theirs.get_suptitle() == "The authors' results"
    assert overlay.get_suptitle() == "Our results, and the authors' (faint)"
    if name == "made_mnist":
        rows = [ax.get_ylabel() for ax in overlay.axes if ax.get_ylabel()]
        assert rows == ["Sequential", "Jacobi", "authors:\nSequential", "authors:\nJacobi"]
        return
    both, mine, faint = (contents(figure.axes[0])[0] for figure in (overlay, ours, theirs))
    faint = [(label if label[0] == "_" else f"authors: {label}", *data) for label, *data in faint]
    assert sorted(both) == sorted(mine + faint)
    thin = [line for line in overlay.axes[0].lines if line.get_alpha() is not None]
    assert len(thin) == len(faint)
    if not name.startswith("rnn"):  # theirs are truncated in more ways
        assert {line.get_color() for line in thin} <= {line.get_color() for line in ours.axes[0].lines}
    labels = [label for label, *_ in faint]
    assert labels.count("_stop") in (0, sum(label[0] != "_" for label in labels))  # nothing of theirs is certified
    assert CLOCKS[1] not in legend(theirs)
    beside = [f"authors: {label}" for label in legend(theirs) if label not in (*CLOCKS, THIN)]
    assert sorted(legend(overlay)) == sorted(legend(ours) + beside)


def test_the_table_says_that_nothing_of_theirs_is_certified(folders):
    rows = summary.table(summary.load(folders[1]))
    assert {row["certified"] for row in rows} == {"no"}
    (jacobi,) = (row for row in rows if (row["task"], row["solver"]) == ("made_mnist", "Jacobi"))
    assert {jacobi[key] for key in ("certified_seconds", "over_plain", "max_difference", "spread")} == {None}
    lines = verdict.conclusion(rows)
    assert "made_mnist, Jacobi: 4× as fast as plain by the oracle clock" in "\n".join(lines)
    assert lines[-1].startswith("Certified: nothing.")
    assert "residual" not in summary.to_csv(rows), "a column without a number"


def test_what_lacks_a_file_is_not_drawn_and_a_record_of_no_file_is_named(raw):
    some = {"densenet.npz", "made_mnist_jacobi.npz", "GS_convergence_begin.pth", "Jacobi_convergence_begin.pth"}
    both = ["densenet/feedforward", "densenet/jacobi"]
    assert authors.drawable(authors.FIGURES, some) == {
        "rnn_begin": ["rnn/gradients_feedforward", "rnn/gradients_jacobi"],
        **{f"densenet{view}": both for view in ("", "_iter", "_outputs", "_outputs_log")},
    }
    assert list(authors.drawable(["rnn_end", "a_figure_of_ours", "densenet"], EVERYTHING)) == ["rnn_end", "densenet"]
    for solver, paths, expected in (("jacobi", {}, "made_mnist_jacobi.npz"), ("cached", raw, "none")):
        with pytest.raises(FFCError, match=f"made_mnist by {solver}: no file; expected {expected}"):
            authors.read("made_mnist", solver, paths)


MADE, REPORT, LOGITS = plot_data.made("mnist", "jacobi"), plot_data.pixelcnnpp("mnist", "gs_jacobi"), plot_data.logits()
LOSS, GRADIENTS = {"loss": np.ones((2, 3)), "time": np.ones((2, 3))}, plot_data.gradients(0.5)
BROKEN = [
    ("made_mnist/jacobi", b"<html>quota exceeded</html>", r"no whole \.npz with an array images"),
    ("made_mnist/jacobi", MADE | {"times": MADE["times"][1:]}, r"times has the shape \[16\], not \[17\]"),
    ("made_mnist/jacobi", MADE | {"images": np.array([RunsCode()])}, "images is no plain array of numbers"),
    ("made_mnist/jacobi", MADE | {"images": np.asfortranarray(MADE["images"])}, "images is no plain array"),
    ("made_mnist/jacobi", MADE | {"images": MADE["images"] + np.inf}, "not all of its numbers are finite and"),
    ("made_cifar/jacobi", MADE, "17 iterates of 16 entries, not of squares of 3 channels"),
    ("pixelcnnpp_mnist/jacobi_gs", REPORT, r"all_samples has the shape \[2, 16, 3, 4, 4, 1\], not \[any, any"),
    ("pixelcnnpp_mnist/gs_jacobi", REPORT | {"all_samples": REPORT["all_samples"][:, 1:]}, "15 iterations of"),
    ("densenet/jacobi", LOGITS | {"ground_truths": LOGITS["ground_truths"][:1]}, "ground_truths has the shape"),
    ("rnn/feedforward", {"loss": LOSS["loss"]}, "it holds loss, not loss, time"),
    ("rnn/feedforward", LOSS | {"time": np.ones((2, 2))}, r"shapes \(2, 3\) and \(2, 2\)"),
    ("rnn/feedforward", LOSS | {"loss": np.array([[1, 0.1, 0.1], [1, 1, 1]])}, "no moving average"),
    ("rnn/gradients_jacobi", GRADIENTS | {"W_o": np.ones(2)}, "not those of the same samples"),
]


@pytest.mark.parametrize(("record", "content", "problem"), BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong_and_nothing_in_it_is_run(
    tmp_path, monkeypatch, record, content, problem
):
    monkeypatch.chdir(tmp_path)
    name = authors.RECORDS[record][0]
    (path := tmp_path / name).parent.mkdir(exist_ok=True)
    path.write_bytes(content) if isinstance(content, bytes) else plot_data.save(path, content)
    expected = f"^{re.escape(str(path))}: .*{problem}.*fetch it again, or name a checkpoints.source without it"
    refused(path, lambda: authors.read(*record.split("/"), {name: path}), f"(?s){expected}")
