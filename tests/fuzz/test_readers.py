"""A damaged file is an error that names it, or is read as what it is: no code of it runs, nothing hangs or grows."""

import contextlib
import os
import random
import resource
import signal
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from readers import CONTENTS, READERS

FEW = 20  # damaged files of each reader in the short run
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
        self.events: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if self.folder and (event in FORBIDDEN or (event == "open" and self._writes_outside(*arguments))):
            self.events.append(f"{event} {arguments}")

    def _writes_outside(self, path, mode, flags) -> bool:
        writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return bool(writing) and isinstance(path, str) and not path.startswith((str(self.folder), "/dev/null"))

    @contextlib.contextmanager
    def over(self, folder: Path) -> Iterator[None]:
        def hang(*_):
            raise Hang

        self.folder, self.events = folder, []
        signal.signal(signal.SIGPROF, hang)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            yield
        except Hang:
            raise AssertionError(f"more than {SECONDS} s of computing") from None
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.folder = None


WATCH = Watch()


class Trial:
    """A reader at work in a folder of its own, on one file after the other."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder, self.reader = name, folder, READERS[name]
        self.path = folder / self.reader.file
        self.path.parent.mkdir(exist_ok=True)
        self.reader.write(self.path)
        self.content = self.path.read_bytes()
        self.value = self.reader.read(self.path)  # also imports and compiles
        self.files = self._files() | {folder / "out" / name for name in CONTENTS}

    def _files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if not path.is_dir()}

    def read(self, content: bytes, what: object) -> Any:
        """What is in a file of this `content`; None where it was refused, as it must be."""
        self.path.write_bytes(content)
        value, message = None, self.reader.file
        with WATCH.over(self.folder):
            try:
                value = self.reader.read(self.path)
            except self.reader.error as error:
                message = str(error)
        assert self.path.name in message or str(self.folder) in message, f"{what}: names no file: {message}"
        assert WATCH.events == [], f"{what}: {WATCH.events}"
        assert self._files() <= self.files, f"{what}: leaves {self._files() - self.files}"
        return value

    def peak(self, content: bytes, what: object) -> tuple[bool, int]:
        """Whether it was accepted, and the most bytes that Python and numpy took at once."""
        tracemalloc.start()
        try:
            return self.read(content, what) is not None, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.fixture
def trial(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Trial(request.param, tmp_path)


def inputs_of(trial: Trial, count: int) -> tuple[int, float]:
    """How many of `count` damaged files were accepted, and the most memory, of what a sound one of that size takes."""
    sound, accepted, worst = max(SMALL, trial.peak(trial.content, "sound")[1]), 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        draw = random.Random(zlib.crc32(trial.name.encode()) + number)
        content, what = draw.choice(trial.reader.damages)(draw, trial.content), f"{trial.name}, input {number}"
        allowed = 2 * sound * max(1, len(content) / len(trial.content))
        accepts, peak = trial.peak(content, what)
        if peak > allowed:  # tables of the interpreter grow now and then, once
            _, peak = trial.peak(content, what)
        assert peak <= allowed, f"{what}: {peak:,} bytes, of {allowed:,.0f}"
        accepted, worst = accepted + accepts, max(worst, 2 * peak / allowed)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # libraries in C take memory of their own
    assert grown < 2**18, f"{trial.name}: the process grew by {grown:,} KiB"
    return accepted, worst


@pytest.mark.parametrize("trial", READERS, indirect=True)
def test_a_damaged_file_is_refused_by_name_or_read(trial):
    inputs_of(trial, FEW)


@pytest.mark.stress
@pytest.mark.parametrize("trial", READERS, indirect=True)
def test_many_damaged_files_are_refused_by_name_or_read(trial, pytestconfig, record_property):
    count = pytestconfig.getoption("inputs")
    accepted, worst = inputs_of(trial, count)
    record_property("row", (trial.name, count, accepted, count - accepted, f"{worst:.2f}×"))


def equal(tree: Any, other: Any) -> bool:
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=False)
    return jax.tree.structure(tree) == jax.tree.structure(other) and all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("trial", [name for name, reader in READERS.items() if reader.sealed], indirect=True)
def test_a_sealed_file_that_is_cut_or_changed_anywhere_is_refused_or_read_as_it_was(trial):
    content = trial.content
    for at in range(0, len(content), max(1, len(content) // 150)):
        for case in (content[:at], content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]):
            value = trial.read(case, at)
            assert value is None or equal(value, trial.value), f"{trial.name}: changed at {at}, and accepted"
            extracted = (path for path in (trial.folder / "out").rglob("*") if path.is_file())
            assert {path.read_bytes() for path in extracted} <= set(CONTENTS.values()), at
