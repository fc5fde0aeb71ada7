"""`ffc sample --animate`: two solvers side by side, at true relative speed."""

import jax
import numpy as np
import pytest
from commands import BATCH, MODELS, weights
from PIL import Image

from ffc.cli.sample import BASELINES
from ffc.core.named import solver_by_name
from ffc.paper import animation


@pytest.fixture(scope="module")
def raced():
    """A race of two solvers, of one second and of half a second; the system's size, and the model."""
    model = MODELS["rgb"]
    system = model.system(weights(model), model.noise(jax.random.key(1), BATCH))
    solvers = {name: solver_by_name(name, system) for name in ("sequential", "jacobi")}
    with pytest.MonkeyPatch.context() as patch:  # no test depends on measured time
        patch.setattr(animation, "side_by_side", lambda functions: None)
        patch.setattr(animation, "interleaved", lambda functions, repeats: {"sequential": [1.0], "jacobi": [0.5]})
        return animation.race(model, system, solvers), system.size, model


def test_each_solver_advances_at_its_own_pace_until_all_is_certified_and_changes_no_more(raced):
    (runs, clock), size, model = raced
    for run in runs:
        assert run.pictures.shape == run.certified.shape == (len(clock.moments), BATCH, *model.shape)
        over = clock.moments >= run.seconds
        assert run.exact
        assert over[-1]
        np.testing.assert_array_equal(run.iterations[over], run.iterations[-1])
        assert np.all(run.iterations[~over] < run.iterations[-1])
        assert np.all(np.diff(run.share) >= 0)
        np.testing.assert_array_equal(run.share == 1, run.certified.all(axis=(1, 2, 3, 4)))
        for pictures, certified in zip(run.pictures, run.certified, strict=True):
            np.testing.assert_array_equal(pictures[certified], run.pictures[-1][certified])
    sequential, jacobi = runs
    np.testing.assert_allclose(sequential.share, sequential.iterations / size)
    assert jacobi.iterations[-1] <= size
    assert np.abs(jacobi.pictures[-1].astype(int) - sequential.pictures[-1]).max() <= 1  # of 255
    assert max(run.seconds for run in runs) > clock.moments[-2]


def test_a_veil_lies_over_what_is_not_certified_and_over_nothing_else(raced):
    ((sequential, jacobi), clock), _, _ = raced
    first, last = (np.all(animation._panel(sequential, frame) == animation._VEIL, axis=-1) for frame in (0, -1))
    assert first.mean() > 0.7, "nothing is drawn; the rest are gaps and a place that is left over"
    assert not last.any()
    middle = len(clock.moments) // 4  # jacobi is half way
    assert 0 < jacobi.share[middle] < 1
    same = animation._veiled(jacobi, middle) == jacobi.pictures[middle]
    assert same[jacobi.certified[middle]].all()
    assert not same[~jacobi.certified[middle]].all()


@pytest.mark.parametrize(
    ("longest", "slower", "pace"),
    [(0.0052, 1000, "1,000x slower"), (6.0, 1, "as it was"), (40.0, 0.1, "10x faster")],
)
def test_the_clock_is_stretched_by_a_round_number_and_shows_the_end(longest, slower, pace):
    clock = animation.Clock.of(longest)
    assert (clock.slower, clock.pace) == (slower, pace)
    assert clock.moments[0] == 0
    assert clock.moments[-2] < longest <= clock.moments[-1]
    assert len(clock.moments) <= animation.FRAMES + 1


ROWS = pytest.param("flow", ("gs_jacobi", "--window", "4 blocks"), None, marks=pytest.mark.stress)


@pytest.mark.parametrize(("name", "solver", "against"), [("rgb", ("jacobi",), "sequential"), ROWS])
def test_the_animation_ends_with_a_pause_on_what_the_picture_shows(paths, ffc, tmp_path, name, solver, against):
    words = ("--solver", *solver, "--batch", BATCH, "--animate", tmp_path / "a.gif")
    told = ffc("sample", paths[name], *words, *(("--against", against) if against else ())).out
    assert BASELINES[against or "cached"] in told
    assert f"in parallel ({solver[0]})" in told
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
