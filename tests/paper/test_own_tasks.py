"""Tasks that stand for none of the paper's, or for one under another name: their figures and their rows."""

import dataclasses
import json
import re

import numpy as np
import pytest
import synthetic
from places import ROOT

from ffc.paper import figures, reference, summary, verdict
from ffc.paper.views import OWN
from ffc.store.records import Record

TASKS = {  # of which task of the paper the made-up records are, and its settings
    "faces": ("made_mnist", {"experiment": "sampling"}),
    "digits": ("made_mnist", {"experiment": "sampling", "paper": "made_mnist"}),
    "words": ("pixelcnnpp_mnist", {"experiment": "sampling"}),
    "deep": ("densenet", {"experiment": "classification"}),
    "recurrent": ("rnn", {"experiment": "backpropagation"}),
}
RECORDS = synthetic.everything()


def renamed(record: Record, task: str, **settings) -> Record:
    """A record of the paper's task as one of `task`."""
    meta = record.meta | {"task": task, "settings": record.meta["settings"] | settings}
    return dataclasses.replace(record, meta=meta)


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
    for task, (of, settings) in TASKS.items():
        for solver, record in RECORDS[of].items():
            one = renamed(record, task, **settings)
            (without_pictures(one) if task == "words" else one).save(folder / task / f"{solver}.npz")
    renamed(synthetic.lengths(), "recurrent").save(folder / "recurrent_scaling" / "scaling.npz")
    return folder


def test_the_notebooks_show_each_figure_once():
    """Those of one task name figures after it: the paper's, or `mine` where that has no notebook for them."""
    shown = []
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        assert [cell["metadata"].get("tags") for cell in code].count(["parameters"]) == 1
        source = "\n".join("".join(cell["source"]) for cell in code)
        names = dict(re.findall(r'^(task) = "(\w+)"', source, re.M))
        shown += [eval(call, names) for call in re.findall(r"^show\(([^,)]+)", source, re.M)]
    own = [f"mine{end}" for end in OWN["sampling"].views]
    assert sorted(shown) == sorted([*figures.FIGURES, *figures.EXTRAS, *own])


def test_figures_of_ones_own_tasks_bear_their_names_and_the_papers_those_of_the_paper(folder):
    sampling, backprop = ("", "_iter", "_time"), ("_begin", "_end", "_backprop", "_backprop_iter", "_scaling")
    views = {"faces": sampling, "words": sampling, "deep": ("", "_iter", "_outputs", "_outputs_log")}
    views |= {"recurrent": backprop, "made_mnist": ("", "_time_nolog", "_time_nolog_iter")}
    assert figures.figures_in(folder).keys() == {task + view for task, ends in views.items() for view in ends}
    for name in ("deep", "recurrent_begin", "recurrent_scaling", "made_mnist"):
        figures.draw(name, folder)


def test_errors_of_any_sampler_end_at_zero_on_axes_that_name_no_pixels(folder, tmp_path):
    for by, x, scale in (("time", "wall-clock time (s)", "log"), ("iter", "parallel iterations", "linear")):
        (ax,) = figures.draw(f"faces_{by}", folder).axes
        assert (ax.get_xlabel(), ax.get_xscale()) == (x, scale)
        assert (ax.get_ylabel(), ax.get_yscale()) == ("ℓ₂ distance to the answer, mean", "symlog")
    record = renamed(RECORDS["made_mnist"]["sequential"], "lucky", experiment="sampling")  # its guess is the answer
    arrays = {name: np.zeros_like(record[name]) for name in ("error_l2", "error_max", "change")}
    dataclasses.replace(record, arrays=record.arrays | arrays).save(tmp_path / "lucky" / "sequential.npz")
    assert figures.draw("lucky_iter", tmp_path).axes[0].get_yscale() == "linear"


def test_a_sampler_is_shown_beside_jacobi_or_another_parallel_solver_and_the_drafted_one(tmp_path):
    options = {"solver": "gs_jacobi", "draft": True}
    records = RECORDS["pixelcnnpp_mnist"] | {"drafted": synthetic.sampling("faces", "drafted", 3, 0.1, options=options)}
    for solvers, rows in (
        (["sequential", "gs_jacobi", "jacobi_gs"], ["Sequential", "GS-Jacobi (window 2)"]),
        (["drafted"], ["Sequential", "GS-Jacobi (window 2)", "GS-Jacobi (drafted)"]),
        (["jacobi"], ["Sequential", "Jacobi", "GS-Jacobi (drafted)"]),
    ):
        for name in solvers:
            renamed(records[name], "faces", experiment="sampling").save(tmp_path / "faces" / f"{name}.npz")
        assert [label for ax in figures.draw("faces", tmp_path).axes if (label := ax.get_ylabel())] == rows


def test_samples_that_are_no_pictures_show_which_blocks_have_their_value(folder):
    sequential, jacobi = figures.draw("words", folder).axes
    shown = sequential.images[0].get_array()
    np.testing.assert_array_equal(shown.sum(axis=1), [0, 5, 10, 15, 16])  # at these iterations
    assert [label.get_text() for label in jacobi.get_yticklabels()] == ["0", "last: 4"]
    kept = reference.reduced(Record.load(folder / "words" / "jacobi.npz"))
    assert kept["settled"].shape[1] == kept["error_l2"].shape[1] == 1


def test_only_what_stands_for_the_papers_task_has_the_papers_numbers(folder):
    records = summary.load(folder)
    rows = summary.table(records)
    assert [*dict.fromkeys(row["task"] for row in rows)] == ["digits", "deep", "faces", "recurrent", "words"]
    papers = ("paper_seconds", "paper_iterations", "paper_over_plain", "paper_over_best")
    assert {row["task"] for row in rows if any(row[key] for key in papers)} == {"digits"}
    lines = verdict.conclusion(rows)
    assert [line.partition(",")[0] for line in lines if "The paper:" in line] == ["digits"]
    assert "The RNN's truncated gradients certify nothing" in lines[-1]
    for task, heading in (("faces", False), ("words", False), ("digits", True)):
        text = summary.to_markdown(summary.table({task: records[task]}), [])
        assert f"| {task} | Sequential |" in text
        assert ("paper: " in text) == ("*paper*" in text) == heading
