"""The rooms of `ffc`: which may import which, what the library alone needs, and what names an extra."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

from ffc.core.errors import FFCError, need

#: Each room, and the rooms that it may import beside itself.
LIBRARY = ("core", "recurrence", "models")
ROOMS = {
    "core": (),
    "recurrence": ("core",),
    "models": ("core", "recurrence"),
    "store": (*LIBRARY, "data", "training"),
    "data": (*LIBRARY, "store", "training"),
    "training": (*LIBRARY, "store", "data"),
    "box": (*LIBRARY, "store", "data", "training"),
    "paper": (*LIBRARY, "store", "data", "training"),
    "cli": (*LIBRARY, "store", "data", "training", "box", "paper"),
}
FILES = sorted((ROOT / "ffc").rglob("*.py"))


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
    assert [path.name for path in (ROOT / "ffc").glob("*.py")] == ["__init__.py"]
    assert {path.parent.name for path in FILES if path.parent.parent == ROOT / "ffc"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room):
    for path in (ROOT / "ffc" / room).rglob("*.py"):
        found = {name.split(".")[1] for name in imports(path) if name.startswith("ffc.")}
        assert found & ROOMS.keys() <= {room, *ROOMS[room]}, path


@pytest.mark.parametrize("room", LIBRARY)
def test_the_library_needs_jax_and_numpy_alone(room):
    allowed = {"jax", "numpy", "ffc", *sys.stdlib_module_names}
    for path in (ROOT / "ffc" / room).rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_importing_ffc_brings_nothing_that_importing_jax_does_not():
    code = "import sys, jax, numpy\nbefore = set(sys.modules)\nimport ffc, ffc.models, ffc.recurrence\n"
    code += "print(*{name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["ffc"]


def test_a_missing_package_is_one_line_that_names_the_extra():
    need("jax", "numpy", extra="cli")
    with pytest.raises(FFCError, match=r"^no_such_thing: not installed; run: pip install 'fast-feedforward\[cli\]'$"):
        need("jax", "no_such_thing", extra="cli")


def test_every_extra_that_is_named_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for path in FILES for extra in re.findall(r"extra=\"(\w+)\"", path.read_text())}
    assert named <= extras.keys()
    assert named
