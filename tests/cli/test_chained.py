"""The command line with flows: a solver for each link by one option, a row of the table, and an animation."""

import json

import jax
import numpy as np
import pytest

from ffc.cli import main as cli
from ffc.core.named import CHAINED, FIXED
from ffc.models.flow import Flow
from ffc.store import checkpoints


def run(*words) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    model = Flow((4, 4, 1), patch=2, blocks=2, width=8, layers=1, heads=1)
    path = tmp_path_factory.mktemp("checkpoints") / "flow.flax"
    params = jax.tree.map(lambda a: np.asarray(a) + np.float32(0.1), model.init(jax.random.key(0)))
    checkpoints.save(path, model, params, {"origin": "trained here", "data": "test"})
    return path


def test_a_batch_and_many_are_drawn_link_by_link(flow, tmp_path, capsys):
    words = ("sample", flow, "--batch", 2, "--solver", "chained", "--window", "4,2")
    out, moving = tmp_path / "out.npz", tmp_path / "flow.gif"
    assert run(*words, "--out", out, "--animate", moving) == cli.DONE
    assert moving.read_bytes().startswith(b"GIF89a")
    assert "in parallel (chained)" in capsys.readouterr().out
    assert run("sample", flow, "--batch", 2, "--solver", "cached", "--out", tmp_path / "cached.npz") == cli.DONE
    with np.load(out) as file, np.load(tmp_path / "cached.npz") as answer:
        np.testing.assert_array_equal(file["samples"], answer["samples"])
        assert file["proven"].all()
    assert run(*words, "--batches", 2, "--out", tmp_path / "many") == cli.DONE
    chosen = json.loads((tmp_path / "many" / "settings.json").read_text())["chosen"]
    assert chosen == {"solver": "chained", "window": [4, 2], "above": []}


@pytest.mark.parametrize("window", [(), ("--window", "2,4", "--guess", "mean"), ("--window", "2 blocks")])
def test_the_table_has_a_row_for_the_chain(flow, capsys, window):
    assert run("compare", flow, "--batch", 1, *window) == cli.DONE
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows][:6] == [*FIXED, CHAINED]
    assert {row[2] for row in rows[:6]} == {"8/8"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--solver", "chained", "--window", "2"), "give for each of them how many of its 4 blocks"),
        (("--solver", "chained", "--window", "2,2,2"), "a chain of 2 links"),
        (("--solver", "jacobi", "--window", "2,2"), "--window belongs to --solver gs_jacobi or chained"),
        (("--solver", "gs_jacobi", "--window", "2,2"), "give 1 … 2 (rows), 'N blocks', or auto"),
        (("--solver", "chained", "--window", "2,x"), "expected a whole number"),
    ],
)
def test_a_window_that_does_not_fit_is_one_line(flow, tmp_path, capsys, words, expected):
    assert run("sample", flow, *words, "--out", tmp_path / "out.npz") == cli.ERROR
    told = capsys.readouterr().err
    assert expected in told
    assert told.count("\n") == 1
