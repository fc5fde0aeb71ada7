"""Files that a command names: written as users write them; none is lost, and none goes to two runs."""

import pytest

from ffc.cli import main as cli
from ffc.store.locks import alone


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The current folder, where weights and noise lie under many names; it is the home folder, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("w.pth", "w.flax", "n.npz"):
        (tmp_path / name).write_text(f"that of {name}")
    (tmp_path / "link.npz").symlink_to("n.npz")
    (tmp_path / "hard.npz").hardlink_to("n.npz")
    records = tmp_path / "results" / "quick" / "records" / "task"
    records.mkdir(parents=True)
    (records / "jacobi.npz").write_text("a record")


@pytest.mark.parametrize(
    "command",
    [
        "sample w.pth --out ./nowhere/../w.pth",
        "sample w.pth --out=~/w.pth",
        "sample ~/w.flax --out w.json",
        "sample w.pth --image a.png --out ./a.png",
        "sample w.pth --noise link.npz --out hard.npz",
        "sample w.pth --guess ~/n.npz --out n.npz",
        "bench --out results/quick/records/task/jacobi.npz",
    ],
)
def test_no_output_is_an_input_or_another_output(tmp_path, capsys, command):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(command.split()) == cli.ERROR
    assert "the command reads or writes this file as" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


def test_weights_that_another_run_trains_are_left_to_it(tmp_path, capsys):
    command = ["train", "made", "digits", "--steps", "1", "--out", "new.flax"]
    with alone(tmp_path / "new.training"):
        assert cli.main(command) == cli.ERROR
    assert "new.training: another run is writing to it; wait for that one" in capsys.readouterr().err
