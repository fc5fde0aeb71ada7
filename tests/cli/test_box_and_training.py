"""The command line on models in the box, and on models that it trains itself."""

import json
import re
from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image
from places import ROOT

from ffc import box
from ffc.box.make import history
from ffc.cli import given, options, train
from ffc.cli import main as cli
from ffc.store import checkpoints
from ffc.training import TrainSettings, loop

NAME = "made-mnist"
SMALL = ("train", "made", "digits", "--set", "hidden=8,8", "--steps", 30, "--batch", 8, "--validate-every", 10)


def run(*words) -> int:
    return cli.main([str(word) for word in words])


def complaint(capsys, *words) -> str:
    """The one line that a failing command prints."""
    assert run(*words) == cli.ERROR
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ffc: error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_models_lists_the_box_and_inspect_tells_all(capsys):
    assert run("models") == cli.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *box.names()]
    row = next(line for line in lines if line.startswith(NAME))
    loss = box.about(NAME)["metrics"]["test_loss"]
    for fact in ("made", "MNIST 28×28", "28×28×1", f"{loss:.3f} bits/dim", f"{box.weights(NAME).stat().st_size:,}"):
        assert fact in row
    assert run("inspect", NAME) == cli.DONE
    assert box.about(NAME)["command"] in capsys.readouterr().out


def test_a_name_draws_a_picture_by_the_solver_that_was_measured(tmp_path):
    words = ("--batch", 1, "--image", tmp_path / "digit.png", "--out", tmp_path / "digit.npz", "--no-verify")
    assert run("sample", NAME, *words) == cli.DONE
    with Image.open(tmp_path / "digit.png") as image, np.load(tmp_path / "digit.npz") as file:
        assert image.size == (28, 28)
        meta = json.loads(str(file["__meta__"]))
    assert box.about(NAME)["sampling"]["solver"] == "gs_jacobi"
    assert meta["solver"].startswith("GSJacobi(")
    assert meta["checkpoint"]["data"]["title"] == "MNIST 28×28"


@pytest.mark.parametrize(
    ("words", "solver", "system"),
    [
        ((NAME,), "cached", {"quantize": "8bit"}),
        ((NAME, "--quantize", "8bit"), "cached", {"quantize": "8bit"}),
        ((NAME, "--quantize", "none"), "auto", {"quantize": "none"}),
        ((NAME, "--coupling", "inverse_cdf"), "auto", {"quantize": "8bit", "coupling": "inverse_cdf"}),
        ((NAME, "--solver", "jacobi"), "jacobi", {"quantize": "8bit"}),
        ((NAME, "--solver", "cached", "--quantize", "none"), "cached", {"quantize": "none"}),
        (("digits.flax",), "auto", {}),
    ],
)
def test_a_measured_solver_holds_for_the_system_that_it_was_measured_on(monkeypatch, words, solver, system):
    monkeypatch.setattr(box, "about", lambda name: {"sampling": {"solver": "cached", "quantize": "8bit"}})
    arguments = cli._parser().parse_args(["sample", *words])
    given.settle(arguments)
    assert (arguments.solver, options.system_options(arguments)) == (solver, system)


@pytest.mark.parametrize(
    ("words", "window", "guess", "draft"),
    [
        (("sample", NAME), 2, "row_above", True),
        (("sample", NAME, "--solver", "gs_jacobi"), 2, "row_above", False),  # or nobody could do without
        (("sample", NAME, "--solver", "gs_jacobi", "--window", "3", "--guess", "mean"), 3, "mean", False),
        (("sample", NAME, "--solver", "jacobi"), None, "zeros", False),
        (("compare", NAME), 2, "row_above", True),
        (("compare", NAME, "--quantize", "none"), None, "zeros", False),
    ],
)
def test_what_was_measured_fills_in_what_was_not_said(monkeypatch, words, window, guess, draft):
    entry = {"solver": "gs_jacobi", "quantize": "8bit", "window": 2, "guess": "row_above", "draft": True}
    monkeypatch.setattr(box, "about", lambda name: {"sampling": entry})
    arguments = cli._parser().parse_args(words)
    given.settle(arguments)
    assert (arguments.window, arguments.guess, arguments.draft) == (window, guess, draft)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sample", "made-mnits", "--image", "a.png"), "did you mean made-mnist?"),
        (("compare", "minst"), "no model of that name is in the box"),
        (("sample", "none.flax", "--image", "a.png"), "none.flax: cannot be read"),
        (("sample", NAME), "nothing would be kept; name --image OUT.png, --out OUT.npz or --animate OUT.gif"),
        (("sample", NAME, "--image", "a.jpg"), "--image a.jpg: a picture is a .png; name it a.png"),
        (("sample", NAME, "--batches", 2), "name a folder for them, --out FOLDER"),
        (
            ("sample", NAME, "--image", "a.png", "--window", 2),
            "--window belongs to --solver gs_jacobi or chained, not auto",
        ),
        (
            ("sample", NAME, "--image", "a.png", "--size", "14x14"),
            "--size 14×14: made-mnist says that its samples are of 28",
        ),
        ((*SMALL, "--out", "a.pth"), "a.pth: weights are saved as .flax"),
        ((*SMALL, "--out", "a.flax", "--start", "minst"), "minst: no model of that name is in the box"),
        ((*SMALL, "--out", "a.flax", "--start", NAME), "and what is trained is MADE(shape=(8, 8, 1)"),
        (("train", "made", "digit", "--out", "a.flax"), "digit: no data set and no folder (did you mean digits?)"),
        (("train", "made", ".", "--out", "a.flax"), ".: holds no files; put pictures there, such as .png or .jpg"),
        (("train", "made", str(ROOT / "images"), "--out", "a.flax"), "say how large, --size 32"),
        ((*SMALL, "--out", "a.flax", "--stpes", 9), "--stpes: no such option (did you mean --steps?); see ffc train"),
        (
            ("sample", NAME, "--image", "a.png", "--solver", "gs_jacobi", "--window", "8 block"),
            "expected rows (2), blocks ('8 blocks') or auto, not '8 block'",
        ),
        (("train", "maid", "digits", "--out", "a.flax"), "model kind 'maid': expected one of densenet, flow, made"),
        ((*SMALL, "--out", "a.flax", "--set", "hiden=8,8"), "made has no size hiden (did you mean hidden?)"),
        ((*SMALL, "--out", "a.flax", "--set", "hidden"), "expected NAME=VALUE, say hidden=512,512"),
        ((*SMALL, "--out", "a.flax", "--set", "hidden=8,x"), "--set hidden: expected a whole number, not 'x'"),
        ((*SMALL, "--out", "a.flax", "--set", "hidden=8"), "expected the widths of two layers"),
        ((*SMALL, "--out", "a.flax", "--decay", "often"), "--decay: expected a number, not 'often'"),
        ((*SMALL, "--out", "a.flax", "--batch", "0"), "train: batch is 0; expected a whole number above 0"),
        ((*SMALL, "--out", "a.flax", "--download"), "data set 'digits': unknown option download"),
        (("train", "pixelcnnpp", "digits", "--size", 10, "--out", "a.flax"), "sides that 4 divides"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(tmp_path, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in complaint(capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_training_that_was_interrupted_goes_on_to_the_same_bytes_and_can_be_sampled(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole.flax", tmp_path / "broken.flax"
    assert run(*SMALL, "--out", whole) == cli.DONE
    advance, calls = loop._Run.advance, iter(range(100))

    def interrupted(self, progress):
        if next(calls) == 2:  # after the second validation
            raise KeyboardInterrupt
        return advance(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "advance", interrupted)
        assert run(*SMALL, "--out", broken) == cli.INTERRUPTED
    assert not broken.exists()
    assert (tmp_path / "broken.training").is_dir()
    assert "broken.training: holds what is trained so far; the same command goes on" in capsys.readouterr().err
    assert run(*SMALL, "--out", broken) == cli.DONE
    assert "going on from step 20" in capsys.readouterr().err
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "broken.flax",
        "broken.json",
        "whole.flax",
        "whole.json",
    ]
    meta = checkpoints.load(broken).meta
    assert meta["data"] == {"name": "digits", "title": "scikit-learn digits 8×8"}
    assert meta["train"] == {"steps": 30, "batch": 8, "validate_every": 10}
    assert meta.keys() >= {"origin", "seed", "metrics", "curves", "device", "versions"}
    assert run("sample", broken, "--solver", "jacobi", "--image", tmp_path / "digits.png") == cli.DONE


def test_training_begins_with_weights_that_are_given(tmp_path):
    first, second = tmp_path / "first.flax", tmp_path / "second.flax"
    assert run(*SMALL, "--out", first) == cli.DONE
    assert run(*SMALL, "--start", first, "--steps", 1, "--learning-rate", 1e-9, "--out", second) == cli.DONE
    one, two = (checkpoints.load(path) for path in (first, second))
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), two.params, one.params)
    assert two.meta["start"]["sha256"] == one.meta["sha256"]
    assert two.meta["start"]["metrics"] == one.meta["metrics"]
    whole = history(two.meta)  # as the box tells it
    best = one.meta["metrics"]["best_step"]
    assert (whole["metrics"]["steps"], whole["metrics"]["best_step"]) == (best + 1, best + 1)
    assert whole["curves"]["step"] == [*(step for step in one.meta["curves"]["step"] if step <= best), best + 1]
    assert {len(curve) for curve in whole["curves"].values()} == {len(whole["curves"]["step"])}
    assert history(one.meta)["curves"] == one.meta["curves"]


@pytest.mark.parametrize("name", box.names())
def test_the_step_whose_weights_are_kept_is_on_the_curve(name):
    assert box.about(name)["metrics"]["best_step"] in box.about(name)["curves"]["step"]


def test_a_folder_of_pictures_is_a_data_set(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(10):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 12, 3), np.uint8)).save(folder / f"{i}.png")
    arguments = cli._parser().parse_args(["train", "made", str(folder), "--size", "4", "--out", "photos.flax"])
    dataset = train.images(arguments)
    assert (dataset.title, dataset.shape) == ("photos 4×4", (4, 4, 3))
    assert (len(dataset.train), len(dataset.test)) == (8, 2)


@pytest.mark.parametrize(
    "command", re.findall(r"^ffc (.+)$", (ROOT / "docs" / "sampling.md").read_text(), re.MULTILINE)
)
def test_every_command_line_of_the_page_is_understood(command):
    assert cli._parser().parse_args(command.split()).run is not None


def test_options_of_training_are_its_settings():
    assert set(train.SETTINGS) == set(TrainSettings.__dataclass_fields__)
