"""What a hostile file may cost, and how it must be refused."""

import tracemalloc

import pytest

from ffc.core.errors import FFCError

LITTLE = 2**25  # bytes of memory; the bombs claim gigabytes


def refused(path, read, expected, error=FFCError):
    """`read` refuses `path` by its name, and takes little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(error, match=expected) as caught:
            read()
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
