"""A checkpoint of each kind of model, and what a command prints."""

from pathlib import Path

import pytest
from commands import MODELS, run, weights
from places import GOLDEN

from ffc.cli import DONE, ERROR
from ffc.store import checkpoints


@pytest.fixture(scope="session")
def paths(tmp_path_factory) -> dict[str, Path]:
    """Checkpoints as our own store keeps them, by their names; and those of the authors' programs."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, model in MODELS.items():
        checkpoints.save(folder / f"{name}.flax", model, weights(model), {"origin": "trained here", "data": "test"})
    return {path.stem: path for path in (*folder.glob("*.flax"), *GOLDEN.glob("*.flax"), *GOLDEN.glob("*.pth"))}


@pytest.fixture(scope="session")
def made(paths) -> Path:
    return paths["made"]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A new folder for samples."""
    return tmp_path / "samples"


@pytest.fixture
def ffc(capsys):
    """Calls a command that ends with `code`: what it prints, on standard output and on standard error."""

    def call(*words, code=DONE):
        capsys.readouterr()
        assert run(*words) == code
        return capsys.readouterr()

    return call


@pytest.fixture
def complaint(ffc):
    """Calls a command that fails: the one line that it prints."""

    def call(*words) -> str:
        printed = ffc(*words, code=ERROR)
        assert printed.out == ""
        assert printed.err.startswith("ffc: error: ")
        assert printed.err.count("\n") == 1
        return printed.err

    return call
