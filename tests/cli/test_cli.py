"""The command line: what it writes, and one line for every mistake."""

import json
import os
import pickle
import re
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from places import GOLDEN

from ffc.cli import main as cli
from ffc.core.named import FIXED
from ffc.store import checkpoints

SHAPE, BLOCKS = (3, 4, 1), 12


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "noise.npz"
    np.savez(path, u=np.random.default_rng(0).logistic(size=(3, BLOCKS)).astype(np.float32))
    return path


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


@pytest.mark.parametrize("solver", [*FIXED, "auto"])
def test_sample_writes_the_same_samples_by_every_solver(made, noise, tmp_path, solver):
    for name in ("sequential", solver):
        assert run("sample", made, "--solver", name, "--noise", noise, "--out", tmp_path / f"{name}.npz") == cli.DONE
    with np.load(tmp_path / f"{solver}.npz") as file, np.load(tmp_path / "sequential.npz") as answer:
        np.testing.assert_allclose(file["samples"], answer["samples"], atol=1e-5)
        assert file["samples"].shape == (3, BLOCKS)
        assert file["certified"].tolist() == [BLOCKS] * 3
        assert np.all(file["iterations"] <= BLOCKS)
        assert file["status"].tolist() == ["certified"] * 3
        assert file["seconds"] > 0
        assert file["residual"].shape == (3,)
        assert np.all(file["residual"] < 1e-5)
        meta = json.loads(str(file["__meta__"]))
    assert meta["noise"] == {"file": "noise.npz"}
    assert meta["checkpoint"]["data"] == "test"


def test_the_authors_file_and_noise_give_the_authors_samples(tmp_path):
    words = ("--solver", "jacobi", "--noise", GOLDEN / "made_gray28.npz", "--out", tmp_path / "out.npz")
    assert run("sample", GOLDEN / "made_gray28.pth", *words) == cli.DONE
    with np.load(tmp_path / "out.npz") as file, np.load(GOLDEN / "made_gray28.npz") as golden:
        answer = golden["sequential_final"][: len(file["samples"])]
        np.testing.assert_allclose(file["samples"], answer, atol=1e-4)


def test_inspect_infers_the_sizes_of_the_authors_pixelcnnpp(capsys):
    assert run("inspect", GOLDEN / "pixelcnnpp_gray28.flax") == cli.DONE
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["shape"], lines["filters"], lines["mixtures"]) == ("(28, 28, 1)", "16", "10")


@pytest.mark.parametrize("coupling", ["gumbel", "inverse_cdf"])
def test_sample_draws_8_bit_images_inside_the_system(pixelcnnpp, tmp_path, coupling):
    words = ("--quantize", "8bit", "--coupling", coupling, "--solver", "jacobi", "--out", tmp_path / "out.npz")
    assert run("sample", pixelcnnpp, "--batch", 2, *words) == cli.DONE
    with np.load(tmp_path / "out.npz") as file:
        levels = (file["samples"] + 1) * 127.5
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
        assert file["ties"].shape == (2,)
        assert json.loads(str(file["__meta__"]))["system"] == {"quantize": "8bit", "coupling": coupling}


def test_a_guess_may_be_a_name_or_samples_drawn_before(made, noise, tmp_path):
    files = [tmp_path / f"{name}.npz" for name in ("zeros", "black", "draft")]
    for file, guess in zip(files, ("zeros", "black", files[0]), strict=True):
        words = ("--solver", "jacobi", "--noise", noise, "--guess", guess, "--out", file)
        assert run("sample", made, *words) == cli.DONE
    zeros, black, draft = map(np.load, files)
    for file in (black, draft):
        np.testing.assert_array_equal(file["samples"], zeros["samples"])
    assert draft["iterations"].tolist() == [1] * 3


def test_sample_by_seed_is_reproducible_and_draws_a_picture(made, tmp_path):
    for name in ("a", "b"):
        out = ("--out", tmp_path / f"{name}.npz", "--image", tmp_path / f"{name}.png")
        assert run("sample", made, "--solver", "jacobi", "--seed", 7, "--batch", 5, *out) == cli.DONE
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        np.testing.assert_array_equal(a["samples"], b["samples"])
        assert len(a["samples"]) == 5
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (3 * SHAPE[1], 2 * SHAPE[0])  # five tiles in three columns


def test_batch_takes_the_first_rows_of_the_noise(made, noise, tmp_path):
    for name, batch in (("all", 3), ("one", 1)):
        words = ("--noise", noise, "--batch", batch, "--out", tmp_path / f"{name}.npz")
        assert run("sample", made, "--solver", "jacobi", *words) == cli.DONE
    with np.load(tmp_path / "all.npz") as whole, np.load(tmp_path / "one.npz") as one:
        np.testing.assert_allclose(one["samples"], whole["samples"][:1], atol=1e-5)


def test_compare_prints_a_row_for_each_solver(made, noise, capsys):
    assert run("compare", made, "--noise", noise) == cli.DONE
    *lines, sizes = capsys.readouterr().out.splitlines()[2:]
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == list(FIXED)
    assert re.fullmatch(r"gs_jacobi: window \d+ (rows?|blocks); jacobi_gs: block \d+", sizes)
    assert all(row[2] == f"{BLOCKS}/{BLOCKS}" and float(row[3]) < 1e-5 and float(row[4]) < 1e-5 for row in rows)


def test_verification_can_be_left_out(made, noise, tmp_path, capsys):
    words = ("sample", made, "--solver", "jacobi", "--noise", noise, "--out", tmp_path / "out.npz")
    for more, told in (((), "3 of 3 samples proven to be the plain"), (("--no-verify",), "; not verified;")):
        assert run(*words, *more) == cli.DONE
        assert told in capsys.readouterr().out
        with np.load(tmp_path / "out.npz") as file:
            assert ("residual" in file) == (not more)


def test_inspect_says_what_a_checkpoint_is(made, capsys):
    assert run("inspect", made) == cli.DONE
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["model"] == "made"
    assert lines["shape"] == str(SHAPE)
    assert lines["sha256"] == checkpoints.load(made).meta["sha256"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--solver", "newton"], "invalid choice: 'newton'"),
        (["--solver", "jacobi", "--window", "2"], "--window belongs to --solver gs_jacobi"),
        (["--solver", "gs_jacobi", "--window", "13"], "give 1 … 3 (rows)"),
        (["--solver", "jacobi_gs", "--block", "5"], "does not divide the system's 12 blocks"),
        (["--solver", "jacobi", "--batch", "0"], "at least 1, not '0'"),
        (["--solver", "jacobi", "--size", "28"], "expected HEIGHTxWIDTH"),
        (["--solver", "jacobi", "--noise", "missing.npz"], "missing.npz: no such file"),
        (["--solver", "jacobi", "--sed", "1"], "--sed"),
        (["--solver", "jacobi", "--guess", "white"], "guess 'white': expected one of zeros, black, mean, row_above"),
        (["--solver", "jacobi", "--guess", "none.npz"], "none.npz: no such file"),
        (["--solver", "cached", "--draft"], "--draft belongs to --solver jacobi and gs_jacobi, not cached"),
        (["--solver", "jacobi", "--together"], "--together belongs to --solver gs_jacobi, not jacobi"),
        (["--solver", "gs_jacobi", "--draft"], "draft: this system offers none; PixelCNN++ does"),
        (["--solver", "jacobi", "--quantize", "8bit"], "option quantize: made has none of that name; leave it out"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(made, tmp_path, capsys, words, expected):
    out = tmp_path / "out.npz"
    assert expected in complaint(capsys, "sample", made, "--out", out, *words)
    assert not out.exists()


def _pickled(path):
    np.savez(path, u=np.array([{"code": 1}], dtype=object))


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: np.savez(path, v=np.zeros((1, BLOCKS))), "no array u"),
        (lambda path: np.savez(path, u=np.zeros((1, 5))), "(1, 5)"),
        (lambda path: np.savez(path, u=np.zeros((0, BLOCKS))), "one row for each sample"),
        (lambda path: np.savez(path, u=np.full((1, BLOCKS), np.nan)), "finite"),
        (_pickled, "no array u can be read"),
        (lambda path: path.write_bytes(pickle.dumps("no npz")), "no array u can be read"),
        (lambda path: path.write_bytes(b""), "no array u can be read"),
    ],
)
def test_unfit_noise_is_named(made, tmp_path, capsys, write, expected):
    noise, out = tmp_path / "noise.npz", tmp_path / "out.npz"
    write(noise)
    message = complaint(capsys, "sample", made, "--solver", "jacobi", "--noise", noise, "--out", out)
    assert str(noise) in message
    assert expected in message
    assert not out.exists()


def test_more_samples_than_noise(made, noise, tmp_path, capsys):
    words = ("--solver", "jacobi", "--noise", noise, "--batch", 4, "--out", tmp_path / "out.npz")
    assert "u has rows for 3 samples, not 4" in complaint(capsys, "sample", made, *words)


def test_an_output_that_cannot_be_written_is_refused_before_anything_else(tmp_path, capsys):
    words = ("sample", tmp_path / "no-such.flax", "--solver", "jacobi", "--out")
    assert "is a folder" in complaint(capsys, *words, tmp_path)
    (tmp_path / "file").touch()
    assert "cannot be written" in complaint(capsys, *words, tmp_path / "file" / "out.npz")


def test_a_classifier_draws_no_samples(tmp_path, capsys):
    import jax

    from ffc.models.densenet import DenseNet

    model = DenseNet.build((32, 32, 3), 10, growth=4, blocks=(1, 1, 1, 1), features=8)
    path = tmp_path / "densenet.flax"
    checkpoints.save(path, model, model.init(jax.random.key(0)), {})
    assert "draws no samples" in complaint(capsys, "compare", path)


def test_debug_anywhere_shows_the_traceback(tmp_path, capsys):
    assert run("inspect", tmp_path / "none.flax", "--debug") == cli.ERROR
    assert "Traceback" in capsys.readouterr().err


def test_interruption_leaves_quietly(made, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "load", interrupted)
    assert run("sample", made, "--solver", "jacobi", "--out", tmp_path / "out.npz") == cli.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_nothing_where_all_is_well(made, tmp_path, capsys):
    assert run("sample", made, "--solver", "jacobi", "--out", tmp_path / "out.npz", "--quiet") == cli.DONE
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sam", {"sample"}),
        ("sample --solver ja", {"jacobi", "jacobi_gs"}),
        ("compare --no", {"--noise", "--no-verify"}),
        ("inspect made.f", {"made.flax"}),
    ],
)
def test_a_shell_completes_commands_options_and_files(made, capsys, typed, offered):
    """As bash does when Tab is pressed: it calls the script's function with the words, and reads COMPREPLY."""
    assert run("completion", "bash") == cli.DONE
    script = capsys.readouterr().out
    words = ["ffc", *typed.split()]
    function = re.search(r"^complete .*-F (\w+) ffc$", script, re.MULTILINE).group(1)
    lines = [
        script,
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}",
        f"{function} ffc {words[-1]}",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    answer = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=made.parent, capture_output=True, text=True)
    assert set(answer.stdout.split()) == offered, answer.stderr


def test_the_program_itself_answers():
    answer = subprocess.run([sys.executable, "-m", "ffc.cli", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("ffc ")


@pytest.mark.parametrize("seed", ["-1", 2**64, "9" * 5000, "1e3"])
def test_a_seed_without_samples_of_its_own_is_refused(made, tmp_path, capsys, seed):
    words = ("sample", made, "--solver", "jacobi", "--out", tmp_path / "out.npz", "--seed", seed)
    assert "expected a whole number from 0 to 2**64" in complaint(capsys, *words)


def test_seeds_beyond_32_bits_have_samples_of_their_own(made, tmp_path):
    samples = []
    for seed in (0, 2**32, 2**64 - 1):
        assert run("sample", made, "--solver", "jacobi", "--seed", seed, "--out", tmp_path / "out.npz") == cli.DONE
        with np.load(tmp_path / "out.npz") as file:
            samples.append(file["samples"].tobytes())
    assert len(set(samples)) == 3


def test_samples_and_pictures_can_go_to_a_device_or_through_a_link(made, tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to("picture.png")
    assert run("sample", made, "--solver", "jacobi", "--out", "/dev/null", "--image", link) == cli.DONE
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert link.is_symlink()
    with Image.open(tmp_path / "picture.png") as image:
        assert image.size == (2 * SHAPE[1], 2 * SHAPE[0])
