"""Figures, drawn from records: the paper's by the names of the authors' files, those of other tasks by theirs."""

import functools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ffc.core.errors import FFCError, need

need("matplotlib", extra="paper")

from matplotlib.figure import Figure

from ffc.paper.figures import densenet, rnn, sampling, scaling, training
from ffc.paper.figures.files import from_root, load_records
from ffc.paper.figures.page import save
from ffc.paper.figures.style import beside
from ffc.paper.tasks import experiment_of, paper_of, tasks_in
from ffc.paper.views import OWN, PAPER, SCALING, View
from ffc.store.records import Record

if TYPE_CHECKING:
    from IPython.display import DisplayObject

_Draw = Callable[[Mapping[str, Record]], Figure]
_MODULES = {"densenet": densenet, "rnn": rnn, "sampling": sampling, "scaling": scaling}


def _drawn(view: View, task: str) -> tuple[str, _Draw]:
    """Return the folder of records that a figure of `task` shows, and the function that draws it."""
    module, _, function = view.function.partition(".")
    return task + view.folder, functools.partial(getattr(_MODULES[module], function), **view.options)


_ALL = {task + end: _drawn(view, task) for task, shown in PAPER.items() for end, view in shown.views.items()}
#: Figure of the paper → the task of the paper whose records it shows, and the function that draws them.
FIGURES: dict[str, tuple[str, _Draw]] = {name: drawn for name, drawn in _ALL.items() if drawn[0] in PAPER}
#: Figures that the paper does not have, of records in folders of their own.
EXTRAS: dict[str, tuple[str, _Draw]] = {name: drawn for name, drawn in _ALL.items() if name not in FIGURES}
EXTRAS |= {name: _drawn(view, "") for name, view in SCALING.views.items()}

__all__ = [
    "EXTRAS",
    "FIGURES",
    "draw",
    "figures_in",
    "from_root",
    "load_records",
    "save",
    "show",
    "show_training",
]


def figures_in(records: str | Path) -> dict[str, tuple[str, _Draw]]:
    """Return the figures that `records`, the folder that holds a folder of records for each task, allow.

    Each comes with the folder that it shows, and the function. A task that stands for one of the paper's has the
    figures of that, any other those of its experiment under its own name.
    """
    drawable = {name: extra for name, extra in EXTRAS.items() if (Path(records) / extra[0]).is_dir()}
    for task, meta in tasks_in(records).items():
        paper = paper_of(meta)
        shown = PAPER[paper] if paper else OWN[experiment_of(task, meta["settings"])]
        drawn = {f"{paper or task}{end}": _drawn(view, task) for end, view in shown.views.items()}
        drawable |= {name: pair for name, pair in drawn.items() if (Path(records) / pair[0]).is_dir()}
    return drawable


def draw(name: str, records: str | Path, authors: str | Path | None = None) -> Figure:
    """Draw the figure `name`, from the folder that holds a folder of records for each task (`figures_in`).

    With `authors`, another such folder, their curves stand beside those of `records` in the same picture.
    The authors' are named as the paper's tasks. Raises `FFCError` on an unknown figure, or one without records.
    """
    choices = FIGURES | EXTRAS | figures_in(records)
    if name not in choices:
        raise FFCError(f"figure {name!r}: expected one of {', '.join(choices)}")
    folder, function = choices[name]
    ours = load_records(Path(records) / folder)
    return function(beside(ours, load_records(Path(authors) / FIGURES[name][0])) if authors else ours)


def show(
    name: str,
    records: str | Path,
    figures: str | Path,
    only: Collection[str] | None = None,
    authors: str | Path | None = None,
) -> "DisplayObject":
    """`draw` a figure, write it under `figures` as PNG, SVG and PDF, and return it for a notebook to display.

    Relative folders count from the project's own (`from_root`). A figure that is not among `only` is left out; if that
    is not given, so is one of the paper's, or of `EXTRAS`, of which there are no records.
    """
    wanted = only if only is not None else {*figures_in(from_root(records))} | ({name} - FIGURES.keys() - EXTRAS.keys())
    if name not in wanted:
        from IPython.display import Markdown

        return Markdown(f"*{name} is left out: not all of its results are there.*")
    return _shown(draw(name, from_root(records), authors and from_root(authors)), figures, name)


def show_training(records: str | Path, figures: str | Path) -> "DisplayObject":
    """As `show`, the learning curves of all tasks whose weights were trained here, as `training`."""
    folders = sorted(path for path in from_root(records).iterdir() if path.is_dir())
    drawn = training.curves({folder.name: load_records(folder) for folder in folders})
    return _shown(drawn, figures, "training")


def _shown(figure: Figure, folder: str | Path, name: str) -> "DisplayObject":
    from IPython.display import Image

    return Image(filename=save(figure, from_root(folder), name), width=620)
