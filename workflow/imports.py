"""The files of the repository that a script runs: what it imports, and what these import in turn.

Snakemake reruns a job where its script changed, and does not look at what the script imports. The files follow from
the import statements, also of those inside functions. A module that is chosen by name at run time is one of the roots.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class _Import(NamedTuple):
    name: str  # dotted
    lazy: bool  # under `if TYPE_CHECKING`: a package gets such names when somebody asks for them


def closure(roots: Iterable[str], modules: Iterable[str] = ()) -> list[str]:
    """Return `roots`, paths below the repository, and every file of it that they import, each once, sorted.

    `modules` are dotted names of others that run with them; those that lie elsewhere are left out.
    """
    visited: set[tuple[Path, bool]] = set()
    waiting = [(ROOT / root, False) for root in roots] + [pair for name in modules for pair in _files(name, ROOT)]
    while waiting:
        path, asked = pair = waiting.pop()
        if pair not in visited:
            visited.add(pair)
            for name, lazy in _imports(path):
                if asked or not lazy:
                    waiting += _files(name, path.parent)
    return sorted({str(path.relative_to(ROOT)) for path, _ in visited})


@cache
def digest(roots: tuple[str, ...], modules: tuple[str, ...], files: tuple[str, ...], without: str) -> str:
    """Return what changes with `files`, and with the content of a file in `closure`, if its path does not begin so."""
    paths = [path for path in closure(roots, modules) if not path.startswith(without)]
    return hashlib.sha256("".join(path + _content(path) for path in (*paths, *files)).encode()).hexdigest()[:16]


@cache
def _content(path: str) -> str:
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()


@cache
def _imports(path: Path) -> tuple[_Import, ...]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return tuple(_statements(ast.parse(text, str(path)), lazy=False))


def _statements(node: ast.AST, lazy: bool) -> Iterator[_Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (_Import(alias.name, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from (_Import(f"{child.module}.{alias.name}", lazy) for alias in child.names)
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            typing = isinstance(child, ast.If) and getattr(child.test, "id", None) == "TYPE_CHECKING"
            yield from _statements(child, lazy or typing)


@cache
def _files(name: str, beside: Path) -> list[tuple[Path, bool]]:
    """Return the files that an import of the dotted `name` runs; of the last one, whether a name in it is asked for."""
    parts = name.split(".")
    for folder in (ROOT, beside):
        files = []
        for i, part in enumerate(parts):
            package, module = folder / part / "__init__.py", folder / f"{part}.py"
            if module.is_file():
                return [*files, (module, False)]
            if not package.is_file():
                break
            files.append((package, i < len(parts) - 1 and not _is_module(folder / part, parts[i + 1])))
            folder /= part
        if files:
            return files
    return []


def _is_module(package: Path, name: str) -> bool:
    return (package / f"{name}.py").is_file() or (package / name / "__init__.py").is_file()
