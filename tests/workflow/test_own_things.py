"""A picture of a user's own that changes makes the data anew."""

import os

from jobs import state_of_pictures


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
