"""The configuration and the presets: read, checked, defaults filled in; and what is said of a mistake."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import checks
import jsonschema
import schemas
import yaml
from plain_yaml import Loader

from ffc.core.errors import FFCError
from ffc.core.names import nearest

_LONGEST = 2**17  # bytes of a preset's file

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "object": "a section of keys",
    "array": "a list",
    "boolean": "true or false",
    "null": "null",
}


class ConfigError(Exception):
    """A configuration that a user can mend: which file and key, what was expected."""


def check_config(config: dict[str, Any], presets: dict[str, Any]) -> None:
    """Check the merged configuration (file and `--config`) and fill in its defaults, in place."""
    _validate(config, schemas.CONFIG, "config/config.yaml or --config")
    _fill(config, schemas.CONFIG)
    if config["preset"] not in presets:
        raise ConfigError(
            f"preset: there is no {config['preset']!r}{nearest(config['preset'], presets)}; "
            f"presets are {', '.join(presets)} (files in config/presets)"
        )


def load_presets(*folders: Path, taken: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, str]]:
    """Return every sound preset of some folders by its name; and what is wrong with every other one, by its name.

    Of two files of one name the later folder's counts. Names that are `taken`, by rules, are no preset's: each is a
    target.
    """
    presets, faults = {}, {}
    for name, path in {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}.items():
        try:
            if name in taken:
                raise ConfigError(f"{path}: {name} is the name of a rule; give the file another name")
            presets[name] = load_preset(path)
        except ConfigError as error:
            faults[name] = str(error)
    return presets, faults


def load_preset(path: Path) -> dict[str, Any]:
    """Return one preset. Raises `ConfigError` with the first thing that is wrong."""
    if not path.stem.isidentifier():
        raise ConfigError(f"{path}: a preset's name has letters, digits and underscores; rename it")
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"larger than {_LONGEST:,} bytes")
        preset = yaml.load(content.decode(), Loader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except Exception as error:  # PyYAML, and Python, to which it leaves dates and numbers, raise types of their own
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    _validate(preset, schemas.of_preset(preset), str(path))
    try:
        checks.check(preset)
    except FFCError as error:
        raise ConfigError(f"{path}: {error}") from None
    return preset


def _fill(value: dict[str, Any], schema: dict[str, Any]) -> None:
    for key, part in schema["properties"].items():
        value.setdefault(key, json.loads(json.dumps(part["default"])))
        if "properties" in part:
            _fill(value[key], part)


def _validate(value: Any, schema: dict[str, Any], source: str) -> None:
    errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
    first = min(errors, key=_rank, default=None)
    if first is not None:
        raise ConfigError(f"{source}: {_explain(first)}")


def _rank(error: jsonschema.ValidationError) -> tuple[bool, bool, bool, list[str]]:
    """Return what puts the complaint first that helps most.

    Which keys a section may have follows from its kind or name, and those of `scaling` from the tasks. A misspelt key
    is both unknown and missing.
    """
    path = [str(key) for key in error.absolute_path]
    other = path[-1:] not in (["kind"], ["solver"], ["name"])
    return other, path[:1] == ["scaling"], error.validator != "additionalProperties", path


def _explain(error: jsonschema.ValidationError) -> str:
    """Return a schema's complaint in a user's words: the key, what it is, what was expected."""
    value, rule, schema = error.instance, error.validator_value, error.schema
    path = [str(key) for key in error.absolute_path]
    where, description = ".".join(path) or "the file", schema.get("description")
    match error.validator:
        case "additionalProperties":
            known = list(schema["properties"])
            unknown = next(str(key) for key in value if key not in known)
            expected = f"expected {', '.join(known)}" if known else "it takes no keys"
            return f"{'.'.join([*path, unknown])}: unknown key{nearest(unknown, known)}; {expected}"
        case "required":
            missing = next(key for key in rule if key not in value)
            if missing == "solver":
                known = schema["properties"]["solver"]["enum"]
                return (
                    f"{where}: no solver has that name{nearest(path[-1], known)}; use one of {', '.join(known)}, or "
                    f"say which it is (solver: jacobi)"
                )
            return f"{where}: {missing} is missing"
        case "type" if value is None:
            return f"{where}: empty; expected {_type(rule)}"
        case "type":
            return f"{where}: {value!r} is not {_type(rule)}{_hint(value)}"
        case "enum":
            known = ", ".join(map(str, rule)) + (f" ({description})" if description else "")
            return f"{where}: {value!r} is unknown{nearest(value, rule)}; expected {known}"
        case word if word in _BOUNDS:
            return f"{where}: {value} is out of range; expected {_BOUNDS[word]} {rule}"
        case _:
            return f"{where}: {error.message}" + (f"; expected {description}" if description else "")


def _type(rule: str | list[str]) -> str:
    return " or ".join(_TYPES[name] for name in ([rule] if isinstance(rule, str) else rule))


def _hint(value: Any) -> str:
    """Return what YAML, or Snakemake's `--config`, read as text."""
    if value in ("true", "false"):
        return f"; on the command line write {value.title()}"
    try:
        return f"; write {float(value):.1e}" if isinstance(value, str) else ""
    except ValueError:
        return ""
