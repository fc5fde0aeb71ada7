"""The table: what each number is, and that it says only what the records say."""

import dataclasses

import numpy as np
import pytest
import synthetic

from ffc.core.errors import FFCError
from ffc.paper import summary, verdict

#: Of four tasks of the made-up records: certified seconds are medians, the oracle stops half-way. Beside the paper's.
TABLE = """\
task,solver,parallel iterations,certified seconds,× plain,× best sequential,oracle seconds,oracle × plain,\
max difference,residual,certified,paper: iterations,paper: seconds,paper: × plain,paper: × best sequential
rnn,Feedforward,16,1,1,1,,,0,,yes,,,,
rnn,Jacobi (2 iterations),2,2,0.5,0.5,,,0.25,,no,,,,
rnn,Jacobi (16 iterations),16,2,0.5,0.5,,,0.25,,yes,,,,
densenet,Feedforward,3,0.003,1,1,0.004,1,0,,yes,,0.02785,1,1
densenet,Jacobi,3,0.006,0.5,0.5,0.005,0.8,1e-06,,yes,,0.01307,2.131,2.131
made_mnist,Sequential,16,0.8,1,0.5,0.4,1,0,2e-07,yes,784,0.343,1,1
made_mnist,"Sequential, cached",16,0.4,2,1,0.2,2,0,2e-07,yes,,,,
made_mnist,Jacobi,4,0.1,8,4,0.05,8,0,2e-07,yes,31,0.0126,27.22,27.22
pixelcnnpp_mnist,Sequential,16,0.8,1,0.5,0.4,1,0,2e-07,yes,,12.15,1,0.6769
pixelcnnpp_mnist,"Sequential, cached",16,0.4,2,1,0.2,2,0,2e-07,yes,,8.228,1.477,1
pixelcnnpp_mnist,Jacobi,4,0.1,8,4,0.05,8,0,2e-07,yes,,1.938,6.272,4.246
pixelcnnpp_mnist,GS-Jacobi (window 2),8,0.2,4,2,0.1,4,0,2e-07,yes,,1.862,6.528,4.419
pixelcnnpp_mnist,Jacobi-GS (block 4),12,0.3,2.667,1.333,0.15,2.667,0,2e-07,yes,,5.955,2.041,1.382
"""
ESSENTIALS = """\
| rnn | Jacobi (2 iterations), not exact | 2 | 16 | 2 | 1 | 0.5× | 0.5× | – |
| densenet | Jacobi | 3 | 3 | 0.006 | 0.003 | 0.5× | 0.5× | 2.13× |
| made_mnist | Jacobi | 4 | 16 | 0.1 | 0.4 | 4× | 8× | 27.2× |
| pixelcnnpp_mnist | Jacobi | 4 | 16 | 0.1 | 0.4 | 4× | 8× | 6.53× |
"""


@pytest.fixture(scope="module")
def records():
    return {task: runs for task, runs in synthetic.everything().items() if "cifar" not in task}


def test_the_table_and_the_essentials_are_these(records):
    rows = summary.table(records)
    assert summary.to_csv(rows) == TABLE
    assert verdict.essentials_table(rows).split("\n", 2)[2] + "\n" == ESSENTIALS


def with_arrays(record, **arrays):
    arrays = {name: np.array(value, float) for name, value in arrays.items()}
    return dataclasses.replace(record, arrays=record.arrays | arrays)


def test_a_solver_of_another_system_is_compared_with_the_sequential_solver_of_that_system(records):
    runs = dict(records["pixelcnnpp_mnist"])
    for name, kind, iterations, seconds in (("cached_8bit", "cached", 16, 0.6), ("drafted", "gs_jacobi", 3, 0.04)):
        runs[name] = synthetic.sampling("pixelcnnpp_mnist", name, iterations, seconds, options={"solver": kind})
        runs[name].meta["system"] = {"quantize": "8bit"}
    rows = {row["solver"]: row for row in summary.table({"pixelcnnpp_mnist": runs})}
    ratios = {"GS-Jacobi (8-bit)": 15, "Sequential, cached (8-bit)": 1, "Jacobi": 4}  # the last as without them
    assert {name: rows[name]["over_best"] for name in ratios} == pytest.approx(ratios)
    assert rows["GS-Jacobi (8-bit)"]["over_plain"] is None  # plain sampling of 8-bit images was not run
    (essential,) = verdict.essentials(list(rows.values()))
    assert (essential["solver"], essential["best_seconds"]) == ("GS-Jacobi (8-bit)", pytest.approx(0.6))


def test_a_sample_that_is_not_certified_shows(records):
    broken = {"jacobi": with_arrays(records["made_mnist"]["jacobi"], certified=[16, 16, 3])}
    rows = summary.table({"made_mnist": records["made_mnist"] | broken})
    assert [row["certified"] for row in rows] == ["yes", "yes", "no"]
    assert "Certified: all but made_mnist by Jacobi." in "\n".join(verdict.conclusion(rows))


def test_the_conclusion_is_computed(records):
    lines = verdict.conclusion(summary.table(records))
    assert lines[3] == (
        "pixelcnnpp_mnist, Jacobi: about 4× as fast as the fastest sequential evaluation (0.667× to 24×), 8× as fast "
        "as plain. The paper: at best 6.53× as fast as plain."
    )
    assert lines[4:] == [
        "Certified: every sample of every solver. The largest difference to a sequential answer is"
        " 1e-06 (densenet, Jacobi). The RNN's truncated gradients certify nothing, as in the paper."
    ]
    made = records["made_mnist"]
    alone = {name: summary.table({"made_mnist": {name: made[name]}}) for name in ("jacobi", "cached")}
    assert {alone["jacobi"][0][key] for key in ("over_plain", "over_best", "oracle_over_plain", "spread")} == {None}
    assert [verdict.conclusion(rows)[0] for rows in alone.values()] == [
        "made_mnist, Jacobi: no sequential evaluation to compare it with. The paper: at best 27.2× as fast as plain.",
        "made_mnist: only sequential solvers were run.",
    ]


@pytest.mark.parametrize(
    ("jacobi", "cached", "about", "span"),
    [  # the fastest baseline's least seconds over the solver's most, to the reverse
        ([1, 1.25, 1, 1, 1], [2, 2, 2.1, 2, 2], "", "1.6× to 2.1×"),
        ([1, 1.5, 1, 1, 1], [2, 2, 2.1, 2, 2], "about ", "1.33× to 2.1×"),
        ([1, 1, 1, 1, 1], [2] * 4, "about ", "2× to 2×"),
        ([1], [2], "about ", "timed once"),
    ],
)
def test_a_verdict_says_the_range_of_its_ratio_and_when_it_is_rough(records, jacobi, cached, about, span):
    seconds = {"sequential": [9, 1, 9], "cached": cached, "jacobi": jacobi}
    runs = {name: with_arrays(records["made_mnist"][name], seconds=times) for name, times in seconds.items()}
    text = f"made_mnist, Jacobi: {about}2× as fast as the fastest sequential evaluation ({span}),"
    assert text in verdict.conclusion(summary.table({"made_mnist": runs}))[0]


def test_a_repeat_of_many_images_is_their_mean_and_the_range_holds_the_ratio(records):
    """The medians of three images are 1 s, and every repeat's mean is 4 s."""
    apart = [[1, 1, 10.0], [1, 10, 1], [10, 1, 1]]
    runs = {name: with_arrays(record, seconds=apart) for name, record in records["densenet"].items()}
    assert summary.table({"densenet": runs})[1]["spread"] == (1 / 4, 4, 3)


def test_a_ratio_has_three_digits_and_no_powers_of_ten():
    assert [*map(verdict.times, (393.4, 1234.5, 0.05123, None))] == ["393×", "1230×", "0.0512×", "–"]


def test_the_files_say_the_same_under_true_names(made_up, tmp_path):
    text = summary.write(made_up, tmp_path)
    assert (tmp_path / "summary.md").read_text() == text
    assert {*TABLE.splitlines()} < {*(tmp_path / "summary.csv").read_text().splitlines()}
    head, _, table = text.partition(summary.TABLE)
    assert head.startswith("- Device: Abacus, 10 rows\n- rnn: Data: pebbles 4×4\n")
    assert "- made_mnist: Data: pebbles 4×4; Weights: trained here (7 steps, 1.25 bits/dim)\n" in head
    assert {*ESSENTIALS.splitlines()} < {*head.splitlines()}
    line = "| made_cifar | Jacobi | 4 | 0.1 | 8× | 4× | 0.05 | 8× | 0 | 2e-07 | yes | 92 | 0.119 | 25.3× | 25.3× |"
    assert line in table.splitlines()
    with pytest.raises(FFCError, match="no records of any task"):
        summary.write(tmp_path / "nowhere", tmp_path)
