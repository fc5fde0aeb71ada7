"""Times: warm, and taken when the result is there."""

import threading
import time

import pytest

from ffc.core import measure


def test_seconds_are_warm_and_waited_for():
    calls, waited = [], []

    class Promise:
        def block_until_ready(self):
            waited.append(len(calls))
            return self

    def function():
        calls.append(None)
        return Promise()

    assert measure.seconds(function, repeats=3).shape == (3,)
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
