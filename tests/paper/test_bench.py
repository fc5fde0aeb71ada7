"""The benchmark: the same answers as the experiments, counted and compared by what the programs themselves say."""

import numpy as np
import pytest
import zoo
from sound import weights
from test_backpropagation import SETTINGS as RNN
from test_scaling import TOKENS

from ffc.cli import main as cli
from ffc.core.errors import FFCError
from ffc.core.solve import solve
from ffc.core.solvers import JacobiGS
from ffc.data import Dataset
from ffc.models.made import MADE
from ffc.paper.bench import bench, to_markdown
from ffc.paper.experiments import Job, sampling
from ffc.store import checkpoints
from ffc.store.records import Record

COOL = {"system": {"temperature": "0.5"}}
MADES = {"sequential": {}, "cached": {}, "auto": {}}
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
    for task, model in (("made_mnist", MADE((4, 4, 1), (24, 24))), ("text", TOKENS)):
        checkpoints.save(folder / "checkpoints" / f"{task}.flax", model, weights(model, scale=0.3), {})
    for task, settings in TASKS.items():
        for solver in settings["solvers"]:
            job = Job(task, settings, solver, 0, 1, data=folder / "data" / "rnn.npz" if task == "rnn" else None)
            chosen = {"chosen": {"solver": "jacobi_gs", "block": 4}} if solver == "auto" else {}
            job.record({}, system=job.system, **chosen).save(folder / "records" / task / f"{solver}.npz")
    return folder


@pytest.fixture(scope="module")
def record(results):
    return bench(results, repeats=2)


def of_task(record, name, task):
    """An array's entries of a task, in order."""
    return record[name][record["task"] == task].tolist()


def test_every_solver_of_the_preset_is_counted_baselines_first(record, results):
    """By its label: the baseline that it is, iterations of the slowest sample, whole passes, and whether it proves
    its answer; plain evaluation takes a pass for each block."""
    job = Job("made_mnist", TASKS["made_mnist"], "auto", 0, 1, results / "checkpoints" / "made_mnist.flax")
    count = int(solve(sampling.system_of(job, job.load_checkpoint()), JacobiGS(4)).iterations.max())
    columns = ("solver", "baseline", "iterations", "passes", "certified")
    made, rnn, text = (
        [*zip(*(of_task(record, name, task) for name in columns), strict=True)]
        for task in ("made_mnist", "rnn", "text")
    )
    assert made == [
        ("Sequential", "plain", 16, 16, True),
        ("Sequential, cached", "cached", 16, 1, True),
        ("Auto (Jacobi-GS, block 4)", "", count, 4 * count, True),
    ]
    assert rnn == [
        ("Feedforward", "plain", 16, 1, True),
        ("Jacobi (2 iterations)", "", 2, 2, False),
        ("Jacobi (16 iterations)", "", 16, 16, True),
    ]
    assert [row[:2] for row in text] == [*[("Sequential, cached", "cached")] * 2, ("Jacobi", "")]
    groups = of_task(record, "group", "text")
    assert groups[0] != groups[1] == groups[2]  # solvers of one system
    assert record["seconds"].shape == (len(record["task"]), 2)
    assert min(record["seconds"].min(), record["peak_bytes"].min()) > 0


def test_an_iteration_by_columns_of_a_cached_system_is_a_whole_pass():
    for cached, passes in ((True, 1), (False, 4)):
        assert sampling.passes(zoo.chain(has_windows=cached), JacobiGS(4)) == passes


def test_answers_are_compared_with_the_sequential_one_of_their_system(record):
    first, truncated, *whole = of_task(record, "max_difference", "rnn")
    assert first == 0 <= max(whole) < 1e-6 < truncated
    assert max(of_task(record, "max_difference", "made_mnist")) < 1e-4
    assert max(of_task(record, "max_difference", "text")) == 0
    assert all(of_task(record, "certified", "text"))


def test_speed_ups_in_the_table_are_ratios_of_medians_within_a_group():
    rows = {
        "a": ("plain", 0, [8, 9, 40], "9 (8 – 40) | 1× | 0.444×"),
        "b": ("cached", 0, [4, 3, 9], "4 (3 – 9) | 2.25× | 1×"),
        "c": ("", 0, [2, 1, 1], "1 (1 – 2) | 9× | 4×"),
        "d": ("cached", 1, [6, 6, 6], "6 (6 – 6) | – | 1×"),
        "e": ("", 1, [3, 3, 3], "3 (3 – 3) | – | 2×"),
    }
    baselines, groups, seconds, texts = zip(*rows.values(), strict=True)
    arrays = {"solver": [*rows], "baseline": baselines, "group": groups, "seconds": seconds, "iterations": range(5)}
    alike = {"task": "made", "passes": 1.23456, "peak_bytes": 3 * 2**19, "max_difference": 0.0125, "certified": True}
    arrays |= {name: [value] * 5 for name, value in alike.items()} | {"certified": [True, True, True, False, True]}
    meta = {"device": {"name": "Abacus"}, "repeats": 3, "preset": "tiny"}
    record = Record({name: np.array(values) for name, values in arrays.items()}, meta)
    about, _, header, _, *lines = to_markdown(record).splitlines()
    assert about == "Abacus; 3 interleaved repeats; preset tiny"
    assert header.startswith("| task | solver | iterations | full passes | seconds: median (least – most) | × plain |")
    for i, (line, solver, text) in enumerate(zip(lines, rows, texts, strict=True)):
        assert line == f"| made | {solver} | {i} | 1.23 | {text} | 1.5 | 0.013 | {'no' if solver == 'd' else 'yes'} |"


def test_what_has_not_run_is_named(results, capsys):
    assert cli.main(["bench", "--preset", "nothing_of_this_name"]) == cli.ERROR
    assert "no records there; run the preset first: snakemake nothing_of_this_name" in capsys.readouterr().err
    with pytest.raises(FFCError, match="task 'made': expected one of rnn, made_mnist, text, which have records in"):
        bench(results, ["made"])
