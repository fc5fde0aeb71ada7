"""`ffc sample --animate`: two solvers side by side, at true relative speed."""

import jax
import numpy as np
import pytest
from PIL import Image

from ffc import box
from ffc.cli import animate
from ffc.cli import main as cli
from ffc.core.named import solver_by_name
from ffc.models import Sampler
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.paper import animation
from ffc.store import checkpoints

MODELS = {
    "made": MADE((3, 4, 3), hidden=(16, 16)),
    "pixelcnnpp": PixelCNNPP((4, 4, 3), filters=4, resnets=0, mixtures=3),
}


def run(*words) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module", params=MODELS)
def raced(request):
    """A race of two solvers, the state that both end at, and its system and model."""
    model = MODELS[request.param]
    system = model.system(jax.jit(model.init)(jax.random.key(0)), model.noise(jax.random.key(1), 3))
    solvers = {name: solver_by_name(name, system) for name in ("cached", "jacobi")}
    return animation.race(model, system, solvers), system.size, model


def test_each_solver_advances_at_its_own_pace_until_all_is_certified(raced):
    (runs, clock), size, model = raced
    for run in runs:
        assert run.pictures.shape == run.certified.shape == (len(clock.moments), 3, *model.shape)
        over = clock.moments >= run.seconds
        assert run.exact
        assert over[-1]
        np.testing.assert_array_equal(run.iterations[over], run.iterations[-1])
        assert np.all(run.iterations[~over] < run.iterations[-1])
        assert np.all(np.diff(run.share) >= 0)
        np.testing.assert_array_equal(run.share == 1, run.certified.all(axis=(1, 2, 3, 4)))
    cached, jacobi = runs
    np.testing.assert_allclose(cached.share, cached.iterations / size)
    assert jacobi.iterations[-1] <= size
    assert np.abs(jacobi.pictures[-1].astype(int) - cached.pictures[-1]).max() <= 1  # of 255
    assert max(run.seconds for run in runs) > clock.moments[-2]


def test_what_is_certified_does_not_change_any_more(raced):
    (runs, _), _, _ = raced
    for run in runs:
        for pictures, certified in zip(run.pictures, run.certified, strict=True):
            np.testing.assert_array_equal(pictures[certified], run.pictures[-1][certified])


def test_a_veil_lies_over_what_is_not_certified_and_over_nothing_else(raced):
    (runs, clock), _, _ = raced
    cached, jacobi = runs
    first, last = animation._panel(cached, 0), animation._panel(cached, -1)
    assert (
        np.all(first == animation._VEIL, axis=-1).mean() > 0.7
    )  # nothing is drawn; the rest are gaps and a place that is left over
    assert not np.all(last == animation._VEIL, axis=-1).any()
    middle = len(clock.moments) // 4
    same = animation._veiled(jacobi, middle) == jacobi.pictures[middle]
    assert same[jacobi.certified[middle]].all()
    assert not same[~jacobi.certified[middle]].all()


@pytest.mark.parametrize(
    ("longest", "slower", "pace"),
    [(0.0052, 1000, "1,000x slower"), (0.9, 5, "5x slower"), (6.0, 1, "as it was"), (40.0, 0.1, "10x faster")],
)
def test_the_clock_is_stretched_by_a_round_number_and_shows_the_end(longest, slower, pace):
    clock = animation.Clock.of(longest)
    assert (clock.slower, clock.pace) == (slower, pace)
    assert clock.moments[0] == 0
    assert clock.moments[-2] < longest <= clock.moments[-1]
    assert len(clock.moments) <= animation.FRAMES + 1


@pytest.mark.parametrize("against", animate.BASELINES)
def test_the_animation_ends_with_a_pause_on_what_the_picture_shows(made, tmp_path, capsys, against):
    words = ("--solver", "jacobi", "--batch", 2, "--animate", tmp_path / "a.gif", "--against", against)
    assert run("sample", made, *words) == cli.DONE
    assert animate.BASELINES[against] in capsys.readouterr().out
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0
        assert 2 <= image.n_frames <= animation.FRAMES + 1
        image.seek(image.n_frames - 1)
        assert image.info["duration"] == animation.PAUSE
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert (tmp_path / "a.gif").stat().st_size <= animation.BYTES


def test_frames_are_left_out_of_what_would_be_too_large(monkeypatch, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (21, 40, 40, 3), np.uint8)
    pictures = [Image.fromarray(frame) for frame in noise]
    whole = animation.gif(pictures)
    monkeypatch.setattr(animation, "BYTES", len(whole) // 2 + 2000)
    (tmp_path / "a.gif").write_bytes(animation.gif(pictures))
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.n_frames, image.info["duration"]) == (11, 2 * animation.DELAY)


class Blind(MADE):
    """Samples that are no pictures."""

    kind = "blind"
    pictures = Sampler.pictures


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--animate", "a.png"), "--animate a.png: an animation is a .gif; name it a.gif"),
        (("--animate", "no/a.gif"), "--animate no/a.gif: there is no folder no; make it, or name another"),
        (("--animate", "a.gif", "--batches", 2, "--out", "b"), "shows one batch, not 2; leave --batches out"),
        (("--animate", "a.gif", "--solver", "cached"), "a sequential one, which cached is; name another"),
        (("--image", "a.png", "--against", "cached"), "--against belongs to --animate OUT.gif"),
        (
            ("--animate", "a.gif", "--batch", 10**7),
            "111 iterates of 10000000 samples of 12 entries would take 53,280,000,000 bytes of memory; "
            "at most 1,073,741,824 are allowed: give --batch 201528 or less",
        ),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_computed(made, tmp_path, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ffc.core.solve.solve", None)
    assert expected in complaint(capsys, made, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_fastest_one_block_after_the_other_needs_a_solver(monkeypatch, tmp_path, capsys):
    fact = box.about("made-mnist") | {"sampling": {"solver": "cached"}}
    monkeypatch.setattr(box, "about", lambda name: fact)
    monkeypatch.setattr("ffc.core.solve.solve", None)
    words = ("made-mnist", "--animate", tmp_path / "a.gif")
    assert "a sequential one, which cached is; name another" in complaint(capsys, *words)


def test_a_model_without_pictures_is_named(tmp_path, capsys):
    model = Blind((3, 4, 1), hidden=(16, 16))
    checkpoints.save(tmp_path / "blind.flax", model, model.init(jax.random.key(0)), {})
    words = (tmp_path / "blind.flax", "--animate", tmp_path / "a.gif")
    assert "--animate: the samples of blind are no pictures; leave it out" in complaint(capsys, *words)
    assert not (tmp_path / "a.gif").exists()


def complaint(capsys, *words) -> str:
    """The one line that `ffc sample` fails with."""
    assert run("sample", *words) == cli.ERROR
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err
