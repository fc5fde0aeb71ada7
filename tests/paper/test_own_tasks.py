"""Tasks that stand for none of the paper's, or for one under another name: their figures and their rows."""

import dataclasses
import json
import re

import numpy as np
import pytest
import synthetic
import tasks
from places import ROOT

from ffc.core.errors import FFCError
from ffc.paper import figures, reference, summary, verdict
from ffc.paper.tasks import PAPER
from ffc.store.records import Record

NOTEBOOKS = ROOT / "notebooks"


def renamed(record: Record, task: str, **settings) -> Record:
    """A record of the paper's task as one of `task`."""
    return dataclasses.replace(
        record, meta=record.meta | {"task": task, "settings": record.meta["settings"] | settings}
    )


def without_pictures(record: Record) -> Record:
    """As of a model of tokens, whose blocks come to their values evenly."""
    share = np.minimum(record["snapshot_iterations"] / record["snapshot_iterations"][-1], 1)
    settled = np.arange(synthetic.SIZE) < synthetic.SIZE * share[:, None, None]
    arrays = {name: array for name, array in record.arrays.items() if name != "snapshots"}
    arrays["settled"] = np.broadcast_to(settled, (len(settled), synthetic.BATCH, synthetic.SIZE))
    return dataclasses.replace(record, arrays=arrays)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tasks of one's own of every experiment, tokens, and one that stands for the paper's MADE on MNIST."""
    folder = tmp_path_factory.mktemp("records")
    everything = synthetic.everything()
    for task, of, settings in (
        ("faces", "made_mnist", {"experiment": "sampling"}),
        ("digits", "made_mnist", {"experiment": "sampling", "paper": "made_mnist"}),
        ("words", "pixelcnnpp_mnist", {"experiment": "sampling"}),
        ("deep", "densenet", {"experiment": "classification"}),
        ("recurrent", "rnn", {"experiment": "backpropagation"}),
    ):
        for solver, record in everything[of].items():
            one = renamed(record, task, **settings)
            (without_pictures(one) if task == "words" else one).save(folder / task / f"{solver}.npz")
    renamed(synthetic.scaling(), "recurrent").save(folder / "recurrent_scaling" / "scaling.npz")
    return folder


def test_the_notebooks_show_each_figure_once():
    """Those of one task name figures after it: the paper's, or `mine` where that has no notebook for them."""
    shown = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = json.loads(path.read_text())
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
        assert [cell["metadata"].get("tags") for cell in code].count(["parameters"]) == 1
        source = "\n".join("".join(cell["source"]) for cell in code)
        names = dict(re.findall(r'^(task) = "(\w+)"', source, re.M))
        shown += [
            eval(line[len("show(") :].split(",")[0], names) for line in source.splitlines() if "show(" in line[:5]
        ]
    own = [f"mine{view}" for view in figures.VIEWS["sampling"]]
    assert sorted(shown) == sorted([*figures.FIGURES, *figures.EXTRAS, *own])


def test_the_workflow_expects_the_figures_that_are_drawn():
    expected = [name + view for name, paper in tasks.PAPER.items() for view in paper.views]
    assert sorted([*expected, "sampling_scaling"]) == sorted(figures.FIGURES | figures.EXTRAS)
    assert {name: paper.experiment for name, paper in tasks.PAPER.items()} == PAPER
    for experiment, (_, _, views) in tasks.OWN.items():
        assert {*views} - {"_scaling"} == figures.VIEWS[experiment].keys()


def test_figures_of_ones_own_tasks_bear_their_names_and_the_papers_those_of_the_paper(folder):
    deep = {f"deep{view}" for view in ("", "_iter", "_outputs", "_outputs_log")}
    recurrent = {f"recurrent{view}" for view in ("_begin", "_end", "_backprop", "_backprop_iter", "_scaling")}
    samplers = {f"{task}{view}" for task in ("faces", "words") for view in ("", "_iter", "_time")}
    paper = {"made_mnist", "made_mnist_time_nolog", "made_mnist_time_nolog_iter"}
    assert set(figures.figures_in(folder)) == deep | recurrent | samplers | paper
    for name in figures.figures_in(folder):
        figures.draw(name, folder).draw_without_rendering()


def test_a_task_that_stands_for_the_papers_is_drawn_as_that(folder, tmp_path):
    synthetic.write(tmp_path)
    for name in ("made_mnist", "made_mnist_time_nolog"):
        for path, same in ((folder, "ours"), (tmp_path, "kept")):
            figures.save(figures.draw(name, path), tmp_path / same, name)
        assert (tmp_path / "ours" / f"{name}.png").read_bytes() == (tmp_path / "kept" / f"{name}.png").read_bytes()


def test_errors_of_any_sampler_end_at_zero_on_axes_that_name_no_pixels(folder):
    axes = figures.draw("faces_time", folder).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("wall-clock time (s)", "ℓ₂ distance to the answer, mean")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "symlog")
    assert figures.draw("faces_iter", folder).axes[0].get_xlabel() == "parallel iterations"


def test_a_first_guess_that_is_the_answer_leaves_its_axis_as_it_is(tmp_path):
    record = renamed(synthetic.sampling("made_mnist", "sequential", 4, 0.1), "lucky", experiment="sampling")
    arrays = {name: np.zeros_like(record[name]) for name in ("error_l2", "error_max", "change")}
    dataclasses.replace(record, arrays=record.arrays | arrays).save(tmp_path / "lucky" / "sequential.npz")
    assert figures.draw("lucky_iter", tmp_path).axes[0].get_yscale() == "linear"


def test_a_sampler_without_jacobi_shows_another_parallel_solver(folder, tmp_path):
    for solver in ("sequential", "gs_jacobi", "jacobi_gs"):
        one = renamed(synthetic.everything()["pixelcnnpp_mnist"][solver], "faces", experiment="sampling")
        one.save(tmp_path / "faces" / f"{solver}.npz")
    labels = [ax.get_ylabel() for ax in figures.draw("faces", tmp_path).axes]
    assert [label for label in labels if label] == ["Sequential", "GS-Jacobi (window 2)"]


def test_samples_that_are_no_pictures_show_which_blocks_have_their_value(folder):
    sequential, jacobi = figures.draw("words", folder).axes
    shown = sequential.images[0].get_array()
    np.testing.assert_array_equal(shown.sum(axis=1), [0, 5, 10, 15, 16])  # at these iterations
    assert [label.get_text() for label in jacobi.get_yticklabels()] == ["0", "last: 4"]


def test_only_one_sample_is_kept_of_what_are_no_pictures(folder):
    record = reference.reduced(Record.load(folder / "words" / "jacobi.npz"))
    assert record["settled"].shape[1] == record["error_l2"].shape[1] == 1


def test_only_what_stands_for_the_papers_task_has_the_papers_numbers(folder):
    rows = summary.table(summary.load(folder))
    assert [*dict.fromkeys(row["task"] for row in rows)] == ["digits", "deep", "faces", "recurrent", "words"]
    told = {row["task"] for row in rows if row["paper_seconds"] or row["paper_iterations"] or row["paper_over_plain"]}
    assert told == {"digits"}
    lines = verdict.conclusion(rows)
    assert [line.partition(",")[0] for line in lines if "The paper:" in line] == ["digits"]
    assert "The RNN's truncated gradients certify nothing" in lines[-1]


def test_without_such_a_task_nothing_speaks_of_the_papers_numbers(folder):
    found = summary.load(folder)
    text = summary.to_markdown(summary.table({"faces": found["faces"], "words": found["words"]}), [])
    assert "| faces | Sequential |" in text
    assert "paper: " not in text
    assert "| paper: seconds |" in summary.to_markdown(summary.table({"digits": found["digits"]}), [])


def test_an_experiment_is_named_where_the_tasks_name_says_none(tmp_path):
    renamed(synthetic.sampling("made_mnist", "jacobi", 4, 0.1), "nameless").save(tmp_path / "nameless" / "jacobi.npz")
    with pytest.raises(
        FFCError, match=r"task 'nameless': expected one of rnn.*, or settings that say which experiment"
    ):
        summary.table(summary.load(tmp_path))
