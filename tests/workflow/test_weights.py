"""Where weights come from in whole runs: released files and models in the box are used, the rest is trained, and all is
said; the authors' raw results are drawn alone and beside ours as far as there are any.
"""

import json
import re
import shutil
import zipfile

import plot_data
import pytest
from forks import snakemake
from places import GOLDEN
from sound import pth, state_dict
from tiny import MADE, TINY, copy_to, of_preset, planned

from ffc import box
from ffc.models.made import MADE as Network
from ffc.store.records import Record

pytestmark = pytest.mark.stress

ALONE = MADE | {"solvers": {"sequential": {}}}
OWN = {key: value for key, value in ALONE.items() if key != "paper"}
CIFAR = {"paper": "made_cifar", "released": "cifar10_made.pth", "data": {"name": "patches", "size": 8}}
RELEASED = {
    "Digits": MADE | {"released": "mnist_made.pth", "solvers": {"sequential": {}, "jacobi": {}}},
    "made_cifar": ALONE | CIFAR,
}
BOXED = {
    # Data that nobody has: they serve only where the weights are trained.
    "boxed": OWN | {"weights": "made-mnist", "data": {"name": "image_folder", "path": "none", "size": 28}},
    "lacking": OWN | {"weights": "no-such-model"},
}
#: DenseNet-201 is released for ImageNet's images, and can be trained on others.
OTHER = {
    "paper": "densenet",
    "data": {"name": "digits", "size": 32},
    "model": {"kind": "densenet", "growth": 2, "blocks": [1, 1], "features": 4},
    "released": "densenet.pth",
    "train_data": {"name": "digits", "size": 16},
    "train": {"steps": 3, "batch": 8},
    "images": 2,
    "solvers": {"feedforward": {}},
}
PRESETS = {
    "half": TINY | {"one_process": True, "tasks": RELEASED | BOXED},
    "boxed": TINY | {"tasks": BOXED},
    "damaged": TINY | {"tasks": RELEASED},
    "other": TINY | {"tasks": {"densenet": OTHER}},
}
#: A MADE for the digits in the layout of the released files.
STATE = pth(state_dict(Network((8, 8, 1), (16, 16))))
THEIRS = {"authors_record", "authors_notebook", "overlay"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_to(tmp_path_factory.mktemp("project"), **PRESETS)


@pytest.fixture(scope="module")
def half(project, tmp_path_factory):
    """A run with an archive in the authors' layout that has weights and raw results of one of two tasks.

    The folder of the preset's results, and how Snakemake was told.
    """
    folder = tmp_path_factory.mktemp("source")
    for solver in ("sequential", "jacobi"):
        plot_data.save(folder / "plot_data" / f"made_mnist_{solver}.npz", plot_data.made("mnist", solver, side=8))
    weights = folder / "runs" / "pretarined" / "mnist_made.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(STATE)
    source = plot_data.archive(folder.with_suffix(".tar.gz"), folder)
    settings = ("--config", f"checkpoints={{source: {source}}}", "--")
    targets = ("summary.md", "overlay/figures", "authors/notebooks/made.ipynb")
    snakemake(project, *settings, *(f"results/half/{target}" for target in targets))
    return project / "results" / "half", settings


def test_what_can_be_had_is_not_trained_and_what_lacks_is(project, half):
    results, settings = half
    weights = {folder: {*(results / "checkpoints" / folder).glob("*.flax")} for folder in ("released", "trained")}
    names = {folder: {path.stem for path in paths} for folder, paths in weights.items()}
    assert names == {"released": {"Digits", "boxed"}, "trained": {"made_cifar", "lacking"}}
    assert not (results / "data" / "boxed.npz").exists()
    # What was looked for once is not looked for again unless told to.
    assert planned(project, *settings, "results/half/summary.md") == {}
    again = planned(project, "--forcerun", "find_released", *settings, "results/half/checkpoints/Digits.flax")
    assert "find_released" in again


def test_records_and_the_summary_say_where_weights_are_from(half):
    results = half[0]
    about = box.about("made-mnist")
    tasks = ("Digits", "made_cifar", "boxed", "lacking")
    records = {task: Record.load(results / "records" / task / "sequential.npz").meta for task in tasks}
    origin = [record["checkpoint"]["origin"] for record in records.values()]
    assert origin == ["released", "trained", "box", "trained"]
    assert records["boxed"]["data"] == {"name": "mnist", "title": "MNIST 28×28"}
    boxed = records["boxed"]["checkpoint"]
    assert [boxed[key] for key in ("name", "train", "metrics")] == ["made-mnist", about["train"], about["metrics"]]
    summary, loss = (results / "summary.md").read_text(), f"{about['metrics']['test_loss']:.3g} bits/dim"
    for line in (
        "Digits: Data: scikit-learn digits 8×8; Weights: released by the authors",
        "lacking: Data: scikit-learn digits 8×8; Weights: trained here (60 steps, ",
        f"boxed: Data: MNIST 28×28; Weights: made-mnist in the box (12000 steps, {loss})",
    ):
        assert line in summary
    numbers = re.search(r"^\| Digits \| Jacobi .*\| 31 \| 0.0126 \|", summary, re.M)
    assert numbers, "the paper's, beside a task of any name that stands for one of its own"


def test_the_authors_results_are_drawn_alone_and_beside_ours_as_far_as_there_are_any(half):
    results = half[0]
    names = {f"made_mnist{view}.{s}" for view in ("", "_time_nolog", "_time_nolog_iter") for s in ("png", "svg", "pdf")}
    for folder in (results / "authors" / "figures" / "made", results / "overlay" / "figures"):
        assert {path.name for path in folder.iterdir() if path.suffix} == names
    notebook = (results / "authors" / "notebooks" / "made.ipynb").read_text()
    assert "made_cifar is left out: not all of its results are there" in notebook
    assert "| made_mnist | Jacobi |" in (results / "overlay" / "notebooks" / "overlay.ipynb").read_text()


def test_the_authors_results_are_among_those_of_a_preset_unless_weights_are_trained(project, half):
    results, settings = half
    assert not {*THEIRS, "find_released"} & planned(project, *settings, "half").keys()  # made already
    for name in ("authors", "overlay"):
        shutil.rmtree(results / name)
    plan = of_preset("half", planned(project, *settings, "half"))
    assert plan["authors_record"] == {f"authors/records/made_mnist/{s}.npz" for s in ("sequential", "jacobi")}
    assert plan.keys() >= THEIRS
    plan = planned(project, "--forceall", "--config", "checkpoints={mode: trained}", "--", "half")
    assert not {*THEIRS, "find_released", "import_released"} & plan.keys()
    assert len(plan["train"]) == 2 * len(PRESETS["half"]["tasks"])


def test_what_the_box_lacks_is_an_error_where_it_must_not_be_trained(project):
    asked = "results/boxed/checkpoints/lacking.flax"
    printed = snakemake(project, "--config", "checkpoints={mode: released}", "--", asked, fails=True)
    assert "the box has no no-such-model; set the mode to auto" in printed


def test_what_is_damaged_or_of_another_model_never_becomes_a_checkpoint(project):
    archive = project / "archive.zip"
    settings = ["--forcerun", "find_released", "--config", "checkpoints={source: archive.zip}"]
    weights = [f"results/damaged/checkpoints/{task}.flax" for task in RELEASED]
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("mnist_made.pth", STATE[:-400])
        file.writestr("cifar10_made.pth", (GOLDEN / "densenet.pth").read_bytes())
    printed = snakemake(project, *settings, "--", *weights, fails=True)
    assert "mnist_made.pth: not a plain PyTorch state dict: it is damaged" in printed
    assert "cifar10_made.pth: weights of a densenet, where the preset wants a made" in printed
    assert not list(project.glob("results/damaged/checkpoints/*.flax"))


def test_without_a_network_the_same_command_trains_and_the_record_says_on_which_images(project):
    target = "results/other/records/densenet/feedforward.npz"
    settings = ["--config", "checkpoints={source: http://127.0.0.1:9/archive.zip}", "--", target]
    snakemake(project, *settings)
    assert (project / "results" / "other" / "checkpoints" / "trained" / "densenet.flax").exists()
    record = Record.load(project / target).meta
    assert record["data"]["title"] == "scikit-learn digits resized to 16×16"
    assert record["checkpoint"]["data"] == record["data"]
    # The same where they are found: the task's own images, which were not even read before.
    note = project / "results" / "other" / "checkpoints" / "released.json"
    note.write_text(json.dumps({"files": {"densenet.pth": "somewhere"}}))
    assert planned(project, *settings).keys() == {"data", "import_released", "weights", "solve"}
