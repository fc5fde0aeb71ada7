"""The rooms of `ffc`: which may import which, what the library alone needs; and that no test is skipped unseen."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import skips
from places import ROOT

from ffc.core.errors import FFCError, need

#: Each room, and the rooms that it may import beside itself.
LIBRARY = ("core", "recurrence", "models")
FILES = (*LIBRARY, "store", "data", "training")
ROOMS = {
    "core": (),
    "recurrence": ("core",),
    "models": ("core", "recurrence"),
    **dict.fromkeys(("store", "data", "training", "box"), FILES),
    "paper": (*FILES, "box"),
    "cli": (*FILES, "box", "paper"),
}
MODULES = sorted((ROOT / "ffc").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # it may be a module


def test_the_root_holds_the_public_names_alone():
    (root,) = (ROOT / "ffc").glob("*.py")
    assert root.name == "__init__.py"
    assert {name.partition(".")[0] for name in imports(root)} <= {"ffc", *sys.stdlib_module_names}
    assert {path.parent.name for path in MODULES if path.parent.parent == ROOT / "ffc"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it_and_the_library_jax_and_numpy_alone(room):
    for path in (ROOT / "ffc" / room).rglob("*.py"):
        names = set(imports(path))
        rooms = {name.split(".")[1] for name in names if name.startswith("ffc.")}
        assert rooms & ROOMS.keys() <= {room, *ROOMS[room]}, path
        if room in LIBRARY:
            assert {name.split(".")[0] for name in names} <= {"jax", "numpy", "ffc", *sys.stdlib_module_names}, path


def test_a_missing_package_is_one_line_that_names_an_extra_that_exists():
    need("jax", "numpy", extra="cli")
    with pytest.raises(
        FFCError, match=r"^no_such_thing: not installed; run in a clone of the project: pip install '\.\[cli\]'$"
    ):
        need("jax", "no_such_thing", extra="cli")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for path in MODULES for extra in re.findall(r"extra=\"(\w+)\"", path.read_text())}
    assert named
    assert named <= extras.keys()


def test_a_skipped_test_fails_a_strict_run_and_is_named(pytester):
    marks = "import pytest\n\n@pytest.mark.{}\ndef test_late():\n    assert False"
    pytester.makepyfile(test_mine=marks.format("skip('no such program')"), test_known=marks.format("xfail"))
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", plugins=[skips.Strict()])
    ended.assert_outcomes(errors=1, xfailed=1)
    assert "skipped, and not named in tests/helpers/skips.py: Skipped: no such program" in ended.outlines
