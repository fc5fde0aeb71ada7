"""The benchmark: the same answers as the experiments, counted and compared by what the programs themselves say."""

import jax
import numpy as np
import pytest
from test_backpropagation import RNN_SETTINGS
from test_experiments import MADE_SETTINGS

from ffc.cli import main as cli
from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.paper import experiments
from ffc.paper.bench import bench, to_markdown
from ffc.paper.verdict import times
from ffc.store import checkpoints
from ffc.store.records import Record


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A preset of two tasks that has run."""
    folder = tmp_path_factory.mktemp("project") / "results" / "tiny"
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    model = MADE((4, 4, 1), (24, 24))
    checkpoints.save(folder / "checkpoints" / "made_mnist.flax", model, model.init(jax.random.key(1)), {})
    for task, settings in (("rnn", RNN_SETTINGS), ("made_mnist", MADE_SETTINGS)):
        data = folder / "data" / f"{task}.npz"
        Dataset("noise", "noise 4×4", images, images).to_record().save(data)
        for solver in settings["solvers"]:
            files = {"data": data} if task == "rnn" else {"data": data, "checkpoint": model_file(folder)}
            record = experiments.run(task, settings, solver, **files, seed=0, repeats=1)
            record.save(folder / "records" / task / f"{solver}.npz")
    return folder


def model_file(folder):
    return folder / "checkpoints" / "made_mnist.flax"


@pytest.fixture(scope="module")
def record(results):
    return bench(results, repeats=2)


def entries(record, task):
    return {
        solver: {name: array[i] for name, array in record.arrays.items()}
        for i, solver in enumerate(record["solver"])
        if record["task"][i] == task
    }


def test_every_solver_of_the_preset_competes_and_repeats_are_kept(record):
    assert list(entries(record, "made_mnist")) == [
        "Sequential",
        "Sequential, cached",
        "Jacobi",
        "GS-Jacobi (window 4)",
        "Jacobi-GS (block 4)",
    ]
    assert list(entries(record, "rnn"))[-2:] == ["Chunks (Jacobi-GS)", "Associative scan"]
    assert record["seconds"].shape == (len(record["task"]), 2)
    assert record["seconds"].min() > 0
    assert record["peak_bytes"].min() > 0


def test_it_counts_what_the_experiments_count(record, results):
    for name, label in (("jacobi", "Jacobi"), ("sequential", "Sequential")):
        theirs = Record.load(results / "records" / "made_mnist" / f"{name}.npz")
        assert entries(record, "made_mnist")[label]["iterations"] == theirs["iterations"].max()


def test_a_pass_is_as_many_blocks_as_the_system_has(record):
    made = entries(record, "made_mnist")
    assert made["Sequential"]["passes"] == 16  # a whole sweep for each block
    assert made["Sequential, cached"]["passes"] == 1
    assert made["Jacobi"]["passes"] == made["Jacobi"]["iterations"]
    assert entries(record, "rnn")["Feedforward"]["passes"] == 1


def test_answers_are_compared_with_plain_evaluation(record):
    made, rnn = entries(record, "made_mnist"), entries(record, "rnn")
    assert made["Sequential"]["max_difference"] == 0
    assert all(entry["certified"] and entry["max_difference"] < 1e-4 for entry in made.values())
    assert not rnn["Jacobi (2 iterations)"]["certified"]
    assert rnn["Jacobi (16 iterations)"]["certified"]
    assert rnn["Chunks (Jacobi-GS)"]["max_difference"] < 1e-6
    assert rnn["Associative scan"]["max_difference"] < 1e-6 < rnn["Jacobi (2 iterations)"]["max_difference"]


def test_speed_ups_in_the_table_are_ratios_of_medians(record):
    table = to_markdown(record)
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| made")
    ]
    medians = np.median(record["seconds"], axis=1)[record["task"] == "made_mnist"]
    assert [row[5] for row in rows] == [times(medians[0] / median) for median in medians]
    assert [row[6] for row in rows] == [times(medians[:2].min() / median) for median in medians]


def test_a_preset_that_has_not_run_is_named(tmp_path, capsys):
    with pytest.raises(FFCError, match="no records there; run the preset first: snakemake small"):
        bench(tmp_path / "results" / "small")
    assert cli.main(["bench", "--preset", "nothing_of_this_name"]) == cli.ERROR
    assert "run the preset first" in capsys.readouterr().err


def test_a_task_is_one_that_has_run(results):
    with pytest.raises(FFCError, match="task 'made': expected one of rnn, made_mnist, which have records in"):
        bench(results, ["made"])


def test_solvers_of_another_system_compete_among_themselves(tmp_path):
    """Noise, weights and task are one; what is drawn, rounded or not, differs."""
    rounded = {"system": {"quantize": "8bit"}}
    solvers = {"sequential": {}, "cached": {}, "cached_8bit": {"solver": "cached", **rounded}}
    solvers["jacobi_8bit"] = {"solver": "jacobi", **rounded}
    model = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=2)
    file = tmp_path / "checkpoints" / "pixelcnnpp_mnist.flax"
    checkpoints.save(file, model, model.init(jax.random.key(1)), {})
    for solver in solvers:
        settings = {"batch": 2, "solvers": solvers}
        record = experiments.run("pixelcnnpp_mnist", settings, solver, checkpoint=file, seed=0, repeats=1)
        record.save(tmp_path / "records" / "pixelcnnpp_mnist" / f"{solver}.npz")
    record = bench(tmp_path, repeats=1)
    medians = dict(zip(record["solver"], np.median(record["seconds"], axis=1), strict=True))
    jacobi, cached = "Jacobi (8-bit)", "Sequential, cached (8-bit)"
    cells = next(line.split("|") for line in to_markdown(record).splitlines() if jacobi in line)
    assert [cell.strip() for cell in cells[6:8]] == ["–", times(medians[cached] / medians[jacobi])]
    assert record["certified"].all()
    assert record["max_difference"].max() < 1e-4
    assert not any("8-bit" in solver for solver in bench(tmp_path, repeats=1, system={"quantize": "none"})["solver"])


def test_options_of_a_system_concern_the_models_that_have_them(results):
    record = bench(results, ["made_mnist"], repeats=1, system={"quantize": "8bit"})
    assert "quantize: 8bit" in to_markdown(record)
    assert record["certified"].all()
