"""Times: warm, and taken when the result is there."""

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
    assert len(calls) == 4  # once for compilation
    assert waited == [1, 2, 3, 4]


def test_calls_beside_the_first_are_over_before_a_second_is_timed():
    done = []
    result, _ = measure.timed_repeats(lambda: done.append("timed") or len(done), 2, [lambda: done.append("beside")])
    assert result in (1, 2)
    assert sorted(done[:2]) == ["beside", "timed"]
    assert done[2:] == ["timed", "timed"]


def test_results_of_calls_side_by_side_are_in_their_order():
    assert measure.side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
