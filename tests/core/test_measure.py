"""Times: warm, and taken when the result is there; and the memory that the device tells of."""

import threading
import time
import types

import pytest
import synthetic

from ffc.core import measure
from ffc.paper import summary
from ffc.paper.experiments import job


def test_seconds_are_warm_and_waited_for():
    calls, waited = [], []
    promise = types.SimpleNamespace(block_until_ready=lambda: waited.append(len(calls)))
    assert measure.seconds(lambda: calls.append(None) or promise, repeats=3).shape == (3,)
    assert waited == [1, 2, 3, 4]  # once for compilation


def test_results_of_calls_side_by_side_are_in_their_order_and_a_single_call_stays_in_its_thread():
    assert measure.side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
    assert measure.side_by_side([threading.get_ident]) == [threading.get_ident()]


def test_after_an_error_nothing_new_is_begun():
    begun = []

    def call(number):
        begun.append(number)
        if number == 3:
            raise KeyboardInterrupt
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        measure.side_by_side([lambda number=number: call(number) for number in range(4000)])
    assert len(begun) < 4000


def test_a_record_and_the_table_hold_the_devices_peak_or_say_that_it_is_unknown(monkeypatch):
    for stats, expected in (({"peak_bytes_in_use": 7, "bytes_in_use": 3}, 7), ({}, None), (None, None)):
        device = types.SimpleNamespace(memory_stats=lambda stats=stats: stats)
        monkeypatch.setattr(measure.jax, "devices", lambda device=device: [device])
        assert measure.peak_memory() == expected
    monkeypatch.undo()
    monkeypatch.setattr(job, "peak_memory", lambda: 3 * 2**29)
    records, untold = synthetic.everything(), summary.table(synthetic.everything())
    about = job.Job("rnn", {"solvers": {"feedforward": {}}}, "feedforward", 0, 1).record({}).meta
    records["made_cifar"]["jacobi"].meta["peak_memory_bytes"] = about["peak_memory_bytes"]
    rows = summary.table(records)
    assert [row["peak_memory"] for row in rows if row["peak_memory"]] == [1.5]
    assert "| peak memory (GiB) |" in summary.to_markdown(rows, [])
    assert "peak" not in summary.to_csv(untold)
