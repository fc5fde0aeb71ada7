"""What a command plans, file by file; and what it refuses, in one message, before anything runs."""

import shutil

import forks
import pytest
import yaml
from places import ROOT
from tiny import MADE, TINY, copy_to, of_preset, planned

from ffc.paper.views import PAPER

QUICK = yaml.safe_load((ROOT / "config" / "presets" / "quick.yaml").read_text())
NOWHERE = {"name": "image_folder", "path": "nowhere", "size": 8}
BROKEN = TINY | {"tasks": {"made_mnist": MADE | {"data": NOWHERE}}}
MODULE = """
module ffc:
    snakefile: "{}"
    config: {{"preset": "mine", "presets": "own"}}
use rule * from ffc as ffc_*
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project that nothing has run in; one of its presets is faulty, one has the name of a rule."""
    return copy_to(tmp_path_factory.mktemp("project"), broken=BROKEN, faulty={"titel": "A mistake"}, summary=TINY)


@pytest.fixture(scope="module")
def plan(project):
    """Of sound presets, which a faulty one does not stop."""
    return planned(project, "quick", "paper", "tiny")


def files(*names: str, of: tuple[str, ...] = ("flax", "json")) -> set[str]:
    return {f"{name}.{suffix}" for name in names for suffix in of}


def test_quick_is_every_experiment_figure_table_and_the_report(plan):
    notebooks = [f"notebooks/{name}" for name in ("rnn_backprop", "densenet", "made", "pixelcnnpp", "scaling")]
    figures = [f"figures/{task}{view}" for task, paper in PAPER.items() for view in paper.views]
    figures += ["figures/sampling_scaling", "figures/training"]
    expected = {  # one process for the solvers of a task
        f"solve_quick_{task}": {f"records/{task}/{solver}.npz" for solver in section["solvers"]}
        for task, section in QUICK["tasks"].items()
    }
    expected |= {
        "notebook": files(*notebooks, of=("ipynb", "html")) | {*notebooks},
        "figure": files(*figures, of=("png", "svg", "pdf")),
        "find_released": {"checkpoints/released.json"},
        "data": {"data/rnn.npz", "data/densenet.npz"},  # what is trained: other weights are in the box
        "train": files("checkpoints/trained/densenet"),
        "weights": files(*(f"checkpoints/{task}" for task in PAPER if task != "rnn")),
        "gradients": {f"records/rnn/gradients_{solver}.npz" for solver in ("feedforward", "jacobi")},
        "rnn_scaling": {"records/rnn_scaling/scaling.npz"},
        "scaling": {"records/scaling/sampling.npz"},
        "summary": files("notebooks/summary", of=("ipynb", "html"))
        | {"notebooks/summary", "summary.md", "summary.csv"},
        "table": {"summary.html", "verdict.rst"},
    }
    assert of_preset("quick", plan) == expected


def test_weights_are_trained_where_none_can_be_had_and_else_only_where_it_is_known_that_none_are(project, plan):
    trained = planned(project, "quick", "--config", "checkpoints={mode: trained}")
    paper = of_preset("paper", plan)
    assert paper["find_released"] == {"checkpoints/released.json"}
    assert "train" not in paper  # what is missing is known when the files have been looked for
    assert of_preset("quick", trained)["train"] == files(
        *(f"checkpoints/trained/{task}" for task in PAPER if task != "rnn")
    )
    assert of_preset("quick", trained)["data"] == {f"data/{task}.npz" for task in PAPER}
    assert "find_released" not in trained


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["quick", "--config", "preset=qick"], "preset: there is no 'qick' (did you mean quick?)"),
        (["--config", "preset=summary"], "summary.yaml: summary is the name of a rule"),
        (["quik"], "quik: no target has this name (did you mean quick?)"),
        (["results/tiny/records/made_mnist/jacoby.npz"], "tiny.yaml: tasks.made_mnist.solvers has no jacoby (did you"),
        (["results/quick/overlay/figures"], "results/quick/authors: there are no results of theirs that this shows"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_be_made_is_one_message(project, command, message):
    assert message in forks.snakemake(project, "-n", *command, fails=True)


def test_a_run_elsewhere_and_a_module_of_another_workflow_plan_what_a_run_here_does(project, plan, tmp_path):
    """With presets of their own beside those of the project."""
    here, elsewhere = of_preset("tiny", plan), tmp_path / "elsewhere"
    for folder in ("config/presets", "own"):
        (elsewhere / folder).mkdir(parents=True)
        shutil.copy(project / "config" / "presets" / "tiny.yaml", elsewhere / folder / "mine.yaml")
    assert of_preset("mine", planned(project, "mine", "--directory", str(elsewhere))) == here
    (elsewhere / "config" / "presets" / "mine.yaml").unlink()
    (elsewhere / "Snakefile").write_text(MODULE.format(project / "Snakefile"))
    module = of_preset("mine", planned(elsewhere, "ffc_mine", "--cores", "1"))
    assert {rule.removeprefix("ffc_"): files for rule, files in module.items()} == here


def test_a_folder_that_jobs_cannot_run_in_is_refused(project, tmp_path):
    (tmp_path / "my project").symlink_to(project)
    place = ("--snakefile", "my project/Snakefile", "--directory", "my project")
    assert "cannot run below a path with ' '" in forks.snakemake(tmp_path, "-n", "tiny", *place, fails=True)


def test_what_a_user_can_mend_is_one_message_in_the_log_and_on_the_terminal(project):
    (project / "data" / "nowhere").mkdir(parents=True)
    printed = forks.snakemake(project, "results/broken/data/made_mnist.npz", fails=True)
    message, log = "nowhere: ", (project / "logs/broken/data/made_mnist.log").read_text()
    assert message in printed
    assert "Once that is mended, repeat the command" in printed
    assert message in log
    assert "Traceback" not in printed + log
