"""The wheel: it holds the library alone, and works where nothing but what it asks for is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import conda
import pytest
from places import GOLDEN, ROOT

from ffc import __version__

pytestmark = [pytest.mark.packages, pytest.mark.stress]
LOAD = f"from ffc.store.checkpoints import load; load('{GOLDEN}/{{}}')"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> Path:
    """The programs of an environment of the library alone."""
    return conda.create([str(wheel)], tmp_path_factory.mktemp("environment") / "bare").parent


def run(folder: Path, *command) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_wheel_holds_the_library_and_the_box_alone(wheel):
    kinds = (".py", ".typed", ".flax", ".json")  # the last two are the box
    library = {str(path.relative_to(ROOT)) for path in (ROOT / "ffc").rglob("*") if path.suffix in kinds}
    assert any(name.startswith("ffc/box/") and name.endswith(".flax") for name in library)
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert {name for name in names if not name.startswith(f"fast_feedforward-{__version__}.dist-info/")} == library


def test_with_its_extras_it_knows_its_version_and_draws_samples_anywhere(wheel, tmp_path):
    """On the authors' format, so that PyTorch is there to read it."""
    ffc = conda.create([f"{wheel}[cli,torch]"], tmp_path / "wheel").with_name("ffc")
    assert run(tmp_path, ffc, "--version").stdout == f"ffc {__version__}\n"
    words = ("--solver", "jacobi", "--batch", "1", "--out", "samples.npz")
    answer = run(tmp_path, ffc, "sample", GOLDEN / "made_gray28.pth", *words)
    assert answer.returncode == 0, answer.stderr
    assert "1 of 1 samples certified" in answer.stdout


def test_the_library_alone_is_small(bare):
    names = {path.name.split("-")[0] for path in (bare.parent / "lib").glob("python3*/site-packages/*.dist-info")}
    assert len(names - {"pip", "setuptools"}) <= 15


@pytest.mark.parametrize(
    ("program", "extra"),
    [
        (["ffc", "--version"], "cli"),
        (["python", "-c", "from ffc.training import train"], "training"),
        (["python", "-c", "import ffc.paper.figures"], "paper"),
        (["python", "-c", LOAD.format("made_gray28.pth")], "torch"),
        (["python", "-c", LOAD.format("pixelcnnpp_gray28.flax")], "checkpoints"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing_is_one_line_that_names_its_extra(bare, tmp_path, program, extra):
    answer = run(tmp_path, bare / program[0], *program[1:])
    assert answer.returncode != 0
    assert answer.stderr.rstrip().splitlines()[-1].endswith(f"pip install '.[{extra}]'")
