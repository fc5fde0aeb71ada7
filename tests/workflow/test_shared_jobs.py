"""Jobs that share a solver's repeats, and solvers that share a process, make the records that jobs of their own make;
a clone without Snakemake's checksums can be told that its results are those of its files.
"""

import shutil

import numpy as np
import pytest
from forks import snakemake
from tiny import MADE, TINY, add_presets, copy_to, planned

from ffc.paper.experiments import sampling
from ffc.store.records import Record

pytestmark = pytest.mark.stress
RECORDS = [f"results/tiny/records/made_mnist/{solver}.npz" for solver in MADE["solvers"]]


@pytest.mark.parametrize(
    ("preset", "asked", "job"),
    [
        ({"repeats": 3}, [RECORDS[0], "--config", "scatter=2"], "sequential, 1 of 2"),
        ({"one_process": True}, [*RECORDS, "--forcerun", "solve_tiny_made_mnist"], "by sequential, jacobi, wide"),
    ],
    ids=["scattered", "joined"],
)
def test_records_differ_in_nothing_but_their_times(finished, tmp_path, preset, asked, job):
    folder = shutil.copytree(finished, tmp_path / "project")
    add_presets(folder, tiny=TINY | preset)
    assert job in snakemake(folder, *asked)
    repeats = preset.get("repeats", 1)
    for path in RECORDS if "one_process" in preset else RECORDS[:1]:
        one, other = (Record.load(place / path) for place in (finished, folder))
        assert other["seconds"].shape == (repeats,)
        assert other.meta == one.meta | {"repeats": repeats}
        assert other.arrays.keys() == one.arrays.keys()
        for name in one.arrays.keys() - set(sampling.TIMES):
            np.testing.assert_array_equal(other[name], one[name], err_msg=name)


def test_a_clone_that_is_given_results_alone_has_nothing_to_do_once_it_is_told(finished, tmp_path):
    clone = copy_to(tmp_path)
    shutil.copytree(finished / "results", clone / "results")
    for file in clone.rglob("*"):
        if "results" not in file.relative_to(clone).parts:
            file.touch()  # a clone's files are of now
    snakemake(clone, "tiny", "--touch")
    assert planned(clone, "tiny") == {}
