"""What is printed reaches any terminal, and says what device is missing."""

import io
import os
import subprocess
import sys

import pytest
from places import GOLDEN
from test_cli import run

from ffc.cli import main as cli


def answer(*words, **environment) -> subprocess.CompletedProcess:
    """The program itself, in an environment of a user's."""
    command = [sys.executable, "-m", "ffc.cli", *map(str, words)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True)


@pytest.mark.parametrize(
    "environment", [{"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_a_terminal_that_knows_few_letters_is_answered_in_plain_ones(environment):
    said = answer("sample", "--help", **environment)
    assert said.returncode == 0, said.stderr
    assert b"--trunc-lambda lambda" in said.stdout


def test_a_table_and_a_message_can_be_printed_in_ascii(made, capsys, monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True))
    assert run("compare", made, "--batch", 1) == cli.DONE
    assert run("inspect", "nö\udcff.flax") == cli.ERROR
    table, message = (stream.buffer.getvalue() for stream in (sys.stdout, sys.stderr))
    assert b"x sequential" in table
    assert message.startswith(rb"ffc: error: n\xf6" + b"\xff.flax: cannot be read")


def test_a_device_that_is_not_there_is_named():
    said = answer("compare", GOLDEN / "made_gray28.pth", "--batch", 1, JAX_PLATFORMS="cuda")
    assert said.returncode == cli.ERROR
    assert said.stderr.startswith(b"ffc: error: JAX_PLATFORMS=cuda: JAX finds no such device here")
    assert said.stderr.count(b"\n") == 1
