"""Solvers of a task in one process: the records that jobs of their own would make."""

import copy

import numpy as np
import pytest
import yaml
from tiny import TINY, copy_to, plan, snakemake

from ffc.store.records import Record


@pytest.mark.stress
def test_solvers_that_share_a_process_make_the_same_records(tmp_path):
    project = copy_to(tmp_path)
    preset = copy.deepcopy(TINY)
    preset["tasks"] = {"made_mnist": preset["tasks"]["made_mnist"]}
    preset.pop("scaling", None)
    for name, together in (("apart", False), ("joined", True)):
        file = project / "config" / "presets" / f"{name}.yaml"
        file.write_text(yaml.safe_dump(preset | {"one_process": together}))
    solvers = preset["tasks"]["made_mnist"]["solvers"]
    records = {
        name: [f"results/{name}/records/made_mnist/{solver}.npz" for solver in solvers] for name in ("apart", "joined")
    }
    assert plan(project, *records["joined"])["solve_joined_made_mnist"] == 1
    shared = plan(
        project, *records["joined"], "--config", "scatter=2"
    )  # repeats that jobs share have jobs of their own
    assert "solve_joined_made_mnist" not in shared
    run = snakemake(project, *records["apart"], *records["joined"])
    assert run.returncode == 0, run.stdout + run.stderr
    for one, other in zip(records["apart"], records["joined"], strict=True):
        apart, joined = (Record.load(project / path) for path in (one, other))
        assert apart.meta["settings"] == joined.meta["settings"]
        assert apart.arrays.keys() == joined.arrays.keys()
        for name in apart.arrays.keys() - {"seconds", "oracle_seconds"}:
            np.testing.assert_array_equal(apart[name], joined[name], err_msg=name)
