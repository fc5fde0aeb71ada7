"""What the README shows, works."""

import re
from pathlib import Path

import pytest

from ffc import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def fenced(heading: str, language: str) -> str:
    """The first fenced block of `language` under `## heading`."""
    return re.search(rf"^## {heading}$.*?^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL).group(1)


def test_quick_start_is_two_commands_that_set_up_by_themselves():
    run, tests = fenced("Quick start", "bash").splitlines()
    assert run == "python3 bootstrap.py && .venv/bin/snakemake quick"
    assert tests == "python3 bootstrap.py && .venv/bin/pytest"


def test_github_runs_the_same_two_commands():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert all(f"run: {command}\n" in workflow for command in fenced("Quick start", "bash").splitlines())


def test_the_system_of_thirty_lines_is_solved(capsys):
    exec(compile(fenced("Your own system", "python"), "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.count("4 of 4 samples certified") == 2


@pytest.mark.parametrize("command", re.findall(r"\bffc ((?:inspect|compare|sample|bench|keep) [^`\n]+)", README))
def test_every_command_line_is_understood(command):
    assert cli._parser().parse_args(command.split()).run is not None


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_to_a_file(link):
    assert (ROOT / link).exists()
