"""The tiny preset when it has run: its report and its pages, what a change reruns, and the same by shared jobs."""

import re
import shutil

import forks
import numpy as np
import pytest
from tiny import TINY, add_presets, copy_to, of_preset, planned

from ffc.store.records import Record

RECORDS = {f"records/made_mnist/{solver}.npz" for solver in ("sequential", "jacobi", "wide")}
DRAWN = {"summary", "figure", "table"}
SOLVED = {"solve", "notebook"} | DRAWN
TRAINED = {"train", "weights"} | SOLVED


def test_the_report_is_whole_and_pages_hold_all_they_show_and_ask_no_network(finished):
    results = finished / "results" / "tiny"
    report, page = ((results / name).read_text() for name in ("report.html", "notebooks/summary.html"))
    assert "summary.html" in report
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", report)
    assert "<table>" in page
    assert page.count("data:image/png;base64") == 1
    assert not re.search(r"<script|<link|https?://", page)


def fresh_clone(folder, finished, *results):
    """A clone, whose files are of now, that is given what is older: `results`."""
    for name in results:
        shutil.copytree(finished / name, folder / name)
    for file in copy_to(folder).rglob("*"):
        if not {*results} & set(file.relative_to(folder).parts):
            file.touch()
    return folder


@pytest.fixture(scope="module")
def clone(finished, tmp_path_factory):
    """One that is given results and Snakemake's checksums."""
    return fresh_clone(tmp_path_factory.mktemp("clone"), finished, "results", ".snakemake")


def test_a_fresh_clone_that_is_given_results_has_nothing_to_do_even_where_other_models_differ(clone):
    with open(clone / "ffc/models/pixelcnnpp/network.py", "a") as network:
        network.write("\n")
    assert "Nothing to be done" in forks.snakemake(clone, "tiny")


@pytest.mark.parametrize(
    ("file", "change", "rerun"),
    [
        ("workflow/scripts/table.py", ("", "\n"), {"table"}),
        ("notebooks/summary.ipynb", ("", "\n"), DRAWN),
        ("config/presets/tiny.yaml", ("window: 4", "window: 2"), SOLVED),
        ("config/presets/tiny.yaml", ("steps: 60", "steps: 61"), TRAINED),
        ("ffc/paper/figures/sampling.py", ("", "\n"), SOLVED - {"solve"}),
        ("ffc/models/made/system.py", ("", "\n"), TRAINED),
        ("ffc/data/images.py", ("", "\n"), TRAINED | {"data"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_a_change_reruns_what_depends_on_it_and_nothing_else(clone, file, change, rerun):
    path, before = clone / file, (clone / file).read_text()
    old, new = change
    path.write_text(before.replace(old, new) if old else before + new)
    try:
        again = of_preset("tiny", planned(clone, "tiny"))
    finally:
        path.write_text(before)
    assert again.keys() == rerun
    records = {"records/made_mnist/wide.npz"} if "window" in old else RECORDS
    assert again.get("solve", records) == records


@pytest.mark.stress
def test_records_of_solvers_that_share_a_process_differ_in_nothing_but_their_times(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "project")
    add_presets(folder, tiny=TINY | {"one_process": True})
    paths = [f"results/tiny/{record}" for record in sorted(RECORDS)]
    forks.snakemake(folder, *paths, "--forcerun", "solve_tiny_made_mnist")
    for path in paths:
        one, other = (Record.load(place / path) for place in (finished, folder))
        assert other.meta == one.meta
        assert other.arrays.keys() == one.arrays.keys()
        for name in one.arrays.keys() - {"seconds", "oracle_seconds"}:
            np.testing.assert_array_equal(other[name], one[name], err_msg=name)


@pytest.mark.stress
def test_a_clone_that_is_given_results_alone_has_nothing_to_do(finished, tmp_path):
    assert planned(fresh_clone(tmp_path, finished, "results"), "tiny") == {}
