"""Compiled programs are kept where they may be, and nothing fails where they may not."""

import jax
import pytest

from ffc.store.compiled import cache_folder, keep_compiled, processor


@pytest.fixture
def folder_of_jax(monkeypatch):
    """As in a process where nobody has named a folder; what JAX is told, by name."""
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    return told


def test_programs_are_kept_apart_for_each_processor(folder_of_jax, tmp_path):
    keep_compiled(tmp_path)
    assert folder_of_jax["jax_compilation_cache_dir"] == str(tmp_path / processor())
    assert (tmp_path / processor()).is_dir()


def test_a_folder_that_cannot_be_made_is_done_without(folder_of_jax, tmp_path):
    (tmp_path / "file").write_text("")
    keep_compiled(tmp_path / "file")
    assert folder_of_jax == {}


def test_a_folder_of_the_users_choice_comes_first(folder_of_jax, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "own"))
    keep_compiled(tmp_path / "other")
    assert folder_of_jax == {}
    assert not (tmp_path / "other").exists()


def test_the_users_folder_follows_the_base_directories(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ffc" / "compiled"


def test_a_process_with_other_cores_has_programs_of_its_own(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    one = processor()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert processor() != one
