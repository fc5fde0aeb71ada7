"""What the tasks of a preset are: which experiment, for which of the paper's they stand, and what is drawn of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas import experiment_of

from ffc.paper.views import NOTEBOOKS, OWN, PAPER, SCALING, TRAINING

#: Names of files and folders that are no task's.
NAMES_TAKEN = {*NOTEBOOKS, "overlay", "sampling", "summary", *SCALING.views, *TRAINING.views} - PAPER.keys()


class Figure(NamedTuple):
    kind: str  # of its caption
    task: str  # or `scaling`


class Notebook(NamedTuple):
    """A notebook of one preset."""

    title: str  # in the report
    source: str  # notebooks/<source>.ipynb
    sections: tuple[str, ...] | None  # the tasks, or `scaling`; None: all
    figures: dict[str, Figure]
    task: str | None = None  # the one task that it is about, where that is none of the paper's


def stand_ins(tasks: Mapping[str, Any]) -> dict[str, str]:
    """Return the paper's tasks that a preset has, in the paper's order, each with the task that stands for it."""
    standing = {settings["paper"]: task for task, settings in tasks.items() if "paper" in settings}
    return {paper: standing[paper] for paper in PAPER if paper in standing}


def notebooks(preset: Mapping[str, Any]) -> dict[str, Notebook]:
    """Return the notebooks of a preset by name: the paper's that it has, those of other tasks, the summary."""
    tasks, made = preset["tasks"], {}
    standing = stand_ins(tasks)
    for name, title in NOTEBOOKS.items():
        papers = {paper: task for paper, task in standing.items() if PAPER[paper].notebook == name}
        if papers:
            figures = [_figures(paper, PAPER[paper].views, task) for paper, task in papers.items()]
            made[name] = Notebook(title, name, (*papers.values(),), {k: v for some in figures for k, v in some.items()})
        elif name == "scaling" in preset:
            made[name] = Notebook(title, name, (name,), _figures("", SCALING.views, name))
    for task, settings in tasks.items():
        if "paper" not in settings:
            source, views = OWN[experiment_of(settings)]
            made[task] = Notebook(task, source, (task,), _figures(task, views, task), task)
    return made | {"summary": Notebook("Training", "summary", None, _figures("", TRAINING.views, ""))}


def _figures(name: str, views: Mapping[str, Any], task: str) -> dict[str, Figure]:
    return {name + end: Figure(view.kind, task) for end, view in views.items()}


def papers_figures(preset: Mapping[str, Any]) -> list[str]:
    """Return the figures of a preset that the paper has, or that are drawn beside them."""
    papers = [notebook for name, notebook in notebooks(preset).items() if name in NOTEBOOKS]
    return [figure for notebook in papers for figure in notebook.figures]
