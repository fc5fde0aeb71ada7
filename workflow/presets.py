"""The configuration and the presets: read, checked against their schemas, defaults filled in.

Nothing here imports `ffc`: Snakemake plans in a moment, also where it is installed without JAX.
"""

import difflib
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

SCHEMAS = Path(__file__).parent / "schemas"

#: Rows of the images of a data set whose `size` a preset leaves open; other sets tell only when they are read.
NATIVE_ROWS = {"digits": 8, "patches": 8, "mnist": 28, "cifar10": 32, "cifar10-jpeg": 32}
#: Solvers that an entry may be called by; an entry of another name says which `solver` it is.
SOLVERS = ("sequential", "feedforward", "cached", "jacobi", "gs_jacobi", "jacobi_gs", "auto")

BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}


class ConfigError(Exception):
    """A configuration that a user can mend: which file and key, what was expected."""


def check_config(config: dict[str, Any], presets: dict[str, Any]) -> None:
    """Check the merged configuration (file and `--config`) and fill in its defaults, in place."""
    schema = _schema("config")
    _validate(config, schema, "config/config.yaml or --config")
    _fill(config, schema)
    if config["preset"] not in presets:
        raise ConfigError(
            f"preset: there is no {config['preset']!r}{_nearest(config['preset'], presets)}; "
            f"presets are {', '.join(presets)} (files in config/presets)"
        )


def load_presets(folder: Path) -> dict[str, Any]:
    """Every preset of a folder by its name, checked."""
    presets = {path.stem: load_preset(path) for path in sorted(folder.glob("*.yaml"))}
    for name in presets:
        if not name.isidentifier():
            raise ConfigError(f"{folder}/{name}.yaml: a preset's name has letters, digits and underscores; rename it")
    return presets


def load_preset(path: Path) -> dict[str, Any]:
    """One preset. Raises `ConfigError` with the first thing that is wrong."""
    try:
        preset = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    _validate(preset, _schema("preset"), str(path))
    for task, settings in preset["tasks"].items():
        try:
            _check_sizes(settings)
        except ConfigError as error:
            raise ConfigError(f"{path}: tasks.{task}.{error}") from None
    if (task := preset.get("scaling", {}).get("task")) not in {None, *preset["tasks"]}:
        raise ConfigError(f"{path}: scaling.task: {task}; the preset has no such task: add it, or name another")
    return preset


def _check_sizes(settings: dict[str, Any]) -> None:
    """Windows and blocks must fit the image, and weights must come from somewhere."""
    if "model" in settings and "train" not in settings and "released" not in settings:
        raise ConfigError("train: missing; give this, or the name of a released file (released:)")
    if "train_data" in settings and not settings.keys() >= {"released", "train"}:
        raise ConfigError(
            "train_data: of weights that are trained where a released file lacks; give both, or only data:"
        )
    rows = settings["data"].get("size", NATIVE_ROWS.get(settings["data"]["name"]))
    if settings.get("model", {}).get("kind") != "pixelcnnpp" or rows is None:
        return
    for name, solver in settings["solvers"].items():
        window, block = solver.get("window", 1), solver.get("block", 1)
        if isinstance(window, int) and window > rows:
            raise ConfigError(f"solvers.{name}.window: {window} rows, but the images have {rows}; give 1 … {rows}")
        if rows**2 % block:
            raise ConfigError(
                f"solvers.{name}.block: {block} does not divide the image's {rows**2} pixels; a row has {rows}"
            )


def _schema(name: str) -> dict[str, Any]:
    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text())


def _fill(value: dict[str, Any], schema: dict[str, Any]) -> None:
    for key, part in schema["properties"].items():
        value.setdefault(key, json.loads(json.dumps(part["default"])))
        if "properties" in part:
            _fill(value[key], part)


def _validate(value: Any, schema: dict[str, Any], source: str) -> None:
    errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
    # A misspelt key is both unknown and missing: the unknown one is the better news.
    first = min(
        errors, key=lambda error: (error.validator != "additionalProperties", list(map(str, error.path))), default=None
    )
    if first is not None:
        raise ConfigError(f"{source}: {_explain(first)}")


def _explain(error: jsonschema.ValidationError) -> str:
    """A schema's complaint in a user's words: the key, what it is, what was expected."""
    value, rule, schema = error.instance, error.validator_value, error.schema
    path = [str(key) for key in error.absolute_path]
    where = ".".join(path) or "the file"
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            unknown = next(str(key) for key in value if key not in known)
            expected = f"expected {', '.join(known)}" if known else "it takes no keys"
            return f"{'.'.join([*path, unknown])}: unknown key{_nearest(unknown, known)}; {expected}"
        case "required":
            missing = next(key for key in rule if key not in value)
            if missing == "solver":
                return (
                    f"{where}: no solver has that name{_nearest(path[-1], SOLVERS)}; use one of "
                    f"{', '.join(SOLVERS)}, or say which it is (solver: jacobi)"
                )
            return f"{where}: {missing} is missing"
        case "type" if value is None:
            return f"{where}: empty; expected {_type(rule)}"
        case "type":
            return f"{where}: {value!r} is not {_type(rule)}{_hint(value)}"
        case "enum" | "const":
            known = [str(word) for word in (rule if isinstance(rule, list) else [rule])]
            return f"{where}: {value!r} is unknown{_nearest(str(value), known)}; expected {', '.join(known)}"
        case word if word in BOUNDS:
            return f"{where}: {value} is out of range; expected {BOUNDS[word]} {rule}"
        case _:
            expected = f"; expected {schema['description']}" if "description" in schema else ""
            return f"{where}: {error.message}{expected}"


def _type(rule: str | list[str]) -> str:
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "object": "a section of keys",
        "array": "a list",
        "boolean": "true or false",
        "null": "null",
    }
    return " or ".join(words[name] for name in ([rule] if isinstance(rule, str) else rule))


def _hint(value: Any) -> str:
    """What YAML, or Snakemake's `--config`, read as text."""
    if value in ("true", "false"):
        return f"; on the command line write {value.title()}"
    try:
        return f"; write {float(value):.1e}" if isinstance(value, str) else ""
    except ValueError:
        return ""


def _nearest(word: str, known) -> str:
    near = difflib.get_close_matches(word, list(map(str, known)), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
