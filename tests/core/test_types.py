"""The public interface says its types (mypy, in .ci/style, checks that they hold)."""

import importlib
import inspect
import pkgutil

import ffc


def public(scope, module):
    """The functions of a module or class of ours that have no underscore, and those of its public classes."""
    for name, member in vars(scope).items():
        member = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
        if name.startswith("_") or getattr(member, "__module__", None) != module:
            continue
        if inspect.isfunction(member):
            yield member
        elif inspect.isclass(member):
            yield from public(member, module)


def test_every_public_function_says_its_types():
    untyped = []
    for module in ["ffc", *(module.name for module in pkgutil.walk_packages(ffc.__path__, "ffc."))]:
        for function in public(importlib.import_module(module), module):
            parameters = inspect.signature(function).parameters.keys() - {"self", "cls"}
            if not parameters | {"return"} <= function.__annotations__.keys():
                untyped.append(f"{module}.{function.__qualname__}")
    assert untyped == []
