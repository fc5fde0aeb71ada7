"""The table: what each number is, and that it says only what the records say."""

import csv
import dataclasses
import io

import numpy as np
import pytest
import synthetic

from ffc.core.errors import FFCError
from ffc.paper import summary, verdict


@pytest.fixture(scope="module")
def records():
    return synthetic.everything()


@pytest.fixture(scope="module")
def rows(records):
    return {(row["task"], row["solver"]): row for row in summary.table(records)}


def test_a_row_for_each_task_and_solver_baselines_first(records):
    found = [(row["task"], row["solver"]) for row in summary.table(records)]
    assert len(found) == len(set(found)) == 3 + 2 + 2 * 3 + 2 * 5
    assert [solver for task, solver in found if task == "pixelcnnpp_mnist"] == [
        "Sequential",
        "Sequential, cached",
        "Jacobi",
        "GS-Jacobi (window 2)",
        "Jacobi-GS (block 4)",
    ]
    assert all(row.keys() == summary.COLUMNS.keys() | {"experiment"} for row in summary.table(records))


def test_speed_ups_are_over_plain_and_over_the_best_sequential_solver(rows):
    jacobi = rows["pixelcnnpp_mnist", "Jacobi"]
    assert jacobi["certified_seconds"] == pytest.approx(0.1)  # the median of 0.1, 0.3, 0.05
    assert jacobi["over_plain"] == pytest.approx(8)
    assert jacobi["over_best"] == pytest.approx(4)
    assert jacobi["oracle_seconds"] == pytest.approx(0.05)
    assert jacobi["oracle_over_plain"] == pytest.approx(8)
    assert rows["pixelcnnpp_mnist", "Sequential"]["over_best"] == pytest.approx(0.5)


def test_a_solver_of_another_system_is_compared_with_the_sequential_solver_of_that_system(records):
    rounded = {"system": {"quantize": "8bit"}}
    runs = {
        "cached_8bit": synthetic.sampling("pixelcnnpp_mnist", "cached_8bit", 16, 0.6, options={"solver": "cached"}),
        "drafted": synthetic.sampling("pixelcnnpp_mnist", "drafted", 3, 0.04, options={"solver": "gs_jacobi"}),
    }
    runs = {name: dataclasses.replace(record, meta=record.meta | rounded) for name, record in runs.items()}
    both = {"pixelcnnpp_mnist": records["pixelcnnpp_mnist"] | runs}
    rows = {row["solver"]: row for row in summary.table(both)}
    drafted = rows["GS-Jacobi (8-bit)"]
    assert drafted["over_best"] == pytest.approx(15)
    assert drafted["over_plain"] is None  # plain sampling of 8-bit images was not run
    assert rows["Sequential, cached (8-bit)"]["over_best"] == pytest.approx(1)
    assert rows["Jacobi"]["over_best"] == pytest.approx(4)  # as without them
    (essential,) = verdict.essentials(list(rows.values()))
    assert (essential["solver"], essential["best_seconds"]) == ("GS-Jacobi (8-bit)", pytest.approx(0.6))


def test_iterations_count_evaluations_that_follow_one_another(rows):
    assert rows["pixelcnnpp_mnist", "Jacobi-GS (block 4)"]["iterations"] == 3 * 4
    assert rows["made_mnist", "Sequential"]["iterations"] == synthetic.SIZE
    assert rows["rnn", "Jacobi (2 iterations)"]["iterations"] == 2
    assert rows["densenet", "Feedforward"]["iterations"] == 3


@pytest.mark.parametrize(
    ("task", "solver", "over_plain", "over_best"),
    [  # the ratios that the paper's text gives
        ("made_mnist", "Jacobi", 27, 27),
        ("made_cifar", "Jacobi", 25, 25),
        ("pixelcnnpp_mnist", "GS-Jacobi (window 2)", 6.5, 4.4),
        ("pixelcnnpp_cifar10", "Jacobi-GS (block 4)", 2.1, 1.2),
        ("densenet", "Jacobi", 2.1, 2.1),
    ],
)
def test_the_papers_ratios_stand_beside(rows, task, solver, over_plain, over_best):
    row = rows[task, solver]
    assert row["paper_over_plain"] == pytest.approx(over_plain, rel=0.02)
    assert row["paper_over_best"] == pytest.approx(over_best, rel=0.02)


def test_truncated_backpropagation_certifies_nothing(rows):
    assert rows["rnn", "Jacobi (2 iterations)"]["certified"] == "no"
    assert rows["rnn", "Jacobi (2 iterations)"]["max_difference"] == 0.25
    assert rows["rnn", "Jacobi (16 iterations)"]["certified"] == "yes"  # as many as there are time steps
    assert rows["rnn", "Feedforward"]["over_plain"] == 1


def test_densenets_estimate_is_the_oracle_clock_and_its_measurement_the_certified_one(rows):
    jacobi, feedforward = rows["densenet", "Jacobi"], rows["densenet", "Feedforward"]
    assert (jacobi["certified_seconds"], feedforward["certified_seconds"]) == pytest.approx((6e-3, 3e-3))
    assert (jacobi["oracle_seconds"], feedforward["oracle_seconds"]) == pytest.approx((5e-3, 4e-3))
    assert jacobi["oracle_over_plain"] == pytest.approx(0.8)


def test_a_sample_that_is_not_certified_shows(records):
    broken = records["made_mnist"]["jacobi"]
    broken = dataclasses.replace(broken, arrays=broken.arrays | {"certified": np.array([16, 16, 3])})
    rows = summary.table({"made_mnist": records["made_mnist"] | {"jacobi": broken}})
    assert [row["certified"] for row in rows] == ["yes", "yes", "no"]
    assert "Certified: all but made_mnist by Jacobi." in "\n".join(verdict.conclusion(rows))


def test_the_conclusion_is_computed(records):
    lines = verdict.conclusion(summary.table(records))
    assert (
        "pixelcnnpp_mnist, Jacobi: 4× as fast as the fastest sequential evaluation, 8× as fast as plain. "
        "The paper: at best 6.53× as fast as plain."
    ) in lines
    assert lines[-1] == (
        "Certified: every sample of every solver. The largest difference to a sequential answer is"
        " 1e-06 (densenet, Jacobi). The RNN's truncated gradients certify nothing, as in the paper."
    )


def test_the_essentials_have_a_row_for_each_task_against_its_best_sequential_solver(records):
    rows = {row["task"]: row for row in verdict.essentials(summary.table(records))}
    assert list(rows) == list(records)
    row = rows["pixelcnnpp_mnist"]
    assert (row["solver"], row["blocks"], row["best_seconds"]) == ("Jacobi", 16, pytest.approx(0.4))
    assert rows["rnn"]["solver"].endswith("not exact")


@pytest.mark.parametrize(("ratio", "text"), [(393.4, "393×"), (1234.5, "1230×"), (0.05123, "0.0512×"), (None, "–")])
def test_a_ratio_has_three_digits_and_no_powers_of_ten(ratio, text):
    assert verdict.times(ratio) == text


def test_a_task_without_a_baseline_has_no_speed_up(records):
    (row,) = summary.table({"made_mnist": {"jacobi": records["made_mnist"]["jacobi"]}})
    assert row["over_plain"] is row["over_best"] is row["oracle_over_plain"] is None
    assert verdict.conclusion([row])[0] == (
        "made_mnist, Jacobi: no sequential evaluation to compare it with. The paper: at best 27.2× as fast as plain."
    )
    assert "–" in summary.to_markdown([row], [])


def test_the_files_say_the_same_under_true_names(records, tmp_path):
    synthetic.write(tmp_path / "records")
    markdown = summary.write(tmp_path / "records", tmp_path)
    assert (tmp_path / "summary.md").read_text() == markdown
    assert markdown.startswith("- Device: Abacus, 10 rows\n")
    assert "- made_mnist: Data: pebbles 4×4; Weights: trained here (7 steps, 1.25 bits/dim)\n" in markdown
    written = list(csv.DictReader(io.StringIO((tmp_path / "summary.csv").read_text())))
    assert len(written) == markdown.partition(summary.TABLE)[2].count("\n| ") - 1  # and a line of titles
    essentials = verdict.essentials_table(summary.table(summary.load(tmp_path / "records")))
    assert markdown.partition(summary.TABLE)[0].endswith(f"\n{essentials}\n\n")
    assert {row["certified"] for row in written} == {"yes", "no"}
    (jacobi,) = (row for row in written if (row["task"], row["solver"]) == ("made_cifar", "Jacobi"))
    assert (jacobi["certified seconds"], jacobi["paper: seconds"]) == ("0.1", "0.1194")
    line = "| made_cifar | Jacobi | 4 | 0.1 | 8× | 4× | 0.05 | 8× | 0 | 2e-07 | yes | 92 | 0.119 | 25.3× | 25.3× |"
    assert line in markdown


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(FFCError, match="no records of any task"):
        summary.write(tmp_path, tmp_path)
