"""Words of a command become its arguments, and any terminal is answered."""

import io
import os
import subprocess
import sys

import pytest
from commands import run

from ffc import box
from ffc.cli import DONE, ERROR, inputs, options, train
from ffc.cli.main import parser
from ffc.cli.sample import _printable

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
        ("sample NAME --solver gs_jacobi", "gs_jacobi", WHOLE, BITS),
        ("sample NAME --solver gs_jacobi --window 3 --guess mean", "gs_jacobi", (3, "mean", True), BITS),
        ("sample NAME --solver jacobi", "jacobi", NOTHING, BITS),
        ("sample NAME --quantize none", "auto", NOTHING, {"quantize": "none"}),
        ("sample NAME --coupling inverse_cdf", "auto", NOTHING, BITS | {"coupling": "inverse_cdf"}),
        ("sample NAME --solver gs_jacobi --quantize none", "gs_jacobi", NOTHING, {"quantize": "none"}),
        ("sample made.flax --top-k 20 --prompt a", "auto", NOTHING, {"top_k": "20", "prompt": "a"}),
        ("compare NAME", None, WHOLE, BITS),
    ],
)
def test_what_was_measured_holds_for_its_system_and_fills_in_what_was_not_said(measured, words, solver, how, system):
    arguments = parser().parse_args(words.replace("NAME", NAME).split())
    inputs.settle(arguments)
    assert getattr(arguments, "solver", None) == solver
    assert (arguments.window, arguments.guess, arguments.draft) == how
    assert options.system_options(arguments) == system


def test_options_of_training_are_its_settings_and_unsaid_ones_keep_their_defaults():
    few = train.settings(parser().parse_args(["train", "made", "digits", "--out", "a.flax", "--clip", "null"]))
    assert few == {"steps": train.STEPS, "clip": None}


def test_models_lists_the_box_and_inspect_tells_all(ffc):
    lines = ffc("models").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *box.names()]
    row = next(line for line in lines if line.startswith(NAME))
    loss = box.about(NAME)["metrics"]["test_loss"]
    for fact in ("made", "MNIST 28×28", "28×28×1", f"{loss:.3f} bits/dim", f"{box.weights(NAME).stat().st_size:,}"):
        assert fact in row
    assert box.about(NAME)["command"] in ffc("inspect", NAME).out


def test_words_that_a_terminal_lacks_letters_for_are_printed(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True))
    assert (run("models"), run("inspect", "nö\udcff.flax")) == (DONE, ERROR)
    assert rb"28\xd728\xd71" in sys.stdout.buffer.getvalue()
    assert sys.stderr.buffer.getvalue().startswith(rb"ffc: error: n\xf6\udcff.flax: cannot be read")


def test_a_device_that_is_not_there_is_named(made, complaint, monkeypatch):
    def without_a_word(*_):
        raise AssertionError

    monkeypatch.setattr("ffc.cli.inputs.load", without_a_word)
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
    assert _printable("é\tb\nc\x00\x1b[1m") == "é\tb\nc\ufffd\ufffd[1m"


def test_closed_output_takes_nothing_and_full_output_is_one_line(monkeypatch, capsys):
    with monkeypatch.context() as patch, open("/dev/full", "w") as full:
        patch.setattr(sys, "stdout", full)
        assert run("models") == ERROR
    assert "No space left on device" in capsys.readouterr().err
    reader, writer = os.pipe()
    os.close(reader)  # as `ffc models | head` does
    with monkeypatch.context() as patch, open(writer, "w") as broken:
        patch.setattr(sys, "stdout", broken)
        assert run("models") == DONE
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert (run("models"), run("no-such-command")) == (DONE, ERROR)
