"""The configuration and the presets: read, checked, defaults filled in; and what is said of a mistake."""

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import checks
import jsonschema
import schemas
import yaml
from snakemake.utils import update_config

from ffc.core.errors import FFCError
from ffc.core.names import nearest

_DEFAULTS = Path(__file__).resolve().parents[1] / "config" / "config.yaml"


class Loader(yaml.SafeLoader):
    """YAML in which a key appears once, and `1e-3` is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := next((key for key, count in keys.items() if count > 1), None):
            raise yaml.MarkedYAMLError(problem=f"{twice} appears twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def check_config(config: dict[str, Any], presets: dict[str, Any]) -> None:
    """Check the merged configuration (file and `--config`), and fill in what the project's own file says besides."""
    _validate(config, schemas.CONFIG, "config/config.yaml or --config")
    whole = yaml.safe_load(_DEFAULTS.read_bytes())
    update_config(whole, config)
    config |= whole
    if config["preset"] not in presets:
        raise FFCError(
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
                raise FFCError(f"{path}: {name} is the name of a rule; give the file another name")
            presets[name] = load_preset(path)
        except FFCError as error:
            faults[name] = str(error)
    return presets, faults


def load_preset(path: Path) -> dict[str, Any]:
    """Return one preset. Raises `FFCError` with the first thing that is wrong."""
    if not path.stem.isidentifier():
        raise FFCError(f"{path}: a preset's name has letters, digits and underscores; rename it")
    try:
        preset = yaml.load(path.read_bytes().decode(), Loader)
    except OSError as error:
        raise FFCError(f"{path}: cannot be read ({error})") from None
    except Exception as error:  # PyYAML, and Python, to which it leaves dates and numbers, raise types of their own
        raise FFCError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    _validate(preset, schemas.of_preset(preset), str(path))
    try:
        checks.check(preset)
    except FFCError as error:
        raise FFCError(f"{path}: {error}") from None
    return preset


def _validate(value: Any, schema: dict[str, Any], source: str) -> None:
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    # Which keys a section may have follows from its kind or name, and those of `scaling` from the tasks.
    deciding = [error for error in errors if error.path and error.path[-1] in ("kind", "solver", "name")]
    elsewhere = [error for error in errors if not error.path or error.path[0] != "scaling"]
    if first := jsonschema.exceptions.best_match(deciding or elsewhere or errors):
        raise FFCError(f"{source}: {_explain(first)}")


def _explain(error: jsonschema.ValidationError) -> str:
    """Return a schema's complaint with the key, and the nearest of the words that it may be."""
    value, message, place = error.instance, error.message, [str(key) for key in error.absolute_path]
    match error.validator:
        case "additionalProperties":
            known = list(error.schema["properties"])
            place.append(next(str(key) for key in value if key not in known))
            expected = f"expected {', '.join(known)}" if known else "it takes no keys"
            message = f"unknown key{nearest(place[-1], known)}; {expected}"
        case "enum":
            known = list(map(str, error.validator_value))
            message = f"{value!r} is unknown{nearest(value, known)}; expected {', '.join(known)}"
        case "type" if value is None:
            message = "empty"
    about = error.schema.get("description")
    return f"{'.'.join(place) or 'the file'}: {message}" + (f" ({about})" if about else "")
