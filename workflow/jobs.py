"""What the jobs of a preset are told, and the files that they make. `name` is the preset's, `preset` what it says."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from checks import reference_of
from schemas import experiment_of
from tasks import Figure, Notebook, notebooks

from ffc import box
from ffc.data import folder, options_of
from ffc.paper.captions import CAPTIONS

#: What each figure is written as; the last is for LaTeX, and no picture of the report.
FORMATS = ("png", "svg", "pdf")
#: Keys of a task that say what its files hold: a record learns that from the files, which know it for certain.
_ELSEWHERE = ("data", "train_data", "train", "released", "weights")


def request(preset: Mapping[str, Any], task: str, *solvers: str) -> dict[str, Any]:
    """Return what workflow/scripts/solve.py is told: settings of each solver, and whose answer is its reference.

    A solver's settings have its own entry alone, and nothing that decides data and weights.
    """
    section = preset["tasks"][task]
    common = {key: value for key, value in section.items() if key not in _ELSEWHERE}
    common["experiment"] = experiment_of(section)
    return {
        "task": task,
        "settings": {solver: common | {"solvers": {solver: section["solvers"][solver]}} for solver in solvers},
        "references": {solver: reference_of(section, solver) for solver in solvers},
        "seed": preset["seed"],
        "repeats": preset["repeats"],
    }


def in_order(section: Mapping[str, Any]) -> list[str]:
    """Return the solvers of a task; those that others are held against come first."""
    answers = {reference_of(section, solver) for solver in section["solvers"]}
    return sorted(section["solvers"], key=lambda solver: solver not in answers)


def sizes(preset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section `scaling`, with the options of its system: its own, or those that its task samples from."""
    section = preset["scaling"]
    system = section.get("system", preset["tasks"][section["task"]].get("system", {}))
    return {key: value for key, value in section.items() if key != "task"} | {"system": system}


def records_of(name: str, preset: Mapping[str, Any], sections: Iterable[str] | None = None) -> list[str]:
    """Return the records of some tasks, by default of all, and times by size: `scaling` is a section, too.

    A task has one for each solver; backpropagation also has the errors of gradients, and times by length.
    """
    names = []
    for task in sections or [*preset["tasks"], *(key for key in ("scaling",) if key in preset)]:
        if task == "scaling":
            names.append("scaling/sampling")
            continue
        settings = preset["tasks"][task]
        names += [f"{task}/{solver}" for solver in settings["solvers"]]
        if experiment_of(settings) == "backpropagation":
            names += [f"{task}/gradients_feedforward", f"{task}/gradients_jacobi", f"{task}_scaling/scaling"]
    return [f"results/{name}/records/{record}.npz" for record in names]


def pages_of(name: str, preset: Mapping[str, Any]) -> list[str]:
    """Return all that a preset's report shows, and its notebooks."""
    files = [f"figures/{figure}.{suffix}" for figure in figures_of(preset) for suffix in FORMATS]
    files += [f"notebooks/{notebook}.{suffix}" for notebook in notebooks(preset) for suffix in ("ipynb", "html")]
    return [f"results/{name}/{file}" for file in (*files, "summary.md", "summary.csv", "summary.html")]


def figures_of(preset: Mapping[str, Any]) -> dict[str, tuple[str, str, Figure]]:
    """Return all figures: of each, the notebook that draws it, its title, and what the figure is."""
    shown = notebooks(preset).items()
    return {name: (key, notebook.title, what) for key, notebook in shown for name, what in notebook.figures.items()}


def caption(preset: Mapping[str, Any], figure: Figure, boxed: bool) -> str:
    """Return what a figure shows, with the name of its data set: it must not say MNIST where it shows digits.

    Weights of the box may serve if `boxed`. Which of two data sets it was is known when the weights have been looked
    for, later than captions are made.
    """
    task = preset["scaling"]["task"] if figure.task == "scaling" else figure.task
    section = preset["tasks"].get(task, {"data": {"name": ""}})  # none of the learning curves
    other, name = section.get("train_data", {}).get("name"), section.get("weights")
    data = (box.about(name) if boxed and name in box.names() else section)["data"]["name"]
    return CAPTIONS[figure.kind].format(
        task=task, data=data + (f" (of {other} where the weights were trained here)" if other else "")
    )


def named_in(preset: Mapping[str, Any], key: str) -> list[str]:
    """Return what the tasks of a preset ask for: files (`released`), or models in the box (`weights`)."""
    return sorted(settings[key] for settings in preset["tasks"].values() if key in settings)


def boxed_files(names: Iterable[str]) -> list[str]:
    """Return the files of those models that are in the box."""
    files = [box.FOLDER / f"{name}.{suffix}" for name in names for suffix in ("flax", "json")]
    return [f"ffc/box/{file.name}" for file in files if file.exists()]


def narrowed(notebook: Notebook) -> dict[str, Any]:
    """Return the task that a notebook is about, or what it draws of all that it could."""
    return {"task": notebook.task} if notebook.task else {"only": [*notebook.figures]}


def state_of_pictures(settings: Mapping[str, Any], root: str | None) -> str:
    """Return what changes with a picture of the folder that a preset's `data:` names: a digest of names, sizes, times.

    A job of the data runs again where it changes. Empty where no folder is named.
    """
    path = settings.get("path", options_of(settings["name"]).get("path", (str, None))[1])
    if path is None:
        return ""
    digest = hashlib.sha256()
    for place, folders, files in os.walk(folder(root) / os.path.expanduser(path), followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(place, name) for name in sorted(files) if not name.startswith(".")):
            if file.exists():
                digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()
