"""What README and documentation show, works: commands, examples, tables, links, and pages built without the network."""

import contextlib
import io
import os
import re
import subprocess
import sys

import pytest
import yaml
from places import ROOT

import ffc
from ffc.cli import main as cli
from ffc.paper import summary, verdict

DOCS = ROOT / "docs"
PAGES = {page: page.read_text() for page in sorted(DOCS.rglob("*.md"))}
README, REPRODUCE = (ROOT / "README.md").read_text(), PAGES[DOCS / "reproduce.md"]
#: Pages of large programs.
LONG = ("flows", "gradients", "modes", "recurrences", "tokens")
EXAMPLES = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.stress] * (page.stem in LONG))
    for page, text in PAGES.items()
    if "\n```python\n" in text
]
COMMANDS = re.findall(
    r"\bffc ((?:inspect|compare|sample|bench) [^`\n]+)", README + REPRODUCE + PAGES[DOCS / "sampling.md"]
)


def fenced(heading: str, language: str) -> str:
    """The first fenced block of `language` under `## heading` of the README."""
    return re.search(rf"^## {heading}$.*?^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL).group(1)


@pytest.mark.parametrize("page", EXAMPLES)
def test_an_example_runs_and_prints_what_it_shows(page):
    """The blocks of a page are one program; a block of text is what the code before it printed."""
    program, printed = {"__name__": page.stem}, ""
    for language, block in re.findall(r"^```(python|text)\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL):
        if language == "text":
            assert block == printed
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(block, page.name, "exec"), program)
        printed = output.getvalue()


def test_the_system_of_thirty_lines_is_solved(capsys):
    exec(compile(fenced("Your own system", "python"), "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.count("4 of 4 samples certified") == 2


def test_quick_start_is_two_commands_that_set_up_by_themselves_and_github_runs_them():
    run, tests = fenced("Quick start", "bash").splitlines()
    assert run == "python3 bootstrap.py && .venv/bin/snakemake quick"
    assert tests == "python3 bootstrap.py && .venv/bin/pytest"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert all(f"run: {command}\n" in workflow for command in (run, tests))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_line_is_understood(command):
    assert cli.parser().parse_args(command.split()).run is not None


def test_the_results_are_those_of_the_kept_records():
    for page, of in ((README, verdict.essentials_table), (REPRODUCE, summary.markdown_table)):
        kept, table = re.search(r"<!-- reference: (\S+) -->\n(.*?)\n\n", page, re.DOTALL).groups()
        assert table == of(summary.table(summary.load(ROOT / kept / "records")))


def test_the_readme_is_read_in_two_minutes_every_page_is_in_the_menu_and_every_link_leads_to_a_file():
    assert len(README.splitlines()) <= 130
    listed = re.findall(r"\S+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in PAGES)
    for page in (*ROOT.glob("*.md"), *PAGES):
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page


def test_the_version_is_one():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    changed = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert cited == changed == ffc.__version__


@pytest.mark.stress
def test_the_pages_load_nothing_from_the_net_and_have_all_that_the_library_exports(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", tmp_path]
    run = subprocess.run(build, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    pages = {page.name: page.read_text() for page in tmp_path.rglob("*.html")}
    assert len(pages) > len(EXAMPLES)
    loading = re.compile(r'<(script|link|img)\b[^>]*(src|href)="?https?:')
    assert [name for name, page in pages.items() if loading.search(page)] == []
    assert [name for name in ffc.__all__ if not re.search(rf'id="ffc\.[\w.]*\b{name}"', pages["api.html"])] == []
