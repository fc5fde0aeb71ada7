"""The public interface says its types (mypy, in .ci/style, checks that they hold)."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import ffc

MODULES = ["ffc", *(module.name for module in pkgutil.walk_packages(ffc.__path__, "ffc."))]


def public(scope: object, module: str) -> Iterator[object]:
    """The functions of a module or class of ours that have no underscore, and those of its public classes."""
    for name, member in vars(scope).items():
        member = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
        if name.startswith("_") or getattr(member, "__module__", None) != module:
            continue
        if inspect.isfunction(member):
            yield member
        elif inspect.isclass(member):
            yield from public(member, module)


@pytest.mark.parametrize("module", MODULES)
def test_a_public_function_says_its_types(module):
    untyped = []
    for function in public(importlib.import_module(module), module):
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        if any(p.annotation is p.empty for p in parameters) or signature.return_annotation is signature.empty:
            untyped.append(function.__qualname__)
    assert untyped == []
