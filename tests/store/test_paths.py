"""Paths as users write them: `~` is their home wherever a path is asked for, and one file has many names."""

import os
from pathlib import Path

import pytest

from ffc import data
from ffc.core.errors import FFCError
from ffc.store import compiled
from ffc.store.paths import expanded, same_file
from ffc.store.released import collect


def unknown(*_):
    raise RuntimeError("Could not determine home directory.")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_tilde_is_the_home_folder(home):
    assert expanded("~/a") == home / "a"
    assert expanded("a~/~") == Path("a~/~")


def test_where_there_is_no_home_a_tilde_is_refused_and_programs_are_not_kept(monkeypatch):
    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(FFCError, match="~/a: which folder ~ stands for is not known here; write it out"):
        expanded("~/a")
    before = dict(os.environ)
    compiled.keep_compiled(compiled.cache_folder())
    assert os.environ == before


@pytest.mark.parametrize("root", ["~/here", None])
def test_data_lie_in_the_home_folder_if_a_path_says_so(home, monkeypatch, root):
    monkeypatch.setenv("FFC_DATA", "~/here")
    for name, options in {"mnist": {}, "imagenet": {"path": "~/here/mnist"}}.items():
        with pytest.raises(FFCError, match=str(home / "here" / "mnist")):
            data.load(name, root, **options)


def test_released_files_lie_in_the_home_folder_if_the_source_says_so(home):
    (home / "released").mkdir()
    (home / "released" / "mnist.flax").write_bytes(b"weights")
    found = collect(["mnist.flax"], home / "out", "~/released", insist=True)
    assert found["files"] == {"mnist.flax": str(home / "released" / "mnist.flax")}


def test_a_file_is_the_same_by_every_spelling_and_link(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to("file")
    assert same_file(file, tmp_path / "nowhere" / ".." / "file")
    assert same_file(file, link)
    assert not same_file(file, tmp_path / "other")
    file.write_text("")
    (tmp_path / "hard").hardlink_to(file)
    assert same_file(tmp_path / "hard", link)
