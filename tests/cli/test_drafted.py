"""The command line with drafts: the same samples, and the solver that drew them by its name."""

import json
import re

import numpy as np
import pytest

from ffc.cli import main as cli
from ffc.core.named import FIXED

WORDS = ("--quantize", "8bit", "--seed", 3, "--batch", 2)


def run(*words) -> int:
    return cli.main([str(word) for word in words])


def test_drafted_samples_are_the_cached_samplers(pixelcnnpp, tmp_path):
    assert run("sample", pixelcnnpp, *WORDS, "--solver", "cached", "--out", tmp_path / "cached.npz") == cli.DONE
    options = ("--solver", "gs_jacobi", "--draft", "--together")
    assert run("sample", pixelcnnpp, *WORDS, *options, "--out", tmp_path / "out.npz") == cli.DONE
    assert run("sample", pixelcnnpp, *WORDS, *options, "--batches", 2, "--out", tmp_path / "many") == cli.DONE
    with np.load(tmp_path / "cached.npz") as answer, np.load(tmp_path / "out.npz") as file:
        np.testing.assert_array_equal(file["samples"], answer["samples"])
        assert "draft=LinearOutputs(neighbours=3), together=True" in json.loads(str(file["__meta__"]))["solver"]
    chosen = json.loads((tmp_path / "many" / "settings.json").read_text())["chosen"]
    assert chosen == {"solver": "gs_jacobi", "window": 1, "draft": True, "together": True}


@pytest.mark.stress
def test_drafted_windows_are_compared_with_all_solvers(pixelcnnpp, capsys):
    assert run("compare", pixelcnnpp, *WORDS, "--draft") == cli.DONE
    table, sizes = capsys.readouterr().out.split("gs_jacobi: window")
    assert [line.split()[0] for line in table.splitlines()[2:]] == [*FIXED, "drafted"]
    assert re.search(r"; drafted: window .+, draft$", sizes, re.MULTILINE)
