"""The documentation: its examples run and print what they show, and its pages are built without the network."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

DOCS = ROOT / "docs"
PAGES = ("diffusion", "drafts", "flows", "gradients", "modes", "own_task", "pytorch", "recurrences", "sampling", "tokens")
EXAMPLES = [*sorted((DOCS / "examples").glob("*.md")), *(DOCS / f"{name}.md" for name in PAGES)]


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_an_example_runs_and_prints_what_it_shows(page):
    """The blocks of a page are one program; a block of text is what the code before it printed."""
    program, printed = {"__name__": page.stem}, ""
    for language, block in re.findall(r"^```(python|text)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language == "text":
            assert block == printed
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(block, page.name, "exec"), program)
        printed = output.getvalue()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pages")
    build = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", folder]
    run = subprocess.run(build, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return sorted(folder.rglob("*.html"))


def test_the_pages_load_nothing_from_the_net(pages):
    assert len(pages) > len(EXAMPLES)
    for page in pages:
        assert not re.search(r"<(script|link|img)\b[^>]*(src|href)=\"?https?:", page.read_text())


def test_the_reference_has_all_that_the_library_exports(pages):
    import ffc

    reference = next(page for page in pages if page.name == "api.html").read_text()
    assert [name for name in ffc.__all__ if not re.search(rf'id="ffc\.[\w.]*\b{name}"', reference)] == []
