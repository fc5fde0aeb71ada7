"""Paths as users write them, and where compiled programs are kept; nothing fails where they cannot be."""

import os
import sys
from pathlib import Path

import jax
import pytest

from ffc import data
from ffc.core.errors import FFCError
from ffc.store.compiled import cache_folder, keep_compiled, processor
from ffc.store.paths import expanded
from ffc.store.released import collect


@pytest.fixture
def settings(monkeypatch):
    """Return the settings of JAX in a process whose environment is empty."""
    settings = {}
    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr(jax.config, "update", settings.__setitem__)
    return settings


def test_a_tilde_is_the_home_folder_of_data_and_of_released_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FFC_DATA", "~/here")
    assert (expanded("~/a"), expanded("a~/~")) == (tmp_path / "a", Path("a~/~"))
    mnist = ("mnist", None, {}), ("mnist", "~/here", {}), ("imagenet", None, {"path": "~/here/mnist"})
    for name, root, options in mnist:
        with pytest.raises(FFCError, match=str(tmp_path / "here" / "mnist")):
            data.load(name, root, **options)
    (tmp_path / "mnist.flax").touch()
    assert collect(["mnist.flax"], tmp_path / "out", "~/")["files"] == {"mnist.flax": str(tmp_path / "mnist.flax")}


def test_where_there_is_no_home_a_tilde_is_refused_and_programs_are_not_kept(settings, monkeypatch):
    def unknown(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(FFCError, match="~/a: which folder ~ stands for is not known here; write it out"):
        expanded("~/a")
    keep_compiled(cache_folder())
    assert settings == {}
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_programs_are_kept_apart_for_each_processor_whether_jax_is_imported_or_not(settings, tmp_path, monkeypatch):
    assert cache_folder() == Path.home() / ".cache" / "ffc" / "compiled"
    os.environ["XDG_CACHE_HOME"] = str(tmp_path)
    assert cache_folder() == tmp_path / "ffc" / "compiled"
    keep_compiled(tmp_path)
    assert settings["jax_compilation_cache_dir"] == str(tmp_path / (name := processor()))
    assert (tmp_path / name).is_dir()
    monkeypatch.delitem(sys.modules, "jax")
    keep_compiled(tmp_path)
    assert {name.upper(): str(value) for name, value in settings.items()}.items() <= os.environ.items()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(99)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 99)
    assert processor() != name, "programs for one core are slow on two"


def test_a_folder_that_cannot_be_made_or_is_the_users_choice_stays_as_it_is(settings, tmp_path):
    (tmp_path / "file").write_text("")
    keep_compiled(tmp_path / "file")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path / "own")
    keep_compiled(tmp_path / "other")
    assert (settings, [path.name for path in tmp_path.iterdir()]) == ({}, ["file"])
