"""`snakemake --sdm conda`: each rule runs in an environment of its own, which holds all that it needs.

A stand-in for conda (conda.py) installs the packages, so this needs a package index or uv's cache.
"""

import ast
import json
import os
import re
import subprocess

import conda
import pytest
from imports import closure
from places import ROOT
from tiny import copy_to, snakemake

ENVIRONMENTS = {file.stem: file.read_text() for file in sorted((ROOT / "envs").glob("*.yaml"))}
SCRIPT, NOTEBOOKS = r"workflow/scripts/\w+\.py", sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Folders of what a job finds by name.
NAMED = [ROOT / "ffc" / "models", ROOT / "ffc" / "paper" / "experiments"]
pytestmark = [pytest.mark.packages, pytest.mark.stress]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A copy of the project in which the tiny preset has run, each rule in the environment that it names."""
    project = copy_to(tmp_path_factory.mktemp("project"))
    programs = conda.install(tmp_path_factory.mktemp("conda"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=os.pathsep)
        snakemake(project, "tiny", "--sdm", "conda")
    assert (project / "results" / "tiny" / "report.html").exists()
    return project


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_holds_all_that_its_rules_import(deployed, name):
    """Away from Snakemake's own packages, which a script sees behind those of its environment."""
    files = (deployed / ".snakemake" / "conda").glob("*.yaml")
    folder = next(file.with_suffix("") for file in files if file.read_text() == ENVIRONMENTS[name])
    settings = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [folder / "bin" / "python", "-c", "\n".join(sorted(statements(name)))]
    run = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def statements(environment: str) -> set[str]:
    """The imports in scripts of an environment's rules, wherever they stand, and in notebooks where it has a kernel.

    Where models are computed, also those of the library, though they be in a function.
    """
    rules = "\n".join(file.read_text() for file in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^ *(?:rule|checkpoint)\b", rules, flags=re.MULTILINE)
    files = {file for block in blocks if f"{environment}.yaml" in block for file in re.findall(SCRIPT, block)}
    assert files
    if environment == "ffc":
        named = [path.relative_to(ROOT).with_suffix("") for folder in NAMED for path in folder.iterdir()]
        files = closure(files, [".".join(path.parts) for path in named])
    programs = [(ROOT / file).read_text() for file in files]
    if environment == "notebook":
        cells = [cell for path in NOTEBOOKS for cell in json.loads(path.read_text())["cells"]]
        programs += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    nodes = [node for text in programs for node in ast.walk(ast.parse(text))]
    imports = {ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)}
    return {statement for statement in imports if not statement.startswith("from _entry ")}
