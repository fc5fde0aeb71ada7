"""Solvers that share a process make the records that jobs of their own make; a clone that is given
results takes them as they are.
"""

import shutil

import numpy as np
import pytest
from forks import snakemake
from tiny import MADE, TINY, add_presets, copy_to, planned

from ffc.store.records import Record

pytestmark = pytest.mark.stress
RECORDS = [f"results/tiny/records/made_mnist/{solver}.npz" for solver in MADE["solvers"]]


def test_records_of_solvers_that_share_a_process_differ_in_nothing_but_their_times(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "project")
    add_presets(folder, tiny=TINY | {"one_process": True})
    snakemake(folder, *RECORDS, "--forcerun", "solve_tiny_made_mnist")
    for path in RECORDS:
        one, other = (Record.load(place / path) for place in (finished, folder))
        assert other.meta == one.meta
        assert other.arrays.keys() == one.arrays.keys()
        for name in one.arrays.keys() - {"seconds", "oracle_seconds"}:
            np.testing.assert_array_equal(other[name], one[name], err_msg=name)


def test_a_clone_that_is_given_results_alone_has_nothing_to_do(finished, tmp_path):
    clone = copy_to(tmp_path)
    shutil.copytree(finished / "results", clone / "results")
    for file in clone.rglob("*"):
        if "results" not in file.relative_to(clone).parts:
            file.touch()  # a clone's files are of now
    assert planned(clone, "tiny") == {}
