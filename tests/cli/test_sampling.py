"""`ffc sample`, `ffc compare` and `ffc inspect`: the same samples by every solver, and what is said of them."""

import functools
import json
import os
import re
import stat

import numpy as np
import pytest
from commands import BATCH, BLOCKS, MODELS, run
from PIL import Image
from places import GOLDEN

from ffc import GSJacobi, Jacobi, solve
from ffc.cli import DONE, ERROR, INTERRUPTED, NOT_EXACT
from ffc.cli.sample import _printable
from ffc.core.solvers import CLASSES
from ffc.store import checkpoints
from ffc.store.records import Record

MODEL = MODELS["made"]
#: A model, options of its system, a parallel solver, and what a folder of many batches says of it.
DRAFT, SETTINGS = "gs_jacobi --draft --together", {"draft": True, "together": True}
TEXT = ("text", "--temperature 0.5", DRAFT, SETTINGS | {"window": 8})
LONG = [
    pytest.param("flow", "", "gs_jacobi --window 1", {"window": 1}, marks=pytest.mark.stress),
    pytest.param("pixelcnnpp", "--quantize 8bit", DRAFT, SETTINGS | {"window": 1}, marks=pytest.mark.stress),
]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A file with the noise of three samples."""
    path = tmp_path_factory.mktemp("noise") / "noise.npz"
    np.savez(path, u=np.random.default_rng(0).logistic(size=(BATCH, BLOCKS)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def draw(paths, tmp_path_factory):
    """The record that `ffc sample` writes, with these words after the name of a checkpoint."""
    out = tmp_path_factory.mktemp("drawn") / "out.npz"

    @functools.cache
    def drawn(name, *words):
        assert run("sample", paths[name], "--quiet", "--out", out, *words) == DONE
        return Record.load(out)

    return drawn


@pytest.mark.parametrize("solver", [*CLASSES, "auto"])
def test_every_solver_draws_the_same_samples(draw, noise, solver):
    answer, record = (draw("made", "--noise", noise, "--solver", name) for name in ("sequential", solver))
    np.testing.assert_allclose(record["samples"], answer["samples"], atol=1e-5)
    for name, value in {"certified": BLOCKS, "status": "certified"}.items():
        assert record[name].tolist() == [value] * BATCH
    assert record["iterations"].max() <= BLOCKS
    assert record["residual"].shape == (BATCH,)
    assert record["residual"].max() < 1e-5
    assert record["seconds"] > 0
    assert (record.meta["noise"], record.meta["checkpoint"]["data"]) == ({"file": "noise.npz"}, "test")


def test_the_authors_file_and_noise_give_the_authors_samples(draw, paths, ffc):
    golden = np.load(GOLDEN / "made_gray28.npz")
    noise = ("--noise", GOLDEN / "made_gray28.npz", "--batch", 2)
    record = draw("made_gray28", *noise, "--solver", "jacobi", "--no-verify")
    np.testing.assert_allclose(record["samples"], golden["sequential_final"][:2], atol=1e-4)
    facts = {"model": "pixelcnnpp", "shape": "(28, 28, 1)", "filters": "16", "mixtures": "10"}
    facts["sha256"] = checkpoints.load(paths["pixelcnnpp_gray28"]).meta["sha256"]
    lines = dict(line.split(maxsplit=1) for line in ffc("inspect", paths["pixelcnnpp_gray28"]).out.splitlines())
    assert facts.items() <= lines.items()


@pytest.mark.parametrize(("name", "system", "solver", "chosen"), [TEXT, *LONG])
def test_drafts_and_chains_draw_the_cached_samplers_samples(ffc, paths, folder, name, system, solver, chosen):
    for way, words in (("cached", "cached"), ("parallel", solver)):
        words = ("--batch", 2, "--batches", 2, *system.split(), "--solver", *words.split())
        ffc("sample", paths[name], *words, "--out", folder / way)
    for batch in ("batch_000000.npz", "batch_000001.npz"):
        answer, record = (Record.load(folder / way / batch) for way in ("cached", "parallel"))
        np.testing.assert_array_equal(record["samples"], answer["samples"])
        assert record["proven"].all()
    told = [word for pair in record.meta["system"].items() for word in pair]
    assert told == system.replace("--", "").split()
    settings = json.loads((folder / "parallel" / "settings.json").read_text())
    assert settings["chosen"] == {"solver": solver.split()[0], **chosen}


def test_a_text_is_printed_and_goes_on_from_a_prompt(draw, ffc, paths):
    words = ("--prompt", "To be", "--batch", 2, "--solver", "cached", "--no-verify")
    *texts, told = ffc("sample", paths["text"], *words).out.splitlines(keepends=True)
    rows = [bytes(row.ravel().tolist()).decode() for row in draw("text", *words)["samples"]]
    assert "".join(texts) == "".join(f"--- {i}\n{row}\n\n" for i, row in enumerate(map(_printable, rows), 1))
    assert all(row.startswith("To be") for row in rows)
    assert re.search(r"certified.* iterations by cached", told)


def test_a_guess_changes_no_sample(draw, noise):
    words = ("made", "--noise", noise, "--solver", "jacobi")
    record = draw(*words, "--guess", "black")
    np.testing.assert_array_equal(record["samples"], draw(*words)["samples"])
    assert record.meta["guess"] == "black"


def test_each_seed_has_samples_of_its_own_which_can_be_seen_or_sent_to_a_device(draw, made, ffc, tmp_path):
    words, link = ("--solver", "jacobi", "--batch", BATCH, "--seed"), tmp_path / "link.png"
    drawn = [draw("made", *words, seed)["samples"] for seed in (0, 2**32, 2**64 - 1, 7)]
    assert len({samples.tobytes() for samples in drawn}) == 4
    link.symlink_to("picture.png")
    ffc("sample", made, *words, 7, "--out", "/dev/null", "--image", link)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert link.is_symlink()
    shown = np.round(255 * np.asarray(MODEL.pictures(drawn[-1])))[..., 0]
    with Image.open(tmp_path / "picture.png") as image:
        assert image.size == (2 * MODEL.shape[1], 2 * MODEL.shape[0])  # three tiles in two columns
        np.testing.assert_array_equal(np.asarray(image)[: MODEL.shape[0]], np.hstack(shown[:2]))


def test_verification_and_talk_can_be_left_out(made, noise, ffc, tmp_path):
    words = ("sample", made, "--solver", "jacobi", "--noise", noise, "--out", tmp_path / "out.npz")
    for more, told in (((), "3 of 3 samples proven to be the plain"), (("--no-verify",), "; not verified;")):
        assert told in ffc(*words, *more).out
        assert ("residual" in Record.load(tmp_path / "out.npz").arrays) == (not more)
    assert ffc(*words, "--quiet") == ("", "")


def test_an_interruption_leaves_quietly_and_debug_anywhere_shows_a_traceback(made, ffc, tmp_path, monkeypatch):
    assert "Traceback" in ffc("inspect", tmp_path / "none.flax", "--debug", code=ERROR).err

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "load", interrupted)
    printed = ffc("sample", made, "--solver", "jacobi", "--out", tmp_path / "out.npz", code=INTERRUPTED)
    assert "Traceback" not in printed.err
    assert list(tmp_path.iterdir()) == []


def table(printed: str) -> dict[str, list[str]]:
    """The cells of the rows of `ffc compare`, by their solvers."""
    rows = [line.split() for line in printed.splitlines()[2:]]
    return {name: cells for name, *cells in rows if len(cells) == 7}


def test_compare_has_a_row_for_each_solver(made, noise, ffc, monkeypatch):
    monkeypatch.setattr("ffc.core.tune.fastest", lambda *_, **__: GSJacobi(3))  # no clock decides
    words = ("compare", made, "--noise", noise)
    printed = ffc(*words).out
    rows = table(printed)
    assert [*rows] == [*CLASSES, "auto"]
    seconds = {name: float(cells[4]) for name, cells in rows.items()}
    best, base = (min(names, key=seconds.get) for names in (rows, ("sequential", "cached")))
    beside = "" if best == base else rf", [\d.]+ times as fast as {base}"
    assert re.search(rf"^the fastest: {best}{beside}$", printed, re.MULTILINE)
    assert re.search(r"^gs_jacobi: window \d+ (rows?|blocks); jacobi_gs: block \d+", printed, re.MULTILINE)
    for name, (_, certified, difference, residual, _, *ratios) in rows.items():
        assert certified == f"{BLOCKS}/{BLOCKS}"
        assert max(float(difference), float(residual)) < 1e-5
        for ratio, base in zip(ratios, ("sequential", "cached"), strict=True):
            assert ratio == "–" or float(ratio) == pytest.approx(seconds[base] / seconds[name], rel=2e-3, abs=6e-3)

    def cut(system, solver, **options):  # short, in a solver that is not the last
        return solve(system, solver, max_iterations=3 if solver == Jacobi() else None, **options)

    with monkeypatch.context() as patch:
        patch.setattr("ffc.core.solve.solve", cut)
        ffc(*words, code=NOT_EXACT)
    monkeypatch.setattr("ffc.core.verify.contradictions", lambda *answers: [2])
    assert "made.flax: sample 2 by sequential" in ffc(*words, code=ERROR).err


def test_compare_has_a_row_for_drafted_windows(paths, ffc):
    printed = ffc("compare", paths["text"], "--batch", 2, "--window", 4).out
    rows = table(printed)
    assert {*CLASSES, "drafted"} <= rows.keys()
    assert len({cells[1] for cells in rows.values()}) == 1, "all are certified whole"
    assert re.search(r"; drafted: window .+", printed)
