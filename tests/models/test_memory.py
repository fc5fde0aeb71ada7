"""Memory: what a run needs at the paper's size, by the compiler's own account, and what the device tells of it."""

import types

import synthetic

from ffc.core import measure
from ffc.paper import summary
from ffc.paper.experiments import job
from ffc.store.records import Record

GIB = 2**30


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
