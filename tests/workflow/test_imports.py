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
    own = [name for name in names if name not in ("run_notebook", "measure")]  # whose rules others use with their own
    assert len(own) > 15
    assert own[::2] == own[1::2]


def files_loaded(modules, folder=ROOT) -> list[str]:
    """The files of all modules that Python has loaded when it has imported these."""
    program = f"import sys, {', '.join(modules)}; print(*(getattr(m, '__file__', '') for m in sys.modules.values()))"
    return subprocess.check_output([sys.executable, "-c", program], cwd=folder, text=True).split()


def test_nothing_is_imported_that_a_rule_does_not_know():
    modules = ["ffc.paper.experiments.rnn", "ffc.models.made"]
    loaded = {path.removeprefix(f"{ROOT}/") for path in files_loaded(modules) if path.startswith(f"{ROOT}/ffc/")}
    assert {"ffc/recurrence/drafts.py", "ffc/models/made/system.py"} <= loaded <= set(closure([], modules))


def test_a_plan_needs_the_librarys_declarations_and_brings_nothing_heavy():
    loaded = files_loaded([path.stem for path in (ROOT / "workflow").glob("*.py")], ROOT / "workflow")
    assert not [path for path in loaded if re.search(r"/site-packages/(jax|flax|torch|matplotlib)/", path)]


SCRIPTS = "workflow/scripts"


@pytest.mark.parametrize(
    ("roots", "modules", "inside", "outside"),
    [
        ([f"{SCRIPTS}/data.py"], [], "data/sources", "core/loop"),
        ([f"{SCRIPTS}/solve.py"], ["ffc.paper.experiments.sampling"], "core/loop", "recurrence/drafts"),
        ([f"{SCRIPTS}/run_notebook.py", "notebooks/made.ipynb"], [], "paper/figures/style", "core/loop"),
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
