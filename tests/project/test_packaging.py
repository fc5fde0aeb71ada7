"""The wheel: it holds the library alone, and works where nothing but what it asks for is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import conda
import pytest
from places import ROOT

from ffc import __version__

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The programs of an environment that holds the wheel and what it asks for."""
    return conda.create([str(wheel)], tmp_path_factory.mktemp("environment") / "wheel").parent


def test_the_wheel_holds_the_library_alone(wheel):
    library = {str(path.relative_to(ROOT)) for path in (ROOT / "ffc").rglob("*") if path.suffix in (".py", ".typed")}
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert {name for name in names if not name.startswith(f"fast_feedforward-{__version__}.dist-info/")} == library


def test_what_is_installed_knows_its_version(installed, tmp_path):
    answer = subprocess.run([installed / "ffc", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout == f"ffc {__version__}\n"


def test_what_is_installed_compares_solvers_anywhere(installed, tmp_path):
    """On the authors' format, so that PyTorch is there to read it."""
    command = [installed / "ffc", "compare", ROOT / "tests" / "golden" / "made_gray28.pth", "--batch", "1"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("784/784") == 5
