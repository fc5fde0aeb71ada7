"""A mistake is one line that names the key, the place and the cure; nothing is computed, no file is left or lost."""

import shlex
import subprocess
import sys

import numpy as np
import pytest
from commands import BLOCKS
from places import ROOT

from ffc.store.locks import alone

SAMPLE, TRAIN = "sample @made --out a.npz --solver ", "train made digits --out a.flax --set hidden=8,8 "
TEXT = "sample @text --out a.npz --solver cached "
SEEDS = "expected a whole number from 0 to 2**64 − 1"

#: Words of a command, and what the line must name. The first of each kind names the key, the place and the cure.
UNKNOWN = [
    (SAMPLE + "jacobi --sed 1", "--sed: no such option", "did you mean --seed?", "see ffc sample --help"),
    (SAMPLE + "newton", "--solver", "invalid choice: 'newton'", "gs_jacobi"),
    ("sample made-mnits --image a.png", "made-mnits: no model of that name is in the box", "did you mean made-mnist?"),
    ("train maid digits --out a.flax", "model kind 'maid'", "densenet, flow, made"),
    ("train made digit --out a.flax", "digit: no data set and no folder", "did you mean digits?"),
    (TRAIN + "--set hiden=8,8", "made has no size hiden", "did you mean hidden?"),
    (SAMPLE + "jacobi --guess white", "--guess", "'white'", "mean"),
    ("sample . --image a.png", "expected the name of a checkpoint to end in .flax or .pth"),
    ("sample none.flax --image a.png", "none.flax: cannot be read", "give the path of a checkpoint"),
    (SAMPLE + "jacobi --noise none.npz", "none.npz: no such file", "an .npz file with the array u"),
]
VALUES = [
    (SAMPLE + "jacobi --batch 0", "--batch", "expected a whole number of at least 1, not '0'", "ffc sample --help"),
    *((f"{SAMPLE}jacobi --seed {seed}", f"seed {seed}", SEEDS) for seed in ("-1", 2**64)),
    (SAMPLE + f"jacobi --seed {'9' * 5000}", "--seed", "invalid int value"),
    (SAMPLE + "jacobi --size 28", "--size", "expected HEIGHTxWIDTH", "'28'"),
    (
        SAMPLE + "gs_jacobi --window '8 block'",
        "window: 8 block; this system has 3 rows of 4 blocks",
        "'N blocks', or auto",
    ),
    (TRAIN + "--set hidden", "--set hidden", "NAME=VALUE", "sizes of made are hidden"),
    (TRAIN + "--set hidden=8", "expected the widths of two layers"),
    (TRAIN + "--set hidden=few", "hidden is ('few',)"),
    (TRAIN + "--decay often", "decay is 'often'", "expected cosine, or a factor for each step"),
]
ELSEWHERE = [  # options of something else
    (SAMPLE + "jacobi --window 2", "window: jacobi takes none; it belongs to gs_jacobi", "leave it out"),
    (SAMPLE + "auto --window 2", "window: auto takes none"),
    (SAMPLE + "jacobi --block 2", "block: jacobi takes none", "jacobi_gs"),
    (SAMPLE + "cached --draft", "draft: cached takes none; it belongs to jacobi and gs_jacobi"),
    (SAMPLE + "jacobi --together", "together: jacobi takes none", "gs_jacobi"),
    (SAMPLE + "gs_jacobi --draft", "draft: this system offers none", "quantize: 8bit"),
    (SAMPLE + "jacobi --quantize 8bit", "option quantize: made has none of that name", "leave it out"),
    (TRAIN + "--download", "data set 'digits'", "download"),
    ("sample @made --image a.png --against cached", "--against belongs to --animate OUT.gif"),
    (SAMPLE + "jacobi --batches 2 --noise noise.npz", "--noise", "one batch, not 2", "leave --batches out"),
    ("sample @made --batches 2 --animate a.gif --out b", "--animate", "one batch, not 2"),
    ("sample @made --solver cached --animate a.gif", "--animate", "which cached is", "--solver gs_jacobi"),
]
MISFITS = [  # what the model, its system or its data do not allow
    (SAMPLE + "gs_jacobi --window 13", "window: 13", "3 rows of 4 blocks", "give 1 … 3 (rows)"),
    ("sample made-mnist --image a.png --window 0", "window: 0", "give 1 … "),
    (
        "sample made-mnist --image a.png --size 14x14",
        "--size 14×14: ",
        "made-mnist.flax says",
        "28×28×1",
        "leave --size out",
    ),
    ("compare @densenet", "densenet draws no samples", "PixelCNN++ or MADE"),
    (TEXT + "--image a.png", "--image", "transformer", "no pictures", "leave it out"),
    ("sample @pair --animate a.gif", "--animate", "made", "no pictures"),
    (
        "sample @made --solver jacobi --animate a.gif --batch 101",
        "--animate",
        "101 samples",
        "give --batch 100 or less",
    ),
    (TRAIN + "--start made-mnist", "start: made-mnist", "MADE(shape=(8, 8, 1)"),
    ("train pixelcnnpp digits --size 10 --out a.flax", "sides that 4 divides"),
    (f"train made {ROOT / 'images'} --out a.flax", "images", "say how large, --size 32"),
]
PLACES = [  # where the results go
    ("sample made-mnist", "nothing would be kept", "--image OUT.png, --out OUT.npz or --animate OUT.gif"),
    ("sample @made --image a.jpg", "--image", "a.jpg", "name it a.png"),
    ("sample @made --animate a.png", "--animate", "a.png", "name it a.gif"),
    ("train made digits --out a.pth", "a.pth", ".flax"),
    ("sample @made --batches 2", "2 batches are a file each", "--out FOLDER"),
    (SAMPLE + "jacobi --batches 2", "a.npz: 2 batches are a file each", "name a folder"),
    ("sample @made --solver jacobi --out .", ".: ", "is a folder"),
    ("sample @made --solver jacobi --out @made/a.npz", "made.flax/a.npz: cannot be written", "another folder"),
]


@pytest.mark.parametrize(
    ("words", "named"), [(row[0], row[1:]) for row in UNKNOWN + VALUES + ELSEWHERE + MISFITS + PLACES]
)
def test_a_mistake_is_one_line_before_anything_is_computed(paths, tmp_path, monkeypatch, complaint, words, named):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ffc.core.solve._plan", None)
    line = complaint(*(path_of(word, paths) for word in shlex.split(words)))
    assert [part for part in named if part not in line] == []
    assert list(tmp_path.iterdir()) == []


def path_of(word: str, paths) -> str:
    """A word of a command; after an @ it begins with the name of a checkpoint."""
    name, slash, rest = word[1:].partition("/")
    return f"{paths[name]}{slash}{rest}" if word.startswith("@") else word


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"v": np.zeros((1, BLOCKS))}, "no array u"),
        ({"u": np.zeros((4, 5))}, "(4, 5)"),
        ({"u": np.zeros((0, BLOCKS))}, "one row for each sample"),
        ({"u": np.full((4, BLOCKS), np.nan)}, "finite"),
        ({"u": np.zeros((3, BLOCKS))}, "u has rows for 3 samples, not 4"),
    ],
)
def test_unfit_noise_is_named(made, tmp_path, complaint, content, expected):
    noise, out = tmp_path / "noise.npz", tmp_path / "out.npz"
    np.savez(noise, **content)
    line = complaint("sample", made, "--solver", "jacobi", "--batch", 4, "--noise", noise, "--out", out)
    assert str(noise) in line
    assert expected in line
    assert not out.exists()


def files(folder):
    """All files but those that libraries keep for themselves."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts}


def test_no_output_is_an_input_or_another_output_or_that_of_another_run(tmp_path, monkeypatch, complaint):
    """However a user writes the path; the current folder is the home folder, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("w.pth", "w.flax", "n.npz"):
        (tmp_path / name).write_text(f"that of {name}")
    (tmp_path / "link.npz").symlink_to("n.npz")
    (tmp_path / "hard.npz").hardlink_to("n.npz")
    before = files(tmp_path)
    for command in (
        "sample w.pth --out=~/nowhere/../w.pth",
        "sample ~/w.flax --out w.json",
        "sample w.pth --image a.png --out ./a.png",
        "sample w.pth --noise link.npz --out hard.npz",
    ):
        assert "the command reads or writes it as" in complaint(*command.split())
    with alone(tmp_path / "new.training"):
        line = complaint("train", "made", "digits", "--steps", 1, "--out", "new.flax")
    assert "new.training: another run is writing to it; wait for that one" in line
    assert files(tmp_path) == before


def test_help_the_box_and_mistakes_answer_without_jax():
    """It takes seconds to import."""
    lines = ["--help", "models", "sample none.flax --out a.npz", "inspect none", "sample mnist --image a.jpg"]
    program = f"""
import contextlib, sys
from ffc.cli.main import main
for line in {lines}:
    with contextlib.suppress(SystemExit):
        main(line.split())
    assert "jax" not in sys.modules, line
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
