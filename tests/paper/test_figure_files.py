"""Where figures look for records, and what they leave out where there are none."""

from pathlib import Path

import synthetic

from ffc.paper import figures


def test_a_figure_that_is_not_asked_for_or_has_no_records_is_left_out_of_a_notebook(tmp_path):
    synthetic.write(tmp_path / "records")
    (tmp_path / "empty").mkdir()
    for name, records, only in (("rnn_end", "records", ["rnn_begin"]), ("rnn_scaling", "empty", None)):
        note = figures.show(name, tmp_path / records, tmp_path / "out", only)
        assert note.data == f"*{name} is left out: not all of its results are there.*"
    assert not (tmp_path / "out").exists()
    figures.show("rnn_begin", tmp_path / "records", tmp_path / "out", ["rnn_begin"], tmp_path / "records")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"rnn_begin.{end}" for end in ("png", "svg", "pdf")}


def test_relative_folders_count_from_the_projects_own(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / "Snakefile").touch()
    for place, root in ((project, project), (project / "notebooks", project), (tmp_path, tmp_path)):
        monkeypatch.chdir(place)
        assert figures.from_root("results") == root / "results"
    assert figures.from_root("/elsewhere") == Path("/elsewhere")
