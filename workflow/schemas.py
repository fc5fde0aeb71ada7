"""What the configuration and a preset may say, as JSON Schema.

Names, sizes and options are those that the library declares. Each task, data set and solver of a preset has the section
of its kind, which is looked up in what is given, whatever that is: nothing is checked yet.
"""

from collections.abc import Mapping
from typing import Any

from ffc.core.names import BLOCKS, GUESSES, SEEDS
from ffc.core.solvers import SOLVERS
from ffc.data import DATASETS, options_of
from ffc.models.kinds import COUNT, KINDS, Kind, Number, Option, Schema
from ffc.paper.tasks import PAPER

TEXT: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}
TRAIN: Schema = {"type": "object"}  # `TrainSettings` says more (checks.py)
_OR_NULL: Schema = {"type": ["string", "null"]}
_SWITCH: Schema = {**FLAG, "description": "on the command line, True or False"}
_DIGEST = {**_OR_NULL, "pattern": "^[0-9a-fA-F]{64}$", "description": "64 hexadecimal digits, or null"}


def _named(pattern: str, description: str) -> Schema:
    return {"type": "string", "pattern": pattern, "description": description}


TASK = _named("^[a-zA-Z][a-zA-Z0-9_]*$", "letters, digits and underscores, a letter first")
SOLVER = _named("^[a-z][a-z0-9_]*$", "small letters, digits and underscores, a letter first")
RELEASED = _named(r"^[\w.-]+\.(flax|pth)$", "a file name that ends in .flax or .pth")
BOXED = _named("^[a-z0-9][a-z0-9-]*$", "the name of a model in the box (ffc models)")
_TYPES = {int: COUNT, str: TEXT, bool: FLAG}
#: Words of solvers: a window is a number of rows, or of pixels or entries.
_WORDS: dict[str, Schema] = {
    "window": {"type": ["integer", "string"], "minimum": 1, "pattern": f"^(auto|{BLOCKS.pattern})$"},
    "block": COUNT,
    "guess": {"enum": [*GUESSES]},
    "draft": FLAG,
    "together": FLAG,
}


def section(needed: str = "", /, **keys: Schema) -> Schema:
    """Return the schema of a section that has `needed` (names), and none but `keys`."""
    return {"type": "object", "additionalProperties": False, "required": needed.split(), "properties": keys}


def several(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def one_of(*words: str) -> Schema:
    return {"enum": [*words]}


CONFIG = section(
    preset=TEXT,
    presets=_OR_NULL,
    data=section(folder=_OR_NULL),
    checkpoints=section(mode=one_of("auto", "released", "trained"), source=_OR_NULL, sha256=_DIGEST),
    without_gpu=_SWITCH,
    debug=_SWITCH,
)


def of_preset(content: Any) -> Schema:
    """Return the schema of a preset of this `content`."""
    content, tasks = _keys(content), _keys(_keys(content).get("tasks"))
    return section(
        "title seed repeats tasks",
        title=TEXT,
        seed={"type": "integer", "minimum": 0, "maximum": SEEDS - 1},
        repeats=COUNT,
        gpu=FLAG,
        without_gpu=TEXT,
        one_process=FLAG,
        scaling=_scaling(_keys(content.get("scaling")), tasks),
        tasks={"type": "object", "minProperties": 1, "propertyNames": TASK}
        | {"properties": {name: _task(_keys(task)) for name, task in tasks.items()}},
    )


def kind_of(task: Mapping[Any, Any]) -> Kind | None:
    """Return the kind of a task's model, if it is the library's."""
    name = _keys(task.get("model")).get("kind")
    return KINDS.get(name) if isinstance(name, str) else None


def _keys(content: Any) -> dict[Any, Any]:
    return content if isinstance(content, dict) else {}


def experiment_of(task: Mapping[Any, Any]) -> str:
    """Return `sampling`, `classification` or `backpropagation`: what a task's model is for, or its key `experiment`."""
    if kind := kind_of(task):
        return kind.experiment
    recurrent = "model" not in task and not ("batch" in task and "hidden" not in task)  # of a sampler, it is missing
    return task.get("experiment", "backpropagation" if recurrent else "sampling")


def _task(content: dict[Any, Any]) -> Schema:
    kind, experiment = kind_of(content), experiment_of(content)
    if experiment == "backpropagation":
        needed, keys = _recurrent()
    elif experiment == "classification":
        needed, keys = _classifier(content)
    else:
        experiment, (needed, keys) = "sampling", _sampler(content, kind)
    if kind is None or kind.released:
        keys["paper"] = one_of(*(task for task, of in PAPER.items() if of == experiment))
    return section(f"data solvers {needed}", experiment=one_of(experiment), data=_data(content.get("data")), **keys)


def _recurrent() -> tuple[str, dict[str, Schema]]:
    sizes = {"hidden": COUNT, "scale": POSITIVE, "learning_rate": POSITIVE, "steps": COUNT, "samples": COUNT}
    sizes["lengths"] = several(COUNT)
    others = section("solver iterations", solver=one_of("jacobi"), iterations=COUNT)
    solvers = section("feedforward", feedforward=section()) | {"propertyNames": SOLVER, "additionalProperties": others}
    return " ".join(sizes), {**sizes, "solvers": solvers}


def _classifier(content: dict[Any, Any]) -> tuple[str, dict[str, Schema]]:
    return "model images", {
        "model": _model(content),
        "train": TRAIN,
        "train_data": _data(content.get("train_data")),
        "released": RELEASED,
        "images": COUNT,
        "solvers": section("feedforward", feedforward=section(), jacobi=section()),
    }


def _sampler(content: dict[Any, Any], kind: Kind | None) -> tuple[str, dict[str, Schema]]:
    system = _system(kind)
    weights = {"released": RELEASED, "weights": BOXED} if kind is None or kind.released else {}
    solvers = _solvers(_keys(content.get("solvers")), system)
    keys = {"model": _model(content), "train": TRAIN, **weights, "batch": COUNT, **system, "solvers": solvers}
    return "model train batch", keys


def _model(content: dict[Any, Any]) -> Schema:
    """Leave sizes of one's own model (`kind: package.module:Class`) to its class."""
    name = _keys(content.get("model")).get("kind")
    if kind := kind_of(content):
        return section("kind", kind=one_of(str(name)), **kind.sizes)
    known = {} if isinstance(name, str) and ":" in name else {"properties": {"kind": one_of(*KINDS)}}
    return {"type": "object", "required": ["kind"], **known}


def _data(content: Any) -> Schema:
    name = _keys(content).get("name")
    if not isinstance(name, str) or name not in DATASETS:
        return {"type": "object", "required": ["name"], "properties": {"name": one_of(*DATASETS)}}
    options = options_of(name)
    needed = ["name", *(option for option, (_, default) in options.items() if default is ...)]
    return section(" ".join(needed), name=one_of(name), **{key: _TYPES[of] for key, (of, _) in options.items()})


def _system(kind: Kind | None) -> dict[str, Schema]:
    """Return the key `system`, where the model has options; those of one's own model only its class knows."""
    if kind is None:
        return {"system": {"type": "object"}}
    options = {name: _option(option) for name, option in kind.options.items()}
    return {"system": section(**options)} if options else {}


def _option(option: Option) -> Schema:
    if isinstance(option, Number):
        return {"type": "integer" if option.kind is int else "number", **option.bounds}
    return one_of(*option) if isinstance(option, tuple) else {"type": "string"}


def _solvers(content: dict[Any, Any], system: dict[str, Schema]) -> Schema:
    """Let an entry bear the name of a solver, or another, and say which one it is (`solver: jacobi`)."""
    of = {name: {word: _WORDS[word] for word in words} for name, words in SOLVERS.items()}
    solver = one_of(*(name for name in SOLVERS if name != "sequential"))
    entries = {name: section(**words) for name, words in of.items()}
    for name, entry in content.items():
        if name not in SOLVERS and "solver" in _keys(entry):
            entries[name] = section("solver", solver=solver, **of.get(str(entry["solver"]), _WORDS), **system)
    own = {"propertyNames": SOLVER, "description": "or any other name, with `solver:` one of these"}
    return section("sequential") | own | {"properties": entries}  # names may be anything that YAML knows


def _scaling(content: dict[Any, Any], tasks: dict[Any, Any]) -> Schema:
    """Take the weights of a task at other sizes: the axes are those of its model."""
    fit = {name: kind for name, task in tasks.items() if (kind := kind_of(_keys(task))) and kind.scaling}
    known = " or ".join(name for name, kind in KINDS.items() if kind.scaling)
    task = one_of(*fit) | {"description": f"a task of {known}"}
    if (kind := fit.get(str(content.get("task")))) is None:
        return {"type": "object", "required": ["task"], "properties": {"task": task}}
    return section("task", task=task, **{axis: several(value) for axis, value in kind.scaling.items()}, **_system(kind))
