"""What a preset says that no schema sees: names that clash, sizes that do not fit, solvers without a reference.

It is found before anything is trained. A complaint is an `FFCError` that begins with the key.
"""

import importlib.util
import re
from collections import Counter
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import schemas
from tasks import NAMES_TAKEN, notebooks

from ffc.core.errors import FFCError
from ffc.data import rows
from ffc.models import NO_MODULE
from ffc.models.kinds import KINDS
from ffc.paper.tasks import PAPER, SEQUENTIAL
from ffc.training import TrainSettings

_ENDS = {"_scaling": "times by length", "_trained": "data of weights that are trained here"}


def check(preset: Mapping[str, Any]) -> None:
    """Raise `FFCError` with the first thing that is wrong with a preset of the right form."""
    tasks = preset["tasks"]
    for check_task in (_check_name, _check_stand_in):
        for task, settings in tasks.items():
            check_task(task, settings.get("paper"), tasks)
    _check_figures(preset)
    for task, settings in tasks.items():
        try:
            _check_own(settings.get("model", {}).get("kind", ""))
            _check_weights(settings)
            _check_references(settings)
            _check_sizes(settings)
        except FFCError as error:
            raise FFCError(f"tasks.{task}.{error}") from None
    _check_scaling(preset)


def _check_name(task: str, paper: str | None, _: Mapping[str, Any]) -> None:
    if task in PAPER and paper != task:
        raise FFCError(
            f"tasks.{task}: has the name of one of the paper's tasks; if it stands for that, add `paper: {task}`, and "
            "its figures and the paper's numbers go with it; else give it another name"
        )
    if task in NAMES_TAKEN:
        raise FFCError(f"tasks.{task}: the workflow's own files have that name; give the task another")
    if end := next(filter(task.endswith, _ENDS), None):
        raise FFCError(f"tasks.{task}: names that end in {end} are those of {_ENDS[end]}; give the task another")


def _check_stand_in(task: str, paper: str | None, tasks: Mapping[str, Any]) -> None:
    rivals = [other for other in tasks if paper and other != task and tasks[other].get("paper") == paper]
    if rivals:
        raise FFCError(
            f"tasks.{task}.paper: {rivals[0]} stands for {paper}, too; take the key away from one of the two"
        )


def _check_figures(preset: Mapping[str, Any]) -> None:
    shown = notebooks(preset)
    count = Counter(figure for notebook in shown.values() for figure in notebook.figures)
    if twice := next((figure for figure in count if count[figure] > 1), None):
        both = " and ".join(name for name, notebook in shown.items() if twice in notebook.figures)
        raise FFCError(f"tasks: {both} would both draw the figure {twice}; give one of the tasks another name")


def _check_own(kind: str) -> None:
    """Check that somebody's own class is there, as Snakemake deletes what a job makes before the job can fail."""
    module, _, name = kind.partition(":")
    parts, folders, spec = module.split("."), None, None
    for i, part in enumerate(parts if name else ()):
        spec = PathFinder.find_spec(part, folders) if i else _package(part)
        if spec is None:
            raise FFCError(f"model.kind: {kind!r}: {NO_MODULE.format('.'.join(parts[: i + 1]))}")
        folders = spec.submodule_search_locations
    source = Path(spec.origin) if spec and spec.origin else Path()
    named = re.compile(rf"\b{re.escape(name)}\b|import \*")
    if source.suffix == ".py" and not named.search(source.read_text(encoding="utf-8")):
        raise FFCError(f"model.kind: {kind!r}: {source.name} has no {name}; name a class that it has")


def _package(name: str) -> ModuleSpec | None:
    """Return where a package is, without an import, which could take seconds; jobs look in the current folder, too."""
    try:
        return importlib.util.find_spec(name) or PathFinder.find_spec(name, [""])
    except ValueError:  # such as __main__
        return None


def _check_weights(settings: Mapping[str, Any]) -> None:
    if "train" in settings:
        TrainSettings.of(settings["train"])
    elif "model" in settings and "released" not in settings:
        raise FFCError("train: missing; give this, or the name of a released file (released:)")
    if settings.keys() >= {"released", "weights"}:
        raise FFCError("weights: of the box, and released: a file of the authors'; give one of them")
    if "train_data" in settings and not settings.keys() >= {"released", "train"}:
        raise FFCError("train_data: of weights that are trained where a released file lacks; give both, or only data:")


def _check_references(settings: Mapping[str, Any]) -> None:
    for name in settings["solvers"]:
        if reference_of(settings, name) is None:
            raise FFCError(
                f"solvers.{name}.system: no solver gives this system's sequential answer, to compare with; add one, "
                f"such as {name}_cached: {{solver: cached, system: …}} with the same options"
            )


def reference_of(settings: Mapping[str, Any], solver: str) -> str | None:
    """Return the solver of a task that gives the sequential answer of the system that `solver` solves, if one does."""
    solvers, system = settings["solvers"], _system_of(settings, solver)
    kinds = {name: entry.get("solver", name) for name, entry in solvers.items() if _system_of(settings, name) == system}
    sequential = [name for name, kind in kinds.items() if kind in SEQUENTIAL]
    return min(sequential, key=lambda name: SEQUENTIAL.index(kinds[name]), default=None)


def _system_of(settings: Mapping[str, Any], solver: str) -> dict[str, Any]:
    """Return the options of the system that a solver solves: its own, or else its task's."""
    kind = schemas.kind_of(settings)
    words = {name: option[0] for name, option in (kind.options if kind else {}).items() if isinstance(option, tuple)}
    return words | settings["solvers"][solver].get("system", settings.get("system", {}))


def _check_sizes(settings: Mapping[str, Any]) -> None:
    """Check that windows and blocks fit the image. (Blocks of MADE are entries, some for each colour.)"""
    name, data = settings.get("model", {}).get("kind"), settings["data"]
    side = rows(data["name"], data.get("size"))
    if name == "flow":
        if side and side % (patch := _size(settings, "patch")):
            raise FFCError(f"model.patch: {patch} does not divide the {side} rows of the images; give a divisor")
        _check_windows(settings, _size(settings, "blocks"), "this flow has", ", or '8 blocks'")
    if name in ("made", "pixelcnnpp") and side:
        _check_windows(settings, side, "the images have", "")
    if name == "pixelcnnpp" and side:
        for solver, entry in settings["solvers"].items():
            if side**2 % (block := entry.get("block", 1)):
                raise FFCError(
                    f"solvers.{solver}.block: {block} does not divide the image's {side**2} pixels; a row has {side}"
                )
    if name == "transformer":
        levels, most = _size(settings, "levels"), settings.get("system", {}).get("top_k", 1)
        if most > levels:
            raise FFCError(f"system.top_k: {most} of {levels} tokens cannot be left; give 1 … {levels}")


def _check_windows(settings: Mapping[str, Any], most: int, have: str, others: str) -> None:
    for solver, entry in settings["solvers"].items():
        if isinstance(window := entry.get("window"), int) and window > most:
            raise FFCError(f"solvers.{solver}.window: {window} rows, but {have} {most}; give 1 … {most}{others}")


def _size(settings: Mapping[str, Any], name: str) -> int:
    """Return a size of a model, given or not."""
    model = settings["model"]
    return model.get(name, KINDS[model["kind"]].sizes[name]["default"])


def _check_scaling(preset: Mapping[str, Any]) -> None:
    """Check that there is an axis, and that texts are as long as what they are cut from."""
    if (section := preset.get("scaling")) is None:
        return
    settings = preset["tasks"][section["task"]]
    axes = schemas.kind_of(settings).scaling
    if not axes.keys() & section.keys():
        raise FFCError(f"scaling.{next(iter(axes))}: missing; give one at least of {', '.join(axes)}")
    data, longest = settings["data"], max(section.get("lengths", [0]))
    if data["name"] == "text" and longest > data.get("size", longest):
        raise FFCError(
            f"scaling.lengths: {longest}; the texts of its task have {data['size']} bytes: give that many, or fewer"
        )
