"""What a preset names of its user's own, pictures or a model, is looked for before anything runs."""

import os

import pytest
from own import problem_of_model, problem_of_pictures, state_of_pictures


def test_a_folder_of_pictures_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"name": "image_folder", "path": "~/mine", "size": 8}
    assert problem_of_pictures(settings, tmp_path).startswith(f"data.path: there is no folder {tmp_path}/mine; make it")
    assert problem_of_pictures({"name": "digits"}, tmp_path) is None
    (tmp_path / "mine").mkdir()
    assert problem_of_pictures(settings, tmp_path) is None


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("mine:Other", None),
        ("mine:Third", None),
        ("yaml:Whatever", None),
        ("mine:Mien", "mine.py has no class Mien (did you mean Mine?)"),
        ("deep.mine:Mine", "model.kind: there is no module deep.mine; put it into the project's folder, or install it"),
        ("broken:Mine", "broken.py cannot be read as Python"),
    ],
)
def test_the_class_of_a_model_must_be_there_and_none_of_its_code_is_run(tmp_path, kind, problem):
    (tmp_path / "mine.py").write_text("raise ValueError\nfrom a import Other\nThird = Other\nclass Mine: ...\n")
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    (tmp_path / "deep").mkdir()
    answer = problem_of_model(kind, tmp_path)
    assert (answer is None) if problem is None else problem in answer


def test_a_picture_that_is_added_changed_or_removed_makes_the_data_anew(tmp_path):
    """The state is a parameter of the job, so that Snakemake runs it again where it changes."""
    folder, settings = tmp_path / "mine", {"name": "image_folder", "path": "mine", "size": 8}
    folder.mkdir()
    states = [state_of_pictures(settings, tmp_path)]
    for change in (
        lambda: (folder / "a.png").write_bytes(b"1"),
        lambda: os.utime(folder / "a.png", ns=(0, 0)),
        lambda: (folder / "a.png").rename(folder / "c.png"),
    ):
        change()
        states.append(state_of_pictures(settings, tmp_path))
    assert len({*states}) == 4
    (folder / ".hidden.png").write_bytes(b"1")
    assert state_of_pictures(settings, tmp_path) == states[-1]
    assert state_of_pictures({"name": "digits"}, tmp_path) == ""
