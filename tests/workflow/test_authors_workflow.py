"""The authors' raw results in a whole run: drawn alone and beside ours as far as there are any, else not missed."""

import shutil
from pathlib import Path

import plot_data
import pytest
import yaml
from test_released_workflow import state_dict
from tiny import TINY, copy_to, plan, snakemake

pytestmark = pytest.mark.stress

TASK = TINY["tasks"]["made_mnist"] | {"solvers": {"sequential": {}, "jacobi": {}}}
PRESET = TINY | {
    "tasks": {
        "made_mnist": TASK | {"released": "mnist_made.pth"},
        "made_cifar": TASK | {"paper": "made_cifar", "data": {"name": "patches", "size": 8}},
    }
}
THEIRS = {"authors_record", "authors_notebook", "overlay"}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """An archive in the authors' layout, with weights and raw results of one of two tasks."""
    folder = tmp_path_factory.mktemp("source")
    for solver in ("sequential", "jacobi"):
        path = folder / "plot_data" / f"made_mnist_{solver}.npz"
        plot_data.save(path, plot_data.made("mnist", solver, side=8))
    (folder / "runs" / "pretarined").mkdir(parents=True)
    (folder / "runs" / "pretarined" / "mnist_made.pth").write_bytes(state_dict())
    return plot_data.archive(folder.with_suffix(".tar.gz"), folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, source) -> tuple[Path, tuple[str, ...]]:
    """A copy of the project that has drawn the authors' results alone and beside ours; and how it was told to."""
    folder = copy_to(tmp_path_factory.mktemp("drawn"))
    (folder / "config" / "presets" / "mine.yaml").write_text(yaml.safe_dump(PRESET, sort_keys=False))
    told = ("--config", f"checkpoints={{source: {source}}}", "--")
    run = snakemake(folder, *told, "results/mine/overlay/figures", "results/mine/authors/notebooks/made.ipynb")
    assert run.returncode == 0, run.stdout
    return folder, told


def test_they_are_drawn_alone_and_beside_ours_as_far_as_there_are_any(drawn):
    results = drawn[0] / "results" / "mine"
    names = {f"made_mnist{view}.{s}" for view in ("", "_time_nolog", "_time_nolog_iter") for s in ("png", "svg", "pdf")}
    for folder in (results / "authors" / "figures" / "made", results / "overlay" / "figures"):
        assert {path.name for path in folder.iterdir() if path.suffix} == names
    notebook = (results / "authors" / "notebooks" / "made.ipynb").read_text()
    assert "made_cifar is left out: not all of its results are there" in notebook
    assert "| made_mnist | Jacobi |" in (results / "overlay" / "notebooks" / "overlay.ipynb").read_text()


def test_they_are_among_the_results_of_a_preset(drawn):
    folder, told = drawn
    jobs = plan(folder, *told, "mine")
    assert jobs["report"] == 1
    assert not {*THEIRS, "find_released"} & jobs.keys()  # made already
    for name in ("authors", "overlay"):
        shutil.rmtree(folder / "results" / "mine" / name)
    jobs = plan(folder, *told, "mine")
    assert {name: jobs[name] for name in THEIRS} == {"authors_record": 2, "authors_notebook": 1, "overlay": 1}


def test_without_them_nothing_changes(drawn):
    folder, _ = drawn
    assert not THEIRS & plan(folder, "--config", "checkpoints={mode: trained}", "--", "mine").keys()
    assert not THEIRS & plan(folder, "quick").keys()
    run = snakemake(folder, "-n", "results/quick/overlay/figures")
    assert run.returncode != 0
    assert "results/quick/authors: there are no results of theirs that this shows" in run.stdout
