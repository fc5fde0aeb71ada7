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
from ffc.paper.experiments.job import Job
from ffc.paper.experiments.sampling import SHOWN
from ffc.store.records import Record

GIB = 2**30


@pytest.fixture(scope="module")
def made_cifar():
    """The paper's largest system, MADE on CIFAR-10 at batch 100, without its numbers."""
    model = MADE((32, 32, 3), hidden=(512, 512), trunc_lambda=0.05)
    system = model.system(model.init(jax.random.key(0)), np.zeros((100, model.size), np.float32))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), system)


@pytest.mark.parametrize("solver", [Jacobi(), Sequential(), Sequential(cached=True)], ids=repr)
def test_error_curves_of_3072_iterations_need_no_3072_iterates(made_cifar, solver):
    state = jax.ShapeDtypeStruct((100, made_cifar.size), jnp.float32)
    length = made_cifar.size
    snapshots = (*SHOWN, length)

    @jax.jit
    def traced(system, reference):
        solution = solve(system, solver, trace=Trace(reference, length, snapshots))
        return solution.value, solution.history

    account = traced.lower(made_cifar, state).compile().memory_analysis()
    needed = account.argument_size_in_bytes + account.output_size_in_bytes + account.temp_size_in_bytes
    one_state = state.size * 4
    assert needed < 2 * GIB < length * one_state
    assert needed > len(snapshots) * one_state, "the snapshots at least are in the account"


def test_a_record_holds_the_devices_peak_or_says_that_it_is_unknown(monkeypatch):
    def record():
        return Job("rnn", {"solvers": {"feedforward": {}}}, "feedforward", 0, 1).record({})

    assert record().meta["peak_memory_bytes"] == measure.peak_memory()
    for told, expected in (({"peak_bytes_in_use": 7, "bytes_in_use": 3}, 7), ({}, None), (None, None)):
        device = types.SimpleNamespace(memory_stats=lambda told=told: told)
        monkeypatch.setattr(measure.jax, "devices", lambda device=device: [device])
        assert measure.peak_memory() == expected


def test_the_table_shows_peaks_where_there_are_any():
    records = synthetic.everything()
    rows = summary.table(records)
    assert "peak" not in summary.to_csv(rows)
    jacobi = records["made_cifar"]["jacobi"]
    records["made_cifar"]["jacobi"] = Record(jacobi.arrays, jacobi.meta | {"peak_memory_bytes": 3 * GIB // 2})
    rows = summary.table(records)
    assert "| peak memory (GiB) |" in summary.to_markdown(rows, [])
    assert [row["peak_memory"] for row in rows if row["peak_memory"]] == [1.5]
