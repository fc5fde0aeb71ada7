"""Pages: the report's first, and a notebook that is run by hand."""

import base64
import os
import shutil

import nbformat
import pytest
import synthetic
from docutils.core import publish_string
from nbclient import NotebookClient
from places import ROOT

from ffc.core.errors import FFCError
from ffc.paper.first_page import first_page, verdict
from ffc.paper.workflow import run_notebook

LINES = ["made_mnist: Jacobi has 4× the speed of the best_ *sequential* evaluation.", "Certified: every sample."]
SUMMARY = f"""- Device: Abacus, 10 rows

## Verdict

- {LINES[0]}
- {LINES[1]}

| task | fastest | × plain |
|---|---|---|
| made_mnist | GS-Jacobi (window 4, guess row_above) | 8× |

## Every solver

| task |
|---|
| other |
"""


def test_the_first_page_shows_figure_and_table_of_the_verdict_which_is_the_section_of_that_name(tmp_path):
    summary, figure = tmp_path / "summary.md", tmp_path / "made_mnist.png"
    summary.write_text("- Device: Abacus\n")
    assert (verdict(summary), first_page(summary, [])) == (([], []), "")
    summary.write_text(SUMMARY)
    row = ["made_mnist", "GS-Jacobi (window 4, guess row_above)", "8×"]
    assert verdict(summary) == (LINES, [["task", "fastest", "× plain"], row])
    figure.write_bytes(pixels := bytes(range(256)) * 100)
    text = first_page(summary, [tmp_path / "densenet_outputs.png", figure])
    page = publish_string(text, writer="html5", settings_overrides={"halt_level": 2}).decode()
    image = f"data:image/png;base64,{base64.b64encode(pixels).decode()}"
    parts = ("best_ *sequential* evaluation", "<th", "row_above", image)
    assert [*map(page.index, parts)] == sorted(map(page.index, parts))
    assert "other" not in page


@pytest.mark.stress
def test_a_notebook_that_is_run_by_hand_reads_and_writes_where_the_workflow_does(tmp_path):
    (tmp_path / "Snakefile").touch()
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    results = tmp_path / "results" / "quick"
    synthetic.write(results / "records")
    notebook = nbformat.read(tmp_path / "notebooks" / "summary.ipynb", as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": tmp_path / "notebooks"}})
    client.execute(env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)})
    assert (results / "summary.csv").exists()
    assert (results / "figures" / "training.png").exists()


def test_a_notebook_refuses_parameters_that_it_does_not_have(tmp_path):
    notebook, output = ROOT / "notebooks" / "made.ipynb", tmp_path / "out.ipynb"
    with pytest.raises(FFCError, match=r"made\.ipynb: has no parameter recrods"):
        run_notebook(notebook, tmp_path / "log.ipynb", output, {"recrods": "x", "figures": "y"})
    assert not output.exists()
