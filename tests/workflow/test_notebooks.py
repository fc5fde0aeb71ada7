"""Notebooks, run by hand in Jupyter as they stand, and their pages in the report."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import synthetic
from nbclient import NotebookClient
from places import ROOT

from ffc.paper import workflow


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Path:
    """A notebook that ran in its own folder, on records where the quick preset leaves them."""
    project = tmp_path_factory.mktemp("project")
    (project / "Snakefile").touch()
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    synthetic.write(project / "results" / "quick" / "records")
    path = project / "notebooks" / "summary.ipynb"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": path.parent}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("JAX_PLATFORMS", "cpu")
        client.execute(env=os.environ)
    nbformat.write(notebook, path)
    return path


def test_a_notebook_finds_its_records_and_leaves_its_results_where_the_workflow_does(opened):
    results = opened.parents[1] / "results" / "quick"
    assert (results / "summary.csv").exists()
    assert (results / "figures" / "training.png").exists()


def test_the_page_of_a_notebook_holds_all_it_shows_and_asks_no_network(opened, tmp_path):
    page = tmp_path / "page.html"
    workflow.notebook_page(opened, page)
    text = page.read_text()
    assert "<h1" in text
    assert "<table>" in text
    assert text.count("data:image/png;base64") == 1
    assert not re.search(r"<script|<link|https?://", text)
