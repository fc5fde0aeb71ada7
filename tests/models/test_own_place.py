"""A model of one's own is found where the command runs, as the message about a missing one says."""

import sys

from ffc.models import model_class


def test_a_module_may_lie_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "mine_of_here.py").write_text("class Mine: ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])  # as a command that is installed has it
    assert model_class("mine_of_here:Mine").__module__ == "mine_of_here"
