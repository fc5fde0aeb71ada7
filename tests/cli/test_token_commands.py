"""The command line on texts: a transformer is trained, sampled by any solver, and read."""

import json
import re

import jax
import numpy as np
import pytest

from ffc.cli import main as cli
from ffc.cli.terminal import readable
from ffc.models.transformer import Transformer
from ffc.store import checkpoints


def run(*words) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Fresh weights for texts of 16 bytes."""
    model = Transformer((1, 16, 1), levels=128, width=8, depth=1, heads=1, cheap=4)
    path = tmp_path_factory.mktemp("checkpoints") / "text.flax"
    checkpoints.save(path, model, jax.jit(model.init)(jax.random.key(0)), {"origin": "trained here", "data": "test"})
    return path


def test_a_text_is_drawn_and_printed(text, tmp_path, capsys):
    words = ("--temperature", 0.5, "--top-k", 20, "--top-p", 0.9, "--batch", 2, "--seed", 1)
    drawn = []
    for solver in (("cached",), ("gs_jacobi", "--draft")):
        out = tmp_path / f"{solver[0]}.npz"
        assert run("sample", text, *words, "--solver", *solver, "--out", out) == cli.DONE
        *texts, told = capsys.readouterr().out.splitlines(keepends=True)
        assert "certified" in told
        with np.load(out) as file:
            assert json.loads(str(file["__meta__"]))["system"] == {"temperature": "0.5", "top_k": "20", "top_p": "0.9"}
            rows = [bytes(row.ravel().tolist()).decode() for row in file["samples"]]
        assert "".join(texts) == "".join(readable(rows))
        drawn.append(texts)
    assert drawn[0] == drawn[1]


def test_a_text_is_printed_without_a_file_and_goes_on_from_a_prompt(text, capsys):
    assert run("sample", text, "--prompt", "To be", "--batch", 1, "--solver", "auto") == cli.DONE
    printed = capsys.readouterr().out
    assert printed.startswith("--- 1\nTo be")
    assert re.search(r"certified.* iterations by \w+", printed)


def test_letters_that_no_terminal_shows_are_replaced():
    assert readable(["a\tb\nc\x00\x1b[1m", "é"]) == ["--- 1\na\tb\nc\ufffd\ufffd[1m\n", "--- 2\né\n"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--image", "a.png"), "--image: the samples of this transformer are no pictures; leave it out"),
        (("--temperature", "warm"), "system option temperature: expected a number, not 'warm'"),
        (("--temperature", "-1"), "temperature: -1.0; give a finite number, 0"),
        (("--temperature", "inf"), "temperature: inf; give a finite number, 0"),
        (("--prompt", "naïve"), "prompt: 'ï' has bytes that are none of the 128 tokens; leave it out"),
        (("--prompt", 17 * "a"), "prompt: 17 tokens are more than the context of 16; give 16 at most"),
        (("--quantize", "8bit"), "system option quantize: transformer has none of that name"),
    ],
)
def test_what_a_text_has_not_is_one_sentence(text, tmp_path, capsys, words, complaint):
    assert run("sample", text, "--solver", "cached", "--out", tmp_path / "out.npz", *words) == cli.ERROR
    assert re.match(f"ffc: error: {re.escape(complaint)}", capsys.readouterr().err)


def test_a_text_with_bytes_beyond_the_vocabulary_is_not_trained_on(tmp_path, capsys):
    words = ("train", "transformer", "text", "--size", 16, "--set", "levels=100", "--out", tmp_path / "out.flax")
    assert run(*words) == cli.ERROR
    assert "the text has the byte 12" in capsys.readouterr().err


@pytest.mark.stress
def test_a_text_is_trained(tmp_path, capsys):
    out = tmp_path / "text.flax"
    sizes = ("--size", 16, "--set", "levels=128", "--set", "width=16", "--set", "depth=1", "--set", "positions=learned")
    assert run("train", "transformer", "text", *sizes, "--steps", 20, "--batch", 8, "--out", out) == cli.DONE
    assert run("sample", out, "--batch", 1, "--solver", "auto", "--out", tmp_path / "samples.npz") == cli.DONE
    assert "certified" in capsys.readouterr().out
