"""What the tasks of a preset are: which experiment, for which of the paper's they stand, and what is drawn of them.

Nothing here imports `ffc`, as in `presets.py`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

#: The library's models, and the experiment that a task with one is. One's own (`package.module:Class`) are samplers.
MODELS = {
    "densenet": "classification",
    "made": "sampling",
    "pixelcnnpp": "sampling",
    "transformer": "sampling",
    "flow": "sampling",
}

#: Models whose weights serve at other sizes, and the axes of the section `scaling`.
SCALING = {
    "pixelcnnpp": ("sizes", "batches", "filters"),
    "transformer": ("temperatures", "lengths", "widths"),
}


class Paper(NamedTuple):
    """A task of the paper: its experiment, the notebook that draws it, and its figures.

    By what follows the task's name, each is of a kind (captions.py).
    """

    experiment: str
    notebook: str
    views: dict[str, str]


_RNN = {"_begin": "begin", "_end": "end", "_backprop": "loss_time", "_backprop_iter": "loss", "_scaling": "lengths"}
_NET = {"_outputs": "logits", "_outputs_log": "logits_log", "_iter": "top_iterations", "": "top_time"}
_MADE = {"": "sample", "_time_nolog": "time", "_time_nolog_iter": "iterations"}
_PIXELS = {"": "time", "_iter": "iterations"}
PAPER = {
    "rnn": Paper("backpropagation", "rnn_backprop", _RNN),
    "densenet": Paper("classification", "densenet", _NET),
    "made_mnist": Paper("sampling", "made", _MADE),
    "made_cifar": Paper("sampling", "made", _MADE),
    "pixelcnnpp_mnist": Paper("sampling", "pixelcnnpp", _PIXELS),
    "pixelcnnpp_cifar10": Paper("sampling", "pixelcnnpp", _PIXELS),
}

#: The paper's notebooks, and that of the section `scaling`, by their titles in the report.
NOTEBOOKS = {
    "rnn_backprop": "RNN backpropagation",
    "densenet": "DenseNet inference",
    "made": "MADE sampling",
    "pixelcnnpp": "PixelCNN++ sampling",
    "scaling": "Sampling by size",
}
#: Of a task that stands for none of the paper's: the notebook, and its figures.
OWN = {
    "backpropagation": ("rnn_backprop", _RNN),
    "classification": ("densenet", _NET),
    "sampling": ("sampling", {"_iter": "iterations", "_time": "time", "": "sample"}),
}
#: Names of files and folders that are no task's.
_TAKEN = {*NOTEBOOKS, "overlay", "sampling", "sampling_scaling", "summary", "training"} - PAPER.keys()
_ENDINGS = {"_scaling": "times by length", "_trained": "data of weights that are trained here"}


class Figure(NamedTuple):
    kind: str  # in captions.py
    task: str  # or `scaling`


class Notebook(NamedTuple):
    """A notebook of one preset."""

    title: str  # in the report
    source: str  # notebooks/<source>.ipynb
    sections: tuple[str, ...] | None  # the tasks, or `scaling`; None: all
    figures: dict[str, Figure]
    task: str | None = None  # the one task that it is about, where that is none of the paper's


def experiment_of(settings: Mapping[str, Any]) -> str:
    """What a task is: `sampling`, `classification` or `backpropagation`; its model says so, or its key `experiment`."""
    if "experiment" in settings:
        return settings["experiment"]
    if "model" not in settings:
        return "backpropagation"
    return MODELS.get(settings["model"]["kind"], "sampling")


def section_of(settings: Any) -> str:
    """Return the part of the schema (`$defs`) that a task must fit; for anything at all, as nothing is checked yet."""
    if not isinstance(settings, dict):
        return "rnn"
    sampler = settings.get("experiment") == "sampling" or ("batch" in settings and "hidden" not in settings)
    if "model" not in settings and not sampler:  # of a sampler, it is missing
        return "rnn"
    model = settings.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    if isinstance(kind, str) and kind in MODELS:
        return kind
    return "densenet" if settings.get("experiment") == "classification" else "own"


def stand_ins(tasks: Mapping[str, Any]) -> dict[str, str]:
    """Return the paper's tasks that a preset has, in the paper's order, each with the task that stands for it."""
    found = {settings["paper"]: task for task, settings in tasks.items() if "paper" in settings}
    return {paper: found[paper] for paper in PAPER if paper in found}


def notebooks(preset: Mapping[str, Any]) -> dict[str, Notebook]:
    """Return the notebooks of a preset by name: the paper's that it has, those of other tasks, the summary."""
    tasks, found = preset["tasks"], {}
    standing = stand_ins(tasks)
    for name, title in NOTEBOOKS.items():
        papers = {paper: task for paper, task in standing.items() if PAPER[paper].notebook == name}
        views = {paper: PAPER[paper].views.items() for paper in papers}
        figures = {paper + view: Figure(kind, papers[paper]) for paper in papers for view, kind in views[paper]}
        if papers:
            found[name] = Notebook(title, name, (*papers.values(),), figures)
        elif name == "scaling" in preset:
            found[name] = Notebook(title, name, (name,), {"sampling_scaling": Figure("sizes", name)})
    for task, settings in tasks.items():
        if "paper" not in settings:
            source, views = OWN[experiment_of(settings)]
            figures = {task + view: Figure(kind, task) for view, kind in views.items()}
            found[task] = Notebook(task, source, (task,), figures, task)
    return found | {"summary": Notebook("Training", "summary", None, {"training": Figure("training", "")})}


def papers_figures(preset: Mapping[str, Any]) -> list[str]:
    """Return the figures of a preset that the paper has, or that are drawn beside them."""
    papers = [notebook for name, notebook in notebooks(preset).items() if name in NOTEBOOKS]
    return [figure for notebook in papers for figure in notebook.figures]


def problem_of(preset: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the names of a preset's tasks, beginning with the key; None if nothing is."""
    tasks = preset["tasks"]
    problems = [_problem_of_name(task, settings) for task, settings in tasks.items()]
    problems += [_rival(task, tasks) for task in tasks]
    return next(filter(None, problems), None) or _drawn_twice(preset)


def _problem_of_name(task: str, settings: Mapping[str, Any]) -> str | None:
    if task in PAPER and settings.get("paper") != task:
        return (
            f"tasks.{task}: has the name of one of the paper's tasks; if it stands for that, add `paper: {task}`, and "
            "its figures and the paper's numbers go with it; else give it another name"
        )
    if task in _TAKEN:
        return f"tasks.{task}: the workflow's own files have that name; give the task another"
    endings = (ending for ending in _ENDINGS if task.endswith(ending))
    if ending := next(endings, None):
        return f"tasks.{task}: names that end in {ending} are those of {_ENDINGS[ending]}; give the task another"
    return None


def _rival(task: str, tasks: Mapping[str, Any]) -> str | None:
    paper = tasks[task].get("paper")
    same = [other for other, settings in tasks.items() if paper and settings.get("paper") == paper]
    if rivals := [other for other in same if other != task]:
        return f"tasks.{task}.paper: {rivals[0]} stands for {paper}, too; take the key away from one of the two"
    return None


def _drawn_twice(preset: Mapping[str, Any]) -> str | None:
    shown = notebooks(preset)
    count = Counter(figure for notebook in shown.values() for figure in notebook.figures)
    if twice := next((figure for figure in count if count[figure] > 1), None):
        owners = [name for name, notebook in shown.items() if twice in notebook.figures]
        return f"tasks: {' and '.join(owners)} would both draw the figure {twice}; give one of the tasks another name"
    return None
