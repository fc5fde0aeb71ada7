"""A malformed file is an error that names it, or is read as what it is: no code of it runs, nothing hangs or grows."""

import contextlib
import os
import random
import resource
import signal
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import mutate
from .readers import READERS, Reader

SECONDS = 20  # of computing, for one small file
SMALL = 2**20  # bytes that any reader may take, for buffers and its error
#: What a reader has no business with, among the events that Python tells of.
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.symlink", "os.link", "subprocess.Popen")
FORBIDDEN += ("pickle.find_class", "socket.connect", "ctypes.dlopen")


class Hang(BaseException):
    """Raised in the middle of a reader that takes too long; no reader catches it."""


class Watch:
    """What a reader does that it must not."""

    def __init__(self):
        self.folder: Path | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if self.folder is None:
            return
        if event in FORBIDDEN or (event == "open" and self._writes_outside(*arguments)):
            self.seen.append(f"{event} {arguments}")

    def _writes_outside(self, path, mode, flags) -> bool:
        writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return bool(writing) and isinstance(path, str) and not path.startswith((str(self.folder), "/dev/null"))

    @contextlib.contextmanager
    def over(self, folder: Path) -> Iterator[None]:
        self.folder, self.seen = folder, []
        signal.signal(signal.SIGPROF, _hang)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            yield
        except Hang as hang:
            raise AssertionError(f"hangs: {hang}") from None
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.folder = None


def _hang(*_):
    raise Hang(f"more than {SECONDS} s of computing")


WATCH = Watch()


def damaged(name: str, reader: Reader, content: bytes, number: int) -> bytes:
    """Input `number` of a reader: always the same."""
    draw = random.Random(zlib.crc32(name.encode()) + number)
    mutation = draw.choice((mutate.raw, *reader.mutations))
    return mutation(draw, content)


@pytest.mark.parametrize("name", READERS)
def test_a_malformed_file_is_refused_by_name_or_read(name, tmp_path, monkeypatch, pytestconfig, record_property):
    reader = READERS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.localtime", lambda *_: time.gmtime(10**9))  # zip files tell the time
    reader.write(tmp_path)
    file = tmp_path / reader.file
    content = file.read_bytes()
    sound = _sound(name, reader, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted, worst, slowest, inputs = 0, 0.0, 0.0, pytestconfig.getoption("inputs")
    for number in range(inputs):
        case, what = damaged(name, reader, content, number), f"{name}, input {number}"
        file.write_bytes(case)
        began = time.process_time()
        with _peak() as peak:
            accepted += _read(reader, tmp_path, what)
        slowest = max(slowest, time.process_time() - began)
        allowed = sound * max(1, len(case) / len(content))
        if peak[0] > 2 * allowed:  # tables of the interpreter grow now and then, once
            with _peak() as peak:
                _read(reader, tmp_path, what)
        worst = max(worst, peak[0] / allowed)
        assert peak[0] <= 2 * allowed, f"{what}: {peak[0]:,} bytes where a sound file takes {allowed:,.0f}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # libraries in C take memory of their own
    assert grown < 2**18, f"{name}: the process grew by {grown:,} KiB"
    record_property("row", (name, inputs, accepted, inputs - accepted, f"{worst:.2f}×", f"{1000 * slowest:.0f} ms"))


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200))
def test_property_any_bytes_are_refused_by_name_or_read(name, tmp_path, content):
    reader = READERS[name]
    if not (tmp_path / reader.file).exists():
        reader.write(tmp_path)
    (tmp_path / reader.file).write_bytes(content)
    _read(reader, tmp_path, name)


def _sound(name: str, reader: Reader, folder: Path) -> int:
    """The bytes that the sound file takes. It must be read, but for pickles: theirs have checksums that are known."""
    with contextlib.suppress(reader.error):
        reader.read(folder)  # imports and compiles
    with _peak() as peak:
        try:
            reader.read(folder)
        except reader.error:
            assert name == "CIFAR-10 (pickles)"
    return max(SMALL, peak[0])


def _read(reader: Reader, folder: Path, what: str) -> bool:
    """Whether the file was accepted."""
    accepted = True
    with WATCH.over(folder):
        try:
            reader.read(folder)
        except reader.error as error:
            accepted = False
            named = str(error)
    assert accepted or Path(reader.file).name in named or str(folder) in named, f"{what}: names no file: {named}"
    assert WATCH.seen == [], f"{what}: {WATCH.seen}"
    assert not (folder / mutate.CANARY).exists(), f"{what}: ran code"
    return accepted


@contextlib.contextmanager
def _peak() -> Iterator[list[int]]:
    """The most bytes that Python and numpy took at once inside."""
    result = [0]
    tracemalloc.start()
    try:
        yield result
        result[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
