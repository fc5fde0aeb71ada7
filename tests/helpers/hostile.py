"""What a hostile file may cost, and how it must be refused."""

import os
import tracemalloc

import pytest

from ffc.core.errors import FFCError

LITTLE = 2**25  # bytes of memory; the bombs claim gigabytes
CANARY = "was-run"


class RunsCode:
    """Unpickled by a careless reader, it makes the folder `CANARY`."""

    def __reduce__(self):
        return os.mkdir, (CANARY,)


def refused(path, read, expected, error=FFCError):
    """`read` refuses `path` by its name, takes little memory, and runs nothing of it."""
    tracemalloc.start()
    try:
        with pytest.raises(error, match=expected) as caught:
            read()
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert not os.path.exists(CANARY)
