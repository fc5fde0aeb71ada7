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
        run = snakemake(project, "tiny", "--sdm", "conda")
    assert run.returncode == 0, run.stdout
    assert (project / "results" / "tiny" / "report.html").exists()
    return project


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_holds_all_that_its_rules_import(deployed, name):
    """Away from Snakemake's own packages, which a script sees behind those of its environment."""
    files = (deployed / ".snakemake" / "conda").glob("*.yaml")
    folder = next(file.with_suffix("") for file in files if file.read_text() == ENVIRONMENTS[name])
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    settings = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [folder / "bin" / "python", "-c", code, *sorted(modules(name) - {"_entry"})]
    run = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def modules(environment: str) -> set[str]:
    """What the scripts of an environment's rules import anywhere, and the notebooks where it has a kernel.

    Where models are computed, also what the library imports in turn, though it be in a function.
    """
    rules = "\n".join(file.read_text() for file in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^ *(?:rule|checkpoint)\b", rules, flags=re.MULTILINE)
    inside = "\n".join(block for block in blocks if f"{environment}.yaml" in block)
    files = re.findall(r"workflow/scripts/\w+\.py", inside)
    if environment == "notebook":
        files += [f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")]
    if environment == "ffc":
        named = [path.relative_to(ROOT).with_suffix("") for folder in NAMED for path in folder.iterdir()]
        files = closure(files, [".".join(path.parts) for path in named])
    assert files
    found = set()
    for file in files:
        text = (ROOT / file).read_text()
        if file.endswith(".ipynb"):
            text = "\n".join(
                "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"
            )
        for node in ast.walk(ast.parse(text)):
            found |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {node.module} | {name for name in names if list(ROOT.glob(f"{name.replace('.', '/')}[./]*py"))}
    return found
