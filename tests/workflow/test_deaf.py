"""A reproduction is deaf to what a user has set up for other work: kernels, start-up files, styles."""

import json
import sys

import matplotlib as mpl
import nbformat
import pytest
import synthetic

from ffc.paper import figures
from ffc.paper.workflow import run_notebook

CODE = """import os, sys, matplotlib
print(sys.executable, "disturbed" in globals(), matplotlib.rcParams["lines.linewidth"])"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Another environment's `python3` on Jupyter's path, a start-up file of IPython's, and a matplotlibrc."""
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    for path in (kernel, startup):
        path.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "other", "language": "python"}))
    startup.write_text("disturbed = True")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    return tmp_path


def test_a_notebook_runs_by_our_interpreter_and_without_a_users_start_up_files(foreign):
    cell = nbformat.v4.new_code_cell(CODE)
    parameters = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=[parameters, cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, foreign / "notebook.ipynb")
    run_notebook(foreign / "notebook.ipynb", foreign / "log.ipynb", foreign / "out.ipynb", {"x": 2})
    ran = nbformat.read(foreign / "out.ipynb", as_version=4)
    printed = "".join(output.get("text", "") for output in ran.cells[-1].outputs)
    assert printed.split() == [sys.executable, "False", "1.5"]


def test_a_users_style_changes_no_byte_of_a_figure(tmp_path):
    synthetic.write(tmp_path / "records")
    plain = draw(tmp_path / "plain", tmp_path / "records")
    with mpl.rc_context({"text.usetex": True, "lines.marker": "o", "axes.facecolor": "red", "font.family": "serif"}):
        styled = draw(tmp_path / "styled", tmp_path / "records")
    assert styled == plain


def draw(folder, records) -> dict[str, bytes]:
    figures.save(figures.draw("made_mnist_time_nolog", records), folder, "figure")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}
