"""What the configuration and a preset may say, as JSON Schema.

Names, sizes and options are those that the library declares. Each task, data set and solver of a preset has the section
of its kind, which is looked up in what is given, whatever that is: nothing is checked yet.
"""

from typing import Any

from ffc.core.names import BLOCKS, GUESSES, SEEDS, SOLVERS
from ffc.data import DATASETS, options_of
from ffc.models.kinds import COUNT, KINDS, Kind, Number, Option, Schema
from ffc.paper.tasks import PAPER

TEXT: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}
_NULL: Schema = {"type": ["string", "null"], "default": None}
_DIGEST = {**_NULL, "pattern": "^[0-9a-fA-F]{64}$", "description": "64 hexadecimal digits, or null"}


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
    preset={"type": "string", "default": "paper"},
    presets=_NULL,
    data=section(folder=_NULL) | {"default": {}},
    checkpoints=section(mode=one_of("auto", "released", "trained") | {"default": "auto"}, source=_NULL, sha256=_DIGEST)
    | {"default": {}},
    without_gpu=FLAG | {"default": False},
    debug=FLAG | {"default": False},
)


def of_preset(given: Any) -> Schema:
    """Return the schema of a preset that says what is `given`."""
    tasks = _section(_section(given).get("tasks"))
    return section(
        "title seed repeats tasks",
        title=TEXT,
        seed={"type": "integer", "minimum": 0, "maximum": SEEDS - 1},
        repeats=COUNT,
        gpu=FLAG,
        without_gpu=TEXT,
        one_process=FLAG,
        scaling=_scaling(_section(given).get("scaling"), tasks),
        tasks={"type": "object", "minProperties": 1, "propertyNames": TASK}
        | {"properties": {name: _task(_section(task)) for name, task in tasks.items()}},
    )


def kind_of(task: dict[str, Any]) -> Kind | None:
    """Return the kind of a task's model, if it is the library's."""
    name = _section(task.get("model")).get("kind")
    return KINDS.get(name) if isinstance(name, str) else None


def _section(given: Any) -> dict[Any, Any]:
    return given if isinstance(given, dict) else {}


def _task(given: dict[Any, Any]) -> Schema:
    sampler = given.get("experiment") == "sampling" or ("batch" in given and "hidden" not in given)
    if "model" not in given and not sampler:  # of a sampler, it is missing
        return _recurrent(given)
    kind = kind_of(given)
    if (kind.experiment if kind else given.get("experiment")) == "classification":
        return _classifier(given)
    system = _system(kind)
    papers = _papers("sampling", released=RELEASED, weights=BOXED) if kind is None or kind.released else {}
    return section(
        "data model train batch solvers",
        **papers,
        experiment=one_of("sampling"),
        data=_data(given.get("data")),
        model=_model(given),
        train={"type": "object"},  # `TrainSettings` checks it
        batch=COUNT,
        **system,
        solvers=_samplers(_section(given.get("solvers")), system),
    )


def _papers(experiment: str, **weights: Schema) -> dict[str, Schema]:
    """What a task has that may stand for one of the paper's."""
    return {"paper": one_of(*(task for task, of in PAPER.items() if of == experiment)), **weights}


def _recurrent(given: dict[Any, Any]) -> Schema:
    others = section("solver iterations", solver=one_of("jacobi"), iterations=COUNT)
    return section(
        "data hidden scale learning_rate steps samples lengths solvers",
        **_papers("backpropagation"),
        experiment=one_of("backpropagation"),
        data=_data(given.get("data")),
        hidden=COUNT,
        scale=POSITIVE,
        learning_rate=POSITIVE,
        steps=COUNT,
        samples=COUNT,
        lengths=several(COUNT),
        solvers=section("feedforward", feedforward=section())
        | {"propertyNames": SOLVER, "additionalProperties": others},
    )


def _classifier(given: dict[Any, Any]) -> Schema:
    return section(
        "data model images solvers",
        **_papers("classification", released=RELEASED),
        experiment=one_of("classification"),
        data=_data(given.get("data")),
        model=_model(given),
        train={"type": "object"},
        train_data=_data(given.get("train_data")),
        images=COUNT,
        solvers=section("feedforward", feedforward=section(), jacobi=section()),
    )


def _model(given: dict[Any, Any]) -> Schema:
    """Sizes of one's own model (`kind: package.module:Class`) only its class knows."""
    name = _section(given["model"]).get("kind") if "model" in given else None
    if kind := kind_of(given):
        return section("kind", kind=one_of(str(name)), **kind.sizes)
    known = {} if isinstance(name, str) and ":" in name else {"properties": {"kind": one_of(*KINDS)}}
    return {"type": "object", "required": ["kind"], **known}


def _data(given: Any) -> Schema:
    name = _section(given).get("name")
    if not isinstance(name, str) or name not in DATASETS:
        return {"type": "object", "required": ["name"], "properties": {"name": one_of(*DATASETS)}}
    types, needed = options_of(name)
    return section(" ".join(["name", *needed]), name=one_of(name), **{key: _TYPES[of[0]] for key, of in types.items()})


def _system(kind: Kind | None) -> dict[str, Schema]:
    """The key `system`, where the model has options; those of one's own model only its class knows."""
    if kind is None:
        return {"system": {"type": "object"}}
    return (
        {"system": section(**{name: _option(option) for name, option in kind.options.items()})} if kind.options else {}
    )


def _option(option: Option) -> Schema:
    if isinstance(option, Number):
        return {"type": "integer" if option.kind is int else "number", **option.bounds}
    return one_of(*option) if isinstance(option, tuple) else {"type": "string"}


def _samplers(given: dict[Any, Any], system: dict[str, Schema]) -> Schema:
    """An entry bears the name of a solver, or another, and says which one it is (`solver: jacobi`)."""
    of = {name: {word: _WORDS[word] for word in words} for name, words in SOLVERS.items()}
    solver = one_of(*(name for name in SOLVERS if name != "sequential"))
    entries = {name: section(**words) for name, words in of.items()}
    for name in given.keys() - SOLVERS.keys():
        kind = _section(given[name]).get("solver")
        known = isinstance(kind, str) and kind in of
        entries[name] = section("solver", solver=solver, **(of[kind] if known else _WORDS), **system)
    return section("sequential") | {"properties": entries, "propertyNames": SOLVER}


def _scaling(given: Any, tasks: dict[Any, Any]) -> Schema:
    """The weights of a task at other sizes: the axes are those of its model."""
    of = {name: kind for name, task in tasks.items() if (kind := kind_of(_section(task))) and kind.scaling}
    known = " or ".join(name for name, kind in KINDS.items() if kind.scaling)
    task = one_of(*of) | {"description": f"a task of {known}"}
    if (kind := of.get(str(_section(given).get("task")))) is None:
        return {"type": "object", "required": ["task"], "properties": {"task": task}}
    return section("task", task=task, **{axis: several(value) for axis, value in kind.scaling.items()}, **_system(kind))
