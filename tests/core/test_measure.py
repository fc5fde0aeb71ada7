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
