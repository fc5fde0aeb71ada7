"""The configuration and the presets: read, checked against their schemas, defaults filled in.

Nothing here imports `ffc`: Snakemake plans in a moment, also where it is installed without JAX.
"""

import difflib
import functools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jsonschema
import sizes
import yaml
from plain_yaml import Loader
from tasks import SCALING, problem_of, section_of

SCHEMAS = Path(__file__).parent / "schemas"

#: Rows of the images of a data set whose `size` a preset leaves open; other sets tell only when they are read.
NATIVE_ROWS = {"digits": 8, "patches": 8, "mnist": 28, "cifar10": 32, "cifar10-jpeg": 32}
#: Solvers that an entry may be called by; an entry of another name says which `solver` it is.
SOLVERS = ("sequential", "feedforward", "cached", "jacobi", "gs_jacobi", "jacobi_gs", "auto")
#: Those whose answer is the sequential one by definition; the first that a task has is what others are held against.
_SEQUENTIAL = ("sequential", "feedforward", "cached")

_LONGEST = 2**17  # bytes of a preset's file

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
    """One preset. Raises `ConfigError` with the first thing that is wrong."""
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
    _validate(preset, _schema_for(preset), str(path))
    if problem := problem_of(preset):
        raise ConfigError(f"{path}: {problem}")
    for task, settings in preset["tasks"].items():
        try:
            _check_sizes(settings)
        except ConfigError as error:
            raise ConfigError(f"{path}: tasks.{task}.{error}") from None
    try:
        _check_scaling(preset)
    except ConfigError as error:
        raise ConfigError(f"{path}: scaling.{error}") from None
    return preset


def _check_scaling(preset: dict[str, Any]) -> None:
    """Check that the weights serve at any size, and that the axes are those of their model."""
    section = preset.get("scaling")
    if section is None:
        return
    task, kinds = section["task"], {name: task.get("model", {}).get("kind") for name, task in preset["tasks"].items()}
    fit = [name for name, kind in kinds.items() if kind in SCALING]
    if task not in fit:
        raise ConfigError(
            f"task: {task} is no task of {' or '.join(SCALING)} here{nearest(task, fit)}; the preset has "
            f"{', '.join(fit) or 'none'}: name one, or add it"
        )
    if problem := sizes.problem_of_lengths(section, preset["tasks"][task]):
        raise ConfigError(problem)
    axes, given = SCALING[kinds[task]], section.keys() - {"task", "system"}
    if unknown := sorted(given - {*axes}):
        raise ConfigError(f"{unknown[0]}: unknown key; of {kinds[task]} it takes {', '.join(axes)}")
    if not given:
        raise ConfigError(f"{axes[0]}: missing; give one at least of {', '.join(axes)}")


def reference_of(settings: dict[str, Any], solver: str) -> str | None:
    """The solver of a task that gives the sequential answer of the system that `solver` solves; None if none does."""
    solvers, system = settings["solvers"], _system_of(settings, solver)
    kinds = {name: entry.get("solver", name) for name, entry in solvers.items() if _system_of(settings, name) == system}
    found = [name for name, kind in kinds.items() if kind in _SEQUENTIAL]
    return min(found, key=lambda name: _SEQUENTIAL.index(kinds[name]), default=None)


def _system_of(settings: dict[str, Any], solver: str) -> dict[str, Any]:
    """Return the options of the system that a solver solves: its own, or else its task's."""
    options = _schema("preset")["$defs"]["system"]["properties"]
    defaults = {name: option["enum"][0] for name, option in options.items() if "enum" in option}
    return defaults | settings["solvers"][solver].get("system", settings.get("system", {}))


def _check_sizes(settings: dict[str, Any]) -> None:
    """Windows and blocks must fit the image, weights must come from somewhere, and answers be compared with another."""
    for name in settings["solvers"]:
        if reference_of(settings, name) is None:
            raise ConfigError(
                f"solvers.{name}.system: no solver gives this system's sequential answer, to compare with; add one, "
                f"such as {name}_cached: {{solver: cached, system: …}} with the same options"
            )
    if "model" in settings and "train" not in settings and "released" not in settings:
        raise ConfigError("train: missing; give this, or the name of a released file (released:)")
    if settings.keys() >= {"released", "weights"}:
        raise ConfigError("weights: of the box, and released: a file of the authors'; give one of them")
    if "train_data" in settings and not settings.keys() >= {"released", "train"}:
        raise ConfigError(
            "train_data: of weights that are trained where a released file lacks; give both, or only data:"
        )
    rows = settings["data"].get("size", NATIVE_ROWS.get(settings["data"]["name"]))
    if problem := sizes.problem_of(settings, rows):
        raise ConfigError(problem)


def _schema_for(preset: Any) -> dict[str, Any]:
    """Return the schema of presets, in which each of this one's tasks has the section that its model asks for."""
    schema, tasks = _schema("preset"), preset.get("tasks") if isinstance(preset, dict) else None
    if not isinstance(tasks, dict):
        return schema
    sections = {task: {"$ref": f"#/$defs/{section_of(settings)}"} for task, settings in tasks.items()}
    properties = schema["properties"]
    return schema | {"properties": properties | {"tasks": properties["tasks"] | {"properties": sections}}}


@functools.cache
def _schema(name: str) -> dict[str, Any]:
    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text("utf-8"))


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


def _rank(error: jsonschema.ValidationError) -> tuple[bool, bool, list[str]]:
    """Return the complaint that helps most comes first.

    Which keys a task may have follows from its model's kind. A misspelt key is both unknown and missing.
    """
    path = [str(key) for key in error.absolute_path]
    return path[-2:] != ["model", "kind"], error.validator != "additionalProperties", path


def _explain(error: jsonschema.ValidationError) -> str:
    """Return a schema's complaint in a user's words: the key, what it is, what was expected."""
    value, rule, schema = error.instance, error.validator_value, error.schema
    path = [str(key) for key in error.absolute_path]
    where = ".".join(path) or "the file"
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            unknown = next(str(key) for key in value if key not in known)
            expected = f"expected {', '.join(known)}" if known else "it takes no keys"
            return f"{'.'.join([*path, unknown])}: unknown key{nearest(unknown, known)}; {expected}"
        case "required":
            missing = next(key for key in rule if key not in value)
            if missing == "solver":
                return (
                    f"{where}: no solver has that name{nearest(path[-1], SOLVERS)}; use one of "
                    f"{', '.join(SOLVERS)}, or say which it is (solver: jacobi)"
                )
            return f"{where}: {missing} is missing"
        case "type" if value is None:
            return f"{where}: empty; expected {_type(rule)}"
        case "type":
            return f"{where}: {value!r} is not {_type(rule)}{_hint(value)}"
        case "enum" | "const":
            known = [str(word) for word in (rule if isinstance(rule, list) else [rule])]
            return f"{where}: {value!r} is unknown{nearest(str(value), known)}; expected {', '.join(known)}"
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
    """Return what YAML, or Snakemake's `--config`, read as text."""
    if value in ("true", "false"):
        return f"; on the command line write {value.title()}"
    try:
        return f"; write {float(value):.1e}" if isinstance(value, str) else ""
    except ValueError:
        return ""


def nearest(word: str, known) -> str:
    near = difflib.get_close_matches(word, list(map(str, known)), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
