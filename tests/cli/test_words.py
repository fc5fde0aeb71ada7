"""What the words of a command stand for, how a shell completes them, and how any terminal is answered."""

import io
import os
import re
import subprocess
import sys

import pytest
from commands import BATCH, run

from ffc import Sequential, box
from ffc.cli import given, options, train
from ffc.cli.codes import DONE, ERROR
from ffc.cli.main import _parser
from ffc.cli.terminal import readable
from ffc.training import TrainSettings

NAME = "made-mnist"
MEASURED = {"solver": "gs_jacobi", "quantize": "8bit", "window": 2, "guess": "row_above", "draft": True}
WHOLE, NOTHING, BITS = (2, "row_above", True), (None, "zeros", False), {"quantize": "8bit"}


@pytest.fixture
def measured(monkeypatch):
    """What the box says of how any of its models was the fastest."""
    about = box.about(NAME) | {"sampling": MEASURED}
    monkeypatch.setattr(box, "about", lambda name: about)


@pytest.mark.parametrize(
    ("words", "solver", "how", "system"),
    [
        ("sample NAME", "gs_jacobi", WHOLE, BITS),
        ("sample NAME --solver gs_jacobi", "gs_jacobi", (2, "row_above", False), BITS),
        ("sample NAME --solver gs_jacobi --window 3 --guess mean", "gs_jacobi", (3, "mean", False), BITS),
        ("sample NAME --solver jacobi", "jacobi", NOTHING, BITS),
        ("sample NAME --quantize none", "auto", NOTHING, {"quantize": "none"}),
        ("sample NAME --coupling inverse_cdf", "auto", NOTHING, BITS | {"coupling": "inverse_cdf"}),
        ("sample NAME --solver gs_jacobi --quantize none", "gs_jacobi", NOTHING, {"quantize": "none"}),
        ("sample made.flax --top-k 20 --prompt a", "auto", NOTHING, {"top_k": "20", "prompt": "a"}),
        ("compare NAME", None, WHOLE, BITS),
    ],
)
def test_what_was_measured_holds_for_its_system_and_fills_in_what_was_not_said(measured, words, solver, how, system):
    arguments = _parser().parse_args(words.split())
    given.settle(arguments)
    assert getattr(arguments, "solver", None) == solver
    assert (arguments.window, arguments.guess, arguments.draft) == how
    assert options.system_options(arguments) == system


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


def test_a_table_and_a_message_can_be_printed_in_an_encoding_of_few_letters(made, monkeypatch):
    few = {"sequential": Sequential(), "cached": Sequential(cached=True)}
    monkeypatch.setattr("ffc.cli.compare._solvers", lambda *_: few)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True))
    assert (run("compare", made, "--batch", BATCH, "--no-verify"), run("inspect", "nö\udcff.flax")) == (DONE, ERROR)
    table, message = (stream.buffer.getvalue() for stream in (sys.stdout, sys.stderr))
    assert b"x sequential" in table
    assert b"-" in table.splitlines()[2].split()
    assert message.startswith(rb"ffc: error: n\xf6" + b"\xff.flax: cannot be read")


def test_a_device_that_is_not_there_is_named(made, complaint, monkeypatch):
    def without_a_word(*_):
        raise AssertionError

    monkeypatch.setattr("ffc.cli.given.load", without_a_word)
    monkeypatch.setattr("jax.devices", without_a_word)
    assert ": JAX finds no such device here; set JAX_PLATFORMS=cpu, unset it, or" in complaint("compare", made)


@pytest.mark.stress
def test_jaxs_own_complaint_of_a_missing_device_is_one_line(made):
    command = [sys.executable, "-m", "ffc.cli", "compare", str(made), "--batch", "1"]
    told = subprocess.run(command, env=os.environ | {"JAX_PLATFORMS": "cuda"}, capture_output=True)
    assert told.returncode == ERROR
    assert told.stderr.startswith(b"ffc: error: JAX_PLATFORMS=cuda: JAX finds no such device here")
    assert told.stderr.count(b"\n") == 1


def test_letters_that_no_terminal_shows_are_replaced():
    assert readable(["a\tb\nc\x00\x1b[1m", "é"]) == ["--- 1\na\tb\nc\ufffd\ufffd[1m\n", "--- 2\né\n"]


def test_closed_output_takes_nothing_and_full_output_is_one_line_and_nothing_is_left_to_write(monkeypatch, capsys):
    with monkeypatch.context() as patch, open("/dev/full", "w") as full:
        patch.setattr(sys, "stdout", full)
        assert run("models") == ERROR
        assert os.fstat(full.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    told = "what it prints could not be written (No space left on device); free some space, or send it elsewhere"
    assert capsys.readouterr().err == f"ffc: error: {told}\n"
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert (run("models"), run("no-such-command")) == (DONE, ERROR)
    sys.stdout.close()
    sys.stderr.close()
