"""A damaged file is refused by its name, or read as what it is: no code of it runs, and nothing grows or stays."""

import os
import random
import resource
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutate import raw
from readers import CONTENTS, READERS

SMALL = 2**20  # bytes that any reader may take, for buffers and its error
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
#: What a reader has no business with, among the events that Python tells of.
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.symlink", "os.link", "subprocess.Popen")
FORBIDDEN += ("pickle.find_class", "socket.connect", "ctypes.dlopen")
FOLDERS: list[str] = []  # of the reader that is at work
EVENTS: list[str] = []


def watch(event: str, arguments: tuple) -> None:
    path, _, flags = arguments if FOLDERS and event == "open" else (None, None, None)
    writes = isinstance(path, str) and isinstance(flags, int) and flags & WRITING
    if FOLDERS and (event in FORBIDDEN or (writes and not path.startswith((*FOLDERS, "/dev/null")))):
        EVENTS.append(f"{event} {arguments}")


sys.addaudithook(watch)


class Trial:
    """A reader at work in a folder of its own, on one file after the other."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder, self.reader = name, folder, READERS[name]
        self.path = folder / self.reader.file
        self.reader.write(self.path)
        self.content = self.path.read_bytes()
        self.files = self._files()
        self.value = self.reader.read(self.path)  # also imports and compiles
        self.peak = 0  # the most bytes that Python and numpy took at once in the last reading

    def _files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if not path.is_dir()}

    def read(self, content: bytes, what: object) -> Any:
        """What is in a file of this `content`; None where it was refused, as it must be."""
        self.path.write_bytes(content)
        value, message = None, self.reader.file
        FOLDERS[:], EVENTS[:] = [str(self.folder)], []
        tracemalloc.start()
        try:
            value = self.reader.read(self.path)
        except self.reader.error as error:
            message = str(error)
        finally:
            self.peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            FOLDERS.clear()
        assert self.path.name in message or str(self.folder) in message, f"{what}: names no file: {message}"
        assert EVENTS == [], what
        extracted = set() if value is None else {self.folder / "out" / name for name in CONTENTS}
        assert self._files() <= self.files | extracted, f"{what}: leaves files"
        return value


@pytest.fixture
def trial(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Trial(request.param, tmp_path)


@pytest.mark.parametrize("trial", READERS, indirect=True)
@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.stress)])
def test_a_damaged_file_is_refused_by_its_name_or_read(trial, count, pytestconfig):
    trial.read(trial.content, "sound")
    sound, before = trial.peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(pytestconfig.getoption("inputs") or count):
        draw = random.Random(zlib.crc32(trial.name.encode()) + number)
        content = draw.choice((raw, *trial.reader.damages))(draw, trial.content)
        allowed = 2 * max(SMALL, sound) * max(1, len(content) / len(trial.content))
        trial.read(content, number)
        if trial.peak > allowed:  # tables of the interpreter grow now and then, once
            trial.read(content, number)
        assert trial.peak <= allowed, f"input {number}: {trial.peak:,} bytes, of {allowed:,.0f}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # libraries in C take memory of their own
    assert grown < 2**18, f"the process grew by {grown:,} KiB"


@pytest.mark.parametrize("trial", [name for name, reader in READERS.items() if reader.sealed], indirect=True)
def test_a_sealed_file_that_is_cut_or_changed_anywhere_is_refused_or_read_as_it_was(trial):
    content = trial.content
    for at in range(0, len(content), max(1, len(content) // 150)):
        for case in (content[:at], content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]):
            if (value := trial.read(case, at)) is not None:
                np.testing.assert_equal(value, trial.value, err_msg=f"changed at {at}, and accepted")
