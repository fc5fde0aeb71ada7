"""The tiny preset when it has run: its report and its pages, what a change reruns, and what scattered jobs give."""

import re
import shutil

import forks
import numpy as np
import pytest
from tiny import copy_to, of_preset, planned

from ffc.core.errors import FFCError
from ffc.paper.experiments import sampling
from ffc.store.records import Record

RECORDS = {f"records/made_mnist/{solver}.npz" for solver in ("sequential", "jacobi", "wide")}
DRAWN = {"summary", "table", "report"}
SOLVED = {"solve", "notebook_tiny_made"} | DRAWN
TRAINED = {"train", "weights"} | SOLVED


def test_the_report_is_whole_and_pages_hold_all_they_show_and_ask_no_network(finished):
    results = finished / "results" / "tiny"
    report, page = ((results / name).read_text() for name in ("report.html", "notebooks/summary.html"))
    assert "summary.html" in report
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", report)
    assert "<table>" in page
    assert page.count("data:image/png;base64") == 1
    assert not re.search(r"<script|<link|https?://", page)


@pytest.fixture(scope="module")
def clone(finished, tmp_path_factory):
    """A fresh clone that is given results and Snakemake's checksums."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("results", ".snakemake"):
        shutil.copytree(finished / name, folder / name)
    return copy_to(folder)


def test_a_fresh_clone_that_is_given_results_has_nothing_to_do_even_where_other_models_differ(clone):
    with open(clone / "ffc/models/pixelcnnpp/network.py", "a") as network:
        network.write("\n")
    for file in clone.rglob("*"):
        if not {"results", ".snakemake"} & set(file.relative_to(clone).parts):
            file.touch()
    assert "Nothing to be done" in forks.snakemake(clone, "tiny")


@pytest.mark.parametrize(
    ("file", "change", "rerun"),
    [
        ("workflow/scripts/table.py", ("", "\n"), {"table", "report"}),
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


@pytest.fixture(scope="module")
def whole(finished) -> Record:
    return Record.load(finished / "results/tiny/records/made_mnist/sequential.npz")


def part(whole, seconds, arrays=None, **meta) -> Record:
    """A record as `whole`, of a job that timed `seconds`."""
    meta = {"repeats": len(seconds), "peak_memory_bytes": None} | meta
    return Record(whole.arrays | {"seconds": np.array(seconds)} | (arrays or {}), whole.meta | meta)


def test_times_of_jobs_that_share_repeats_are_put_together(whole):
    gathered = sampling.gather([part(whole, [4.0, 2.0], peak_memory_bytes=5), part(whole, [3.0], peak_memory_bytes=7)])
    assert gathered["seconds"].tolist() == [4.0, 2.0, 3.0]
    assert gathered["oracle_seconds"] == 3.0 / whole["iterations"].max() * whole["oracle_iterations"]
    assert gathered.meta == whole.meta | {"repeats": 3, "peak_memory_bytes": 7}


def test_jobs_that_differ_in_more_than_times_are_refused(whole):
    other = np.nextafter(whole["samples"], np.float32(9))
    for name, one in {
        "samples": part(whole, [1.0], {"samples": other}),
        "device": part(whole, [1.0], device={"platform": "gpu", "name": "another"}),
    }.items():
        with pytest.raises(FFCError, match=f"solver sequential: jobs that share its repeats differ in {name}; give"):
            sampling.gather([part(whole, [1.0]), one])
