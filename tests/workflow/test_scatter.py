"""`--config scatter=N`: jobs share a solver's timed repeats, and what is gathered is the record of a single job."""

import dataclasses
import shutil

import numpy as np
import pytest
import yaml
from tiny import TINY, copy_to, plan, snakemake

from ffc.core.errors import FFCError
from ffc.paper.experiments import sampling
from ffc.store.records import Record

SEQUENTIAL = "results/tiny/records/made_mnist/sequential.npz"
REPEATED = TINY | {"repeats": 3}


@pytest.fixture(scope="module")
def whole(finished) -> Record:
    return Record.load(finished / SEQUENTIAL)


def part(whole, seconds, **meta) -> Record:
    """A record as `whole`, of a job that timed `seconds`."""
    meta = {"repeats": len(seconds), "peak_memory_bytes": None} | meta
    return Record(whole.arrays | {"seconds": np.array(seconds)}, whole.meta | meta)


def test_jobs_that_share_repeats_give_the_single_jobs_record_but_for_its_times(finished, whole, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "project")
    (folder / "config" / "presets" / "tiny.yaml").write_text(yaml.safe_dump(REPEATED, sort_keys=False))
    run = snakemake(folder, SEQUENTIAL, "--config", "scatter=2")
    assert run.returncode == 0, run.stdout
    assert "solve_part" in run.stdout
    gathered = Record.load(folder / SEQUENTIAL)
    assert gathered["seconds"].shape == (3,)
    for name in whole.arrays.keys() - set(sampling.TIMES):
        np.testing.assert_array_equal(gathered[name], whole[name])
    assert gathered.meta == whole.meta | {"repeats": 3}


def test_a_job_for_each_part_and_none_without_repeats_and_a_race_stays_whole(tmp_path):
    folder = copy_to(tmp_path)
    task = REPEATED["tasks"]["made_mnist"] | {"solvers": {"sequential": {}, "auto": {}}}
    (folder / "config" / "presets" / "tiny.yaml").write_text(yaml.safe_dump(REPEATED | {"tasks": {"made_mnist": task}}))
    records = [f"results/tiny/records/made_mnist/{solver}.npz" for solver in ("sequential", "auto")]
    common = {"data": 1, "train": 1, "weights": 1}
    assert plan(folder, *records, "--config", "scatter=5") == common | {"solve_part": 4, "gather": 2, "total": 9}
    assert plan(folder, *records) == common | {"solve": 2, "total": 5}


def test_times_are_put_together(whole):
    gathered = sampling.gather([part(whole, [4.0, 2.0], peak_memory_bytes=5), part(whole, [3.0], peak_memory_bytes=7)])
    assert gathered["seconds"].tolist() == [4.0, 2.0, 3.0]
    assert gathered["oracle_seconds"] == 3.0 / whole["iterations"].max() * whole["oracle_iterations"]
    assert gathered.meta == whole.meta | {"repeats": 3, "peak_memory_bytes": 7}


@pytest.mark.parametrize("difference", ["samples", "device"])
def test_jobs_that_differ_in_more_than_times_are_refused(whole, difference):
    one = part(whole, [1.0])
    if difference == "device":
        other = part(whole, [1.0], device={"platform": "gpu", "name": "another"})
    else:
        other = dataclasses.replace(one, arrays=one.arrays | {"samples": np.nextafter(one["samples"], np.float32(9))})
    with pytest.raises(FFCError, match=f"solver sequential: jobs that share its repeats differ in {difference}; give"):
        sampling.gather([one, other])
