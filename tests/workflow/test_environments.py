"""`snakemake --sdm conda`: each rule runs in an environment of its own, which holds all that it needs.

A stand-in for conda (conda.py) installs the packages, so this needs a package index or uv's cache.
"""

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import conda
import pytest
from places import ROOT
from tiny import copy_to, snakemake

ENVIRONMENTS = {file.stem: file.read_text() for file in sorted((ROOT / "envs").glob("*.yaml"))}
pytestmark = [pytest.mark.packages, pytest.mark.stress]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory) -> Path:
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
def test_an_environment_runs_its_rules_and_holds_all_that_they_import(deployed, name):
    """Away from Snakemake's own packages, which a script sees behind those of its environment."""
    files = (deployed / ".snakemake" / "conda").glob("*.yaml")
    folder = next(file.with_suffix("") for file in files if file.read_text() == ENVIRONMENTS[name])
    modules = sorted(reached(users(name), lazy=name == "ffc"))
    assert modules
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    settings = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [folder / "bin" / "python", "-c", code, *modules]
    run = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def users(environment: str) -> list[Path]:
    """The scripts of the rules that run in an environment, and the notebooks where it has a kernel."""
    rules = "\n".join(file.read_text() for file in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^ *(?:rule|checkpoint)\b", rules, flags=re.MULTILINE)
    inside = "\n".join(block for block in blocks if f"{environment}.yaml" in block)
    scripts = sorted(set(re.findall(r"workflow/scripts/\w+\.py", inside)))
    notebooks = (ROOT / "notebooks").glob("*.ipynb") if "ipykernel" in ENVIRONMENTS[environment] else ()
    return [*(ROOT / name for name in scripts), *notebooks]


def reached(files: list[Path], lazy: bool) -> set[str]:
    """The modules that `files` import; with `lazy`, also those that a function of `ffc` imports when it is called.

    What notebooks import lazily shows when they run.
    """
    modules, waiting = set(), [name for file in files for name in imported(file) if name != "_entry"]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        source = next(filter(Path.exists, (path.with_suffix(".py"), path / "__init__.py")), None)
        if name in modules or (name.startswith("ffc.") and source is None):  # a function, say
            continue
        modules.add(name)
        waiting += imported(source) if lazy and source else ()
    return modules


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports anywhere, or names as `module:Class`."""
    text = file.read_text()
    if file.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.split(".")[0] == "ffc")
        elif isinstance(node, ast.Constant) and re.match(r"ffc(\.\w+)+:", str(node.value)):
            yield node.value.partition(":")[0]
