"""The workflow itself: its plans, its errors, and what a change reruns."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT
from tiny import TINY, copy_to, plan, snakemake

QUICK = yaml.safe_load((ROOT / "config/presets/quick.yaml").read_text())
NOTEBOOKS = ("densenet", "made", "pixelcnnpp", "rnn_backprop", "scaling")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project that nothing has run in."""
    return copy_to(tmp_path_factory.mktemp("project"))


def test_quick_is_every_experiment_figure_table_and_the_report(project):
    jobs = plan(project, "quick")
    notebooks = {name: 1 for name in jobs if name.startswith("notebook_")}
    assert sorted(notebooks) == [f"notebook_quick_{name}" for name in NOTEBOOKS]
    solvers = {f"solve_quick_{task}": 1 for task in QUICK["tasks"]}  # one process for those of a task
    expected = solvers | {"gradients": 2, "rnn_scaling": 1, "scaling": 1, "summary": 1, "table": 1, "report": 1}
    # Only what is trained needs data: the weights of the four sampling tasks are in the box.
    expected |= {"find_released": 1, "weights": 5, "data": 2, "train": 1}
    assert jobs == expected | notebooks | {"quick": 1, "total": 28}
    trained = plan(project, "quick", "--config", "checkpoints={mode: trained}")
    assert (trained["data"], trained["train"]) == (6, 5)
    assert "find_released" not in trained


def test_the_papers_preset_looks_for_released_checkpoints_and_trains_only_if_told(project):
    jobs = plan(project, "paper")
    assert jobs["find_released"] == 1
    assert "train" not in jobs  # what is missing is known when the files have been looked for
    trained = plan(project, "small", "--config", "checkpoints={mode: trained}")
    assert trained["train"] == 5
    assert "find_released" not in trained


def test_any_file_can_be_asked_for(project):
    jobs = plan(project, "results/quick/records/rnn/gradients_jacobi.npz")
    assert jobs == {"data": 1, "solve_quick_rnn": 1, "gradients": 1, "total": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "preset=qick"], "there is no 'qick' (did you mean quick?)"),
        (["--config", "checkpoints={modus: auto}"], "checkpoints.modus: unknown key (did you mean mode?)"),
    ],
)
def test_a_mistaken_configuration_is_one_message(project, arguments, message):
    run = snakemake(project, "-n", *arguments)
    assert run.returncode != 0
    assert message in run.stdout
    assert "Traceback" not in run.stdout


def test_a_finished_run_has_nothing_to_do_and_its_report_is_whole(finished):
    run = snakemake(finished, "tiny")
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout
    report = (finished / "results" / "tiny" / "report.html").read_text()
    assert "summary.html" in report
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", report)


def test_a_window_reruns_its_solver_and_what_hangs_on_it(finished):
    file = finished / "config" / "presets" / "tiny.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("window: 4", "window: 2"))
        drawn = {"notebook_tiny_made": 1, "summary": 1, "table": 1, "report": 1}
        assert plan(finished, "tiny") == {"solve": 1} | drawn | {"tiny": 1, "total": 6}
    finally:
        file.write_text(before)


@pytest.mark.parametrize("along", [True, False])
def test_a_fresh_clone_that_is_given_results_has_nothing_to_do(finished, tmp_path, along):
    """With Snakemake's checksums beside the results; without them, once it is told."""
    clone = copy_to(tmp_path)
    for name in ("results", ".snakemake") if along else ("results",):
        shutil.copytree(finished / name, clone / name)
    for file in clone.rglob("*"):
        if not {"results", ".snakemake"} & set(file.relative_to(clone).parts):
            file.touch()  # a clone's files are of now
    if not along:
        assert snakemake(clone, "tiny", "--touch").returncode == 0
    run = snakemake(clone, "-n", "tiny")
    assert "Nothing to be done" in run.stdout, run.stdout


def test_a_script_that_has_changed_reruns_its_jobs(finished):
    script = finished / "workflow" / "scripts" / "table.py"
    before = script.read_text()
    try:
        script.write_text(before + "\n")
        assert plan(finished, "tiny") == {"table": 1, "report": 1, "tiny": 1, "total": 3}
    finally:
        script.write_text(before)


def test_a_faulty_preset_stops_its_own_runs_and_no_other(project):
    file = project / "config" / "presets" / "faulty.yaml"
    fault = "faulty.yaml: titel: unknown key (did you mean title?)"
    file.write_text("titel: A mistake\n")
    try:
        for target, stopped in (("faulty", True), ("quick", False)):
            run = snakemake(project, "-n", target)
            assert ((run.returncode != 0), fault in run.stdout) == (stopped, True)
    finally:
        file.unlink()


def test_a_mistyped_target_is_told_its_neighbour(project):
    run = snakemake(project, "-n", "quik")
    assert run.returncode != 0
    assert "quik: no target has this name (did you mean quick?)" in run.stdout


def test_another_folder_is_named_where_presets_were_looked_for(project, tmp_path):
    config = project / "config" / "config.yaml"
    run = snakemake(project, "-n", "quick", "--directory", str(tmp_path), "--configfile", str(config))
    assert run.returncode != 0
    assert (
        f"{tmp_path}/config/presets: holds no presets (.yaml files); run Snakemake in the project's folder"
        in run.stdout
    )


def test_a_notebook_reruns_alone(finished):
    notebook = finished / "notebooks" / "summary.ipynb"
    notebook.write_text(notebook.read_text() + "\n")
    assert plan(finished, "tiny") == {"summary": 1, "table": 1, "report": 1, "tiny": 1, "total": 4}


def test_what_a_user_can_mend_is_one_message_in_the_log_and_on_the_terminal(project):
    preset = TINY | {"tasks": {"made_mnist": TINY["tasks"]["made_mnist"] | {"data": {"name": "mnist"}}}}
    file = project / "config" / "presets" / "broken.yaml"
    file.write_text(yaml.safe_dump(preset))
    try:
        run = snakemake(project, "results/broken/data/made_mnist.npz", "--config", "data={folder: nowhere}")
    finally:
        file.unlink()
    assert run.returncode != 0
    message = "nowhere/mnist: data set 'mnist' could not be read"
    log = (project / "logs" / "broken" / "data" / "made_mnist.log").read_text()
    assert message in run.stdout
    assert message in log
    assert "Traceback" not in run.stdout + log
    assert not (project / "results" / "broken" / "data" / "made_mnist.npz").exists()


def test_no_progress_bar_is_drawn_into_a_log():
    code = "import _entry, tqdm; print(sum(tqdm.tqdm(range(3))))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "workflow" / "scripts", capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == ("3\n", "")


def test_a_notebook_refuses_parameters_that_it_does_not_have(tmp_path):
    from ffc.core.errors import FFCError
    from ffc.paper.workflow import run_notebook

    notebook, output = ROOT / "notebooks" / "made.ipynb", tmp_path / "out.ipynb"
    with pytest.raises(FFCError, match=r"made\.ipynb: has no parameter recrods"):
        run_notebook(notebook, tmp_path / "log.ipynb", output, {"recrods": "x", "figures": "y"})
    assert not output.exists()
