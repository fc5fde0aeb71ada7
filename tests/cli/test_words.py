"""What the words of a command stand for, how a shell completes them, and how any terminal is answered."""

import io
import os
import re
import subprocess
import sys

import pytest
from commands import BATCH, run
from places import ROOT

from ffc import box
from ffc.cli import given, options, train
from ffc.cli.codes import DONE, ERROR
from ffc.cli.main import _parser
from ffc.cli.terminal import readable
from ffc.training import TrainSettings

NAME = "made-mnist"
MEASURED = {"solver": "gs_jacobi", "quantize": "8bit", "window": 2, "guess": "row_above", "draft": True}
WHOLE, NOTHING, BITS = (2, "row_above", True), (None, "zeros", False), {"quantize": "8bit"}


@pytest.fixture
def measured(monkeypatch) -> dict:
    """What the box says of how any of its models was the fastest; a test may change it."""
    about = box.about(NAME) | {"sampling": dict(MEASURED)}
    monkeypatch.setattr(box, "about", lambda name: about)
    return about["sampling"]


@pytest.mark.parametrize(
    ("words", "solver", "how", "system"),
    [
        ("sample NAME", "gs_jacobi", WHOLE, BITS),
        ("sample NAME --quantize 8bit", "gs_jacobi", WHOLE, BITS),
        ("sample NAME --solver gs_jacobi", "gs_jacobi", (2, "row_above", False), BITS),
        ("sample NAME --solver gs_jacobi --window 3 --guess mean", "gs_jacobi", (3, "mean", False), BITS),
        ("sample NAME --solver jacobi", "jacobi", NOTHING, BITS),
        ("sample NAME --quantize none", "auto", NOTHING, {"quantize": "none"}),
        ("sample NAME --coupling inverse_cdf", "auto", NOTHING, BITS | {"coupling": "inverse_cdf"}),
        ("sample NAME --solver gs_jacobi --quantize none", "gs_jacobi", NOTHING, {"quantize": "none"}),
        ("sample made.flax", "auto", NOTHING, {}),
        ("compare NAME", None, WHOLE, BITS),
        ("compare NAME --quantize none", None, NOTHING, {"quantize": "none"}),
    ],
)
def test_what_was_measured_holds_for_its_system_and_fills_in_what_was_not_said(measured, words, solver, how, system):
    arguments = _parser().parse_args(words.split())
    given.settle(arguments)
    assert getattr(arguments, "solver", None) == solver
    assert (arguments.window, arguments.guess, arguments.draft) == how
    assert options.system_options(arguments) == system


def test_a_model_that_is_fastest_one_block_after_the_other_needs_a_solver_to_be_animated(measured, complaint, tmp_path):
    measured["solver"] = "cached"
    line = complaint("sample", NAME, "--animate", tmp_path / "a.gif")
    assert "a sequential one, which cached is; name another" in line


@pytest.mark.parametrize(
    "command", re.findall(r"^ffc (.+)$", (ROOT / "docs" / "sampling.md").read_text(), re.MULTILINE)
)
def test_every_command_line_of_the_page_is_understood(command):
    assert _parser().parse_args(command.split()).run is not None


def test_options_of_training_are_its_settings_and_unsaid_ones_keep_their_defaults():
    assert set(train.SETTINGS) == set(TrainSettings.__dataclass_fields__)
    few = train.settings(_parser().parse_args(["train", "made", "digits", "--out", "a.flax", "--clip", "2"]))
    assert few == {"steps": train.STEPS, "clip": 2.0}


def test_a_shell_completes_commands_options_and_files(made, ffc):
    """As bash does when Tab is pressed: it calls the script's function with the words, and reads COMPREPLY."""
    offers = {"sam": {"sample"}, "sample --solver ja": {"jacobi", "jacobi_gs"}, "inspect made.f": {"made.flax"}}
    offers["compare --no"] = {"--noise", "--no-verify"}
    script = ffc("completion", "bash").out
    function = re.search(r"^complete .*-F (\w+) ffc$", script, re.MULTILINE).group(1)
    for words in (["ffc", *typed.split()] for typed in offers):
        script += f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
        script += f'{function} ffc {words[-1]}\necho "${{COMPREPLY[@]}}"\n'
    answer = subprocess.run(["bash", "-c", script], cwd=made.parent, capture_output=True, text=True)
    assert [set(line.split()) for line in answer.stdout.splitlines()] == list(offers.values()), answer.stderr


def test_models_lists_the_box_and_inspect_tells_all(ffc):
    lines = ffc("models").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *box.names()]
    row = next(line for line in lines if line.startswith(NAME))
    loss = box.about(NAME)["metrics"]["test_loss"]
    for fact in ("made", "MNIST 28×28", "28×28×1", f"{loss:.3f} bits/dim", f"{box.weights(NAME).stat().st_size:,}"):
        assert fact in row
    assert box.about(NAME)["command"] in ffc("inspect", NAME).out


def program(*words, **environment) -> subprocess.CompletedProcess:
    """The program itself, in an environment of a user's."""
    command = [sys.executable, "-m", "ffc.cli", *map(str, words)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True)


def test_the_program_itself_answers_a_terminal_that_knows_few_letters_in_plain_ones():
    told = program("sample", "--help", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")
    assert told.returncode == 0, told.stderr
    assert b"--trunc-lambda lambda" in told.stdout


@pytest.mark.parametrize(("encoding", "o", "times"), [("ascii", rb"\xf6", b"x"), ("latin-1", b"\xf6", b"\xd7")])
def test_a_table_and_a_message_can_be_printed_in_every_encoding(made, monkeypatch, encoding, o, times):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding, write_through=True))
    assert (run("compare", made, "--batch", BATCH), run("inspect", "nö\udcff.flax")) == (DONE, ERROR)
    table, message = (stream.buffer.getvalue() for stream in (sys.stdout, sys.stderr))
    assert times + b" sequential" in table
    assert b"-" in table.splitlines()[2].split()
    assert message.startswith(b"ffc: error: n" + o + b"\xff.flax: cannot be read")


def test_a_device_that_is_not_there_is_named(made):
    told = program("compare", made, "--batch", 1, JAX_PLATFORMS="cuda")
    assert told.returncode == ERROR
    assert told.stderr.startswith(b"ffc: error: JAX_PLATFORMS=cuda: JAX finds no such device here")
    assert told.stderr.count(b"\n") == 1


def test_letters_that_no_terminal_shows_are_replaced():
    assert readable(["a\tb\nc\x00\x1b[1m", "é"]) == ["--- 1\na\tb\nc\ufffd\ufffd[1m\n", "--- 2\né\n"]
