"""What the README shows, works."""

import re

import pytest
import yaml
from places import ROOT

from ffc import __version__
from ffc.cli import main as cli
from ffc.paper import summary, verdict

README = (ROOT / "README.md").read_text()
REPRODUCE, SAMPLING = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("reproduce", "sampling"))


def fenced(heading: str, language: str) -> str:
    """The first fenced block of `language` under `## heading`."""
    return re.search(rf"^## {heading}$.*?^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL).group(1)


def test_quick_start_is_two_commands_that_set_up_by_themselves():
    run, tests = fenced("Quick start", "bash").splitlines()
    assert run == "python3 bootstrap.py && .venv/bin/snakemake quick"
    assert tests == "python3 bootstrap.py && .venv/bin/pytest"


def test_the_results_are_those_of_the_kept_records():
    for page, of in ((README, verdict.essentials_table), (REPRODUCE, summary.markdown_table)):
        kept, table = re.search(r"<!-- reference: (\S+) -->\n(.*?)\n\n", page, re.DOTALL).groups()
        assert table == of(summary.table(summary.load(ROOT / kept / "records")))


def test_it_is_read_in_two_minutes():
    assert len(README.splitlines()) <= 150


def test_github_runs_the_same_two_commands():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert all(f"run: {command}\n" in workflow for command in fenced("Quick start", "bash").splitlines())


def test_the_system_of_thirty_lines_is_solved(capsys):
    exec(compile(fenced("Your own system", "python"), "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.count("4 of 4 samples certified") == 2


COMMANDS = re.findall(r"\bffc ((?:inspect|compare|sample|bench|keep) [^`\n]+)", README + REPRODUCE + SAMPLING)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_line_is_understood(command):
    assert cli._parser().parse_args(command.split()).run is not None


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md"])
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_version_is_one():
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    assert re.search(r"^## \[([^\]]+)\]", changes, re.MULTILINE).group(1) == __version__
