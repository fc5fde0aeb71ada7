"""Memory: what a run needs at the paper's size, by the compiler's own account, and what the device tells of it."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import synthetic

from ffc.core import measure
from ffc.core.history import Trace
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi, Sequential
from ffc.models.made import MADE
from ffc.paper import summary
from ffc.paper.experiments import job
from ffc.paper.experiments.sampling import SHOWN
from ffc.store.records import Record

GIB = 2**30


@pytest.mark.parametrize(
    "solver", [Jacobi(), pytest.param(Sequential(cached=True), marks=pytest.mark.stress)], ids=repr
)
def test_error_curves_of_3072_iterations_need_no_3072_iterates(solver):
    """Of the paper's largest system, MADE on CIFAR-10 at batch 100: the snapshots at least are in the account."""
    model = MADE((32, 32, 3), hidden=(512, 512), trunc_lambda=0.05)
    noise = np.broadcast_to(np.float32(0), (100, model.size))
    system = model.system(jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), model.shapes()), noise)
    state, length = jax.ShapeDtypeStruct((100, model.size), jnp.float32), model.size
    snapshots, one_state = (*SHOWN, length), state.size * 4
    traced = jax.jit(lambda system, answer: solve(system, solver, trace=Trace(answer, length, snapshots)).history)
    account = traced.lower(jax.eval_shape(lambda: system), state).compile().memory_analysis()
    needed = account.argument_size_in_bytes + account.output_size_in_bytes + account.temp_size_in_bytes
    assert len(snapshots) * one_state < needed < 2 * GIB < length * one_state


def test_a_record_holds_the_devices_peak_or_says_that_it_is_unknown(monkeypatch):
    for stats, expected in (({"peak_bytes_in_use": 7, "bytes_in_use": 3}, 7), ({}, None), (None, None)):
        device = types.SimpleNamespace(memory_stats=lambda stats=stats: stats)
        monkeypatch.setattr(measure.jax, "devices", lambda device=device: [device])
        assert measure.peak_memory() == expected
    monkeypatch.undo()
    monkeypatch.setattr(job, "peak_memory", lambda: 7)
    record = job.Job("rnn", {"solvers": {"feedforward": {}}}, "feedforward", 0, 1).record({})
    assert record.meta["peak_memory_bytes"] == 7


def test_the_table_shows_peaks_where_there_are_any():
    records = synthetic.everything()
    rows = summary.table(records)
    assert "peak" not in summary.to_csv(rows)
    jacobi = records["made_cifar"]["jacobi"]
    records["made_cifar"]["jacobi"] = Record(jacobi.arrays, jacobi.meta | {"peak_memory_bytes": 3 * GIB // 2})
    rows = summary.table(records)
    assert "| peak memory (GiB) |" in summary.to_markdown(rows, [])
    assert [row["peak_memory"] for row in rows if row["peak_memory"]] == [1.5]
