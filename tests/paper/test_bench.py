"""The benchmark: the same answers as the experiments, counted and compared by what the programs themselves say."""

import jax
import numpy as np
import pytest
from test_backpropagation import SETTINGS as RNN

from ffc.cli import main as cli
from ffc.core.errors import FFCError
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi
from ffc.data import Dataset
from ffc.models.made import MADE
from ffc.models.transformer import Transformer
from ffc.paper.bench import bench, to_markdown
from ffc.paper.experiments import Job, sampling
from ffc.store import checkpoints
from ffc.store.records import Record

COOL = {"system": {"temperature": "0.5"}}
MADES = {"sequential": {}, "cached": {}, "jacobi": {}, "auto": {}}
TEXTS = {"cached": {}, "cool": {"solver": "cached", **COOL}, "cool_jacobi": {"solver": "jacobi", **COOL}}
TASKS = {
    "rnn": RNN,
    "made_mnist": {"batch": 3, "solvers": MADES},
    "text": {"experiment": "sampling", "batch": 2, "solvers": TEXTS},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A preset of three tasks, as it is when it has run: what its records say of their jobs."""
    folder = tmp_path_factory.mktemp("project") / "results" / "tiny"
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    Dataset("noise", "noise 4×4", images, images).to_record().save(folder / "data" / "rnn.npz")
    models = {
        "made_mnist": MADE((4, 4, 1), (24, 24)),
        "text": Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, cheap=8),
    }
    for task, model in models.items():
        params = jax.jit(model.init)(jax.random.key(1))
        checkpoints.save(folder / "checkpoints" / f"{task}.flax", model, params, {})
    for task, settings in TASKS.items():
        for solver in settings["solvers"]:
            job = Job(task, settings, solver, 0, 1, data=folder / "data" / "rnn.npz" if task == "rnn" else None)
            chosen = {"chosen": {"solver": "jacobi_gs", "block": 4}} if solver == "auto" else {}
            job.record({}, system=job.system, **chosen).save(folder / "records" / task / f"{solver}.npz")
    return folder


@pytest.fixture(scope="module")
def record(results):
    return bench(results, repeats=2)


def entries(record, task):
    """The rows of a task, in order, by the labels of their solvers."""
    rows = np.flatnonzero(record["task"] == task)
    return [(str(record["solver"][i]), {name: array[i] for name, array in record.arrays.items()}) for i in rows]


def test_every_solver_of_the_preset_competes_with_those_of_its_system_baselines_first(record):
    labels = {task: [(label, row["baseline"]) for label, row in entries(record, task)] for task in TASKS}
    plain, cached = ("Sequential", "plain"), ("Sequential, cached", "cached")
    assert labels["made_mnist"] == [plain, cached, ("Jacobi", ""), ("Auto (Jacobi-GS, block 4)", "")]
    truncated = [(f"Jacobi ({k} iterations)", "") for k in (2, 16)]
    others = [("Chunks (Jacobi-GS)", ""), ("Associative scan", "")]
    assert labels["rnn"] == [("Feedforward", "plain"), *truncated, *others]
    assert labels["text"] == [cached, cached, ("Jacobi", "")]
    groups = [row["group"] for _, row in entries(record, "text")]
    assert groups[0] != groups[1] == groups[2]
    assert record["seconds"].shape == (len(record["task"]), 2)
    assert record["seconds"].min() > 0
    assert record["peak_bytes"].min() > 0


def test_iterations_are_of_the_slowest_sample_and_a_pass_is_as_many_blocks_as_the_system_has(record, results):
    job = Job("made_mnist", TASKS["made_mnist"], "jacobi", 0, 1, results / "checkpoints" / "made_mnist.flax")
    count = int(solve(sampling.system_of(job, job.load_checkpoint(), {}), Jacobi()).iterations.max())
    made, rnn = entries(record, "made_mnist"), entries(record, "rnn")
    assert [row["iterations"] for _, row in made[:3]] == [16, 16, count]
    assert [row["passes"] for _, row in made[:3]] == [16, 1, count]  # plain: a whole sweep for each block
    auto = made[3][1]
    assert auto["passes"] == 4 * auto["iterations"]
    assert [row["iterations"] for _, row in rnn][:3] == [16, 2, 16]
    assert [row["passes"] for _, row in rnn][:3] == [1, 2, 16]


def test_answers_are_compared_with_the_sequential_one_of_their_system(record):
    assert [bool(row["certified"]) for _, row in entries(record, "rnn")] == [True, False, True, True, False]
    differences = [row["max_difference"] for _, row in entries(record, "rnn")]
    assert differences[0] == 0
    assert max(differences[2:]) < 1e-6 < differences[1]
    for task, bound in (("made_mnist", 1e-4), ("text", 0)):
        assert all(row["certified"] and row["max_difference"] <= bound for _, row in entries(record, task))


def test_options_of_a_system_concern_the_models_that_have_them_and_replace_the_solvers_own(results):
    again = bench(results, ["text", "made_mnist"], repeats=1, system={"temperature": "0.25"})
    assert [len(entries(again, task)) for task in ("text", "made_mnist")] == [1, 4]
    assert list(dict.fromkeys(again["task"].tolist())) == ["text", "made_mnist"]
    assert to_markdown(again).splitlines()[0].endswith("1 interleaved repeats; preset tiny; temperature: 0.25")
    assert again["certified"].all()


def test_speed_ups_in_the_table_are_ratios_of_medians_within_a_group():
    rows = [
        ("plain", 0, [8, 9, 40]),
        ("cached", 0, [4, 3, 9]),
        ("", 0, [2, 1, 1]),
        ("cached", 1, [6, 6, 6]),
        ("", 1, [3, 3, 3]),
    ]
    arrays = {
        "task": np.array(["made"] * 5),
        "solver": np.array(list("abcde")),
        "baseline": np.array([baseline for baseline, *_ in rows]),
        "group": np.array([group for _, group, _ in rows]),
        "seconds": np.array([seconds for *_, seconds in rows], float),
        "iterations": np.arange(5),
        "passes": np.full(5, 1.23456),
        "peak_bytes": np.full(5, 3 * 2**19),
        "max_difference": np.full(5, 0.0125),
        "certified": np.array([True, True, True, False, True]),
    }
    meta = {"device": {"name": "Abacus"}, "repeats": 3, "preset": "tiny", "system": None}
    about, _, header, _, *lines = to_markdown(Record(arrays, meta)).splitlines()
    assert about == "Abacus; 3 interleaved repeats; preset tiny"
    assert header.startswith("| task | solver | iterations | full passes | seconds: median (least – most) | × plain |")
    assert lines == [
        "| made | a | 0 | 1.23 | 9 (8 – 40) | 1× | 0.444× | 1.5 | 0.013 | yes |",
        "| made | b | 1 | 1.23 | 4 (3 – 9) | 2.25× | 1× | 1.5 | 0.013 | yes |",
        "| made | c | 2 | 1.23 | 1 (1 – 2) | 9× | 4× | 1.5 | 0.013 | yes |",
        "| made | d | 3 | 1.23 | 6 (6 – 6) | – | 1× | 1.5 | 0.013 | no |",
        "| made | e | 4 | 1.23 | 3 (3 – 3) | – | 2× | 1.5 | 0.013 | yes |",
    ]


def test_what_has_not_run_is_named(results, tmp_path, capsys):
    with pytest.raises(FFCError, match="no records there; run the preset first: snakemake small"):
        bench(tmp_path / "results" / "small")
    assert cli.main(["bench", "--preset", "nothing_of_this_name"]) == cli.ERROR
    assert "run the preset first" in capsys.readouterr().err
    with pytest.raises(FFCError, match="task 'made': expected one of rnn, made_mnist, text, which have records in"):
        bench(results, ["made"])
