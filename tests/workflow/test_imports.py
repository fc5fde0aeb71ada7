"""A rule depends on the files of the repository that it runs, and on no others."""

import re
import subprocess
import sys

import pytest
from imports import closure
from places import ROOT


def test_each_rule_depends_on_the_script_that_it_runs():
    rules = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    names = [code or script for code, script in re.findall(r'code\(\s*"(\w+)"|\.\./workflow/scripts/(\w+)\.py', rules)]
    own = [name for name in names if name != "run_notebook"]  # whose rule others use with a notebook of their own
    assert len(own) > 15
    assert own[::2] == own[1::2]


def test_nothing_is_imported_that_a_rule_does_not_know():
    """Python itself says what a job has loaded."""
    modules = ["ffc.paper.experiments.rnn", "ffc.models.made"]
    shown = "print(*(getattr(module, '__file__', '') or '' for module in sys.modules.values()))"
    program = f"import sys, {', '.join(modules)}; {shown}"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {path.removeprefix(f"{ROOT}/") for path in ran.stdout.split() if path.startswith(f"{ROOT}/ffc/")}
    assert {"ffc/recurrence/drafts.py", "ffc/models/made/system.py"} <= loaded
    assert loaded <= set(closure([], modules))


def test_a_plan_needs_the_librarys_declarations_and_brings_nothing_heavy():
    modules = [path.stem for path in sorted((ROOT / "workflow").glob("*.py"))]
    program = f"import sys, {', '.join(modules)}; print(*{{'jax', 'flax', 'torch', 'matplotlib'}} & sys.modules.keys())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "workflow", capture_output=True, text=True, check=True
    )
    assert ran.stdout == "\n"


SCRIPTS = "workflow/scripts"


@pytest.mark.parametrize(
    ("roots", "modules", "inside", "outside"),
    [
        ([f"{SCRIPTS}/data.py"], [], "data/sources", "core/loop"),
        ([f"{SCRIPTS}/solve.py"], ["ffc.paper.experiments.sampling"], "core/loop", "recurrence/drafts"),
        ([f"{SCRIPTS}/solve.py"], ["ffc.models.made"], "models/kinds", "paper/views"),
        ([f"{SCRIPTS}/run_notebook.py", "notebooks/made.ipynb"], [], "paper/figures/style", "core/loop"),
        ([f"{SCRIPTS}/run_notebook.py", "notebooks/made.ipynb"], [], "paper/views", "paper/captions"),
        ([f"{SCRIPTS}/train.py"], ["elsewhere.model"], "training/loop", "recurrence/drafts"),
    ],
)
def test_a_change_reruns_what_imports_it(roots, modules, inside, outside):
    files = closure(roots, modules)
    assert f"ffc/{inside}.py" in files
    assert f"ffc/{outside}.py" not in files
    assert all((ROOT / file).is_file() for file in files)


def test_a_name_that_a_package_imports_when_it_is_asked_for_is_followed_whoever_comes_first():
    """`from ffc import Draft` runs what `import ffc` does not."""
    assert "ffc/core/loop.py" not in closure(["ffc/__init__.py"])
    for roots in (["ffc/__init__.py", "tests/helpers/drafting.py"], ["tests/helpers/drafting.py", "ffc/__init__.py"]):
        assert "ffc/core/loop.py" in closure(roots)
