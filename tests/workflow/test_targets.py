"""What a command asks for: a faulty preset stops its own runs alone, and a mistyped name is told its neighbour."""

import pytest
import targets

KNOWN = ["all", "quick", "reference", "solve_quick_rnn"]


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("snakemake quick --cores 2", ["quick"]),
        ("/env/bin/snakemake --cores 2 -n results/mine/report.html quick", ["results/mine/report.html", "quick"]),
        ("snakemake --config preset=mine", []),
        ("/env/lib/snakemake/__main__.py quick", ["quick"]),
        ("/env/bin/pytest quick", []),
    ],
)
def test_targets_are_told_from_options(command, asked):
    assert targets.of_command(command.split()) == asked


def test_a_preset_is_asked_for_by_name_and_by_file():
    assert targets.asks_for("mine", ["mine"])
    assert targets.asks_for("mine", ["results/mine/report.html"])
    assert not targets.asks_for("mine", ["mine2", "results/mine2/report.html", "mine.txt"])


def test_a_mistyped_name_is_told_its_neighbour():
    expected = "quik: no target has this name (did you mean quick?); targets are all, quick, reference, and the paths"
    assert targets.problem_of(["all", "quik"], KNOWN).startswith(expected)
    assert targets.problem_of(["all", "results/none.json", "Snakefile.html"], KNOWN) is None
