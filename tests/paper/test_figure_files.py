"""Where figures look for records, and what they say where there are none."""

from pathlib import Path

import pytest

from ffc.core.errors import FFCError
from ffc.paper import figures


def test_an_extra_figure_without_records_is_left_out(tmp_path):
    note = figures.show("rnn_scaling", tmp_path, tmp_path)
    assert "rnn_scaling is left out" in note.data


def test_missing_records_and_unknown_figures_are_named(tmp_path):
    with pytest.raises(FFCError, match=r"made_mnist: no records there"):
        figures.draw("made_mnist", tmp_path)
    with pytest.raises(FFCError, match="figure 'made': expected one of rnn_begin"):
        figures.draw("made", tmp_path)


def test_relative_folders_count_from_the_projects_own(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / "Snakefile").touch()
    for place in (project, project / "notebooks"):
        monkeypatch.chdir(place)
        assert figures.from_root("results") == project / "results"
    monkeypatch.chdir(tmp_path)
    assert figures.from_root("results") == tmp_path / "results"
    assert figures.from_root("/elsewhere") == Path("/elsewhere")
