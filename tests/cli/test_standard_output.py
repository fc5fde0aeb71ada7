"""Standard output that is closed or full: a command does its work, and says what it can."""

import errno
import io
import os
import sys

from ffc.cli import main as cli


class Full(io.StringIO):
    """A file on a full disk, which is noticed when a buffer is emptied."""

    def __init__(self, descriptor: int):
        super().__init__()
        self.descriptor = descriptor

    def fileno(self):
        return self.descriptor

    def flush(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_closed_output_takes_nothing_and_stops_nothing():
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = None
    try:
        codes = cli.main(["models"]), cli.main(["no-such-command"])
        sys.stdout.close()
        sys.stderr.close()
    finally:
        sys.stdout, sys.stderr = before
    assert codes == (cli.DONE, cli.ERROR)


def test_full_output_is_one_line_and_nothing_is_left_to_write(tmp_path, monkeypatch, capsys):
    with open(tmp_path / "full", "w") as file:
        monkeypatch.setattr(sys, "stdout", Full(file.fileno()))
        assert cli.main(["models"]) == cli.ERROR
        assert os.fstat(file.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    error = capsys.readouterr().err
    assert error == (
        "ffc: error: what it prints could not be written (No space left on device); free some space, or send it "
        "elsewhere\n"
    )
