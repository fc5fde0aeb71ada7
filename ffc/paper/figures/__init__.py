"""The paper's figures, drawn from records: one function each, found by the name of the authors' file."""

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
from ffc.store.records import Record

if TYPE_CHECKING:
    from IPython.display import DisplayObject

_with = functools.partial
_Draw = Callable[[Mapping[str, Record]], Figure]

#: Figure → the task whose records it shows, and the function that draws them.
FIGURES: dict[str, tuple[str, _Draw]] = {
    "rnn_begin": ("rnn", _with(rnn.gradient_error, stage="begin")),
    "rnn_end": ("rnn", _with(rnn.gradient_error, stage="end")),
    "rnn_backprop": ("rnn", _with(rnn.training, by="seconds")),
    "rnn_backprop_iter": ("rnn", _with(rnn.training, by="iterations")),
    "densenet_outputs": ("densenet", _with(densenet.outputs, log=False)),
    "densenet_outputs_log": ("densenet", _with(densenet.outputs, log=True)),
    "densenet_iter": ("densenet", densenet.top5_by_iterations),
    "densenet": ("densenet", densenet.top5_by_time),
    "made_mnist_time_nolog_iter": ("made_mnist", _with(sampling.made, by="iterations")),
    "made_mnist_time_nolog": ("made_mnist", _with(sampling.made, by="seconds")),
    "made_mnist": ("made_mnist", sampling.strip),
    "made_cifar_time_nolog_iter": ("made_cifar", _with(sampling.made, by="iterations")),
    "made_cifar_time_nolog": ("made_cifar", _with(sampling.made, by="seconds")),
    "made_cifar": ("made_cifar", sampling.strip),
    "pixelcnnpp_mnist_iter": ("pixelcnnpp_mnist", _with(sampling.pixelcnnpp, by="iterations")),
    "pixelcnnpp_mnist": ("pixelcnnpp_mnist", _with(sampling.pixelcnnpp, by="seconds")),
    "pixelcnnpp_cifar10_iter": ("pixelcnnpp_cifar10", _with(sampling.pixelcnnpp, by="iterations")),
    "pixelcnnpp_cifar10": ("pixelcnnpp_cifar10", _with(sampling.pixelcnnpp, by="seconds")),
}

#: Figures that the paper does not have, likewise.
EXTRAS: dict[str, tuple[str, _Draw]] = {
    "rnn_scaling": ("rnn_scaling", rnn.scaling),
    "sampling_scaling": ("scaling", scaling.sampling),
}

__all__ = ["EXTRAS", "FIGURES", "draw", "from_root", "load_records", "save", "show", "show_training"]


def draw(name: str, records: str | Path, authors: str | Path | None = None) -> Figure:
    """The figure `name`, from the folder that holds a folder of records for each task.

    With `authors`, another such folder, their curves stand beside those of `records` in the same picture.
    """
    known = FIGURES | EXTRAS
    if name not in known:
        raise FFCError(f"figure {name!r}: expected one of {', '.join(known)}")
    task, function = known[name]
    found = load_records(Path(records) / task)
    return function(beside(found, load_records(Path(authors) / task)) if authors else found)


def show(
    name: str,
    records: str | Path,
    figures: str | Path,
    only: Collection[str] | None = None,
    authors: str | Path | None = None,
) -> "DisplayObject":
    """`draw` a figure, write it under `figures` as PNG, SVG and PDF, and return it for a notebook to display.

    Relative folders count from the project's own (`from_root`). A figure that is not among `only` is left out, and
    one of `EXTRAS` whose records are not there: older results have none.
    """
    absent = name in EXTRAS and not (from_root(records) / EXTRAS[name][0]).is_dir()
    if absent or (only is not None and name not in only):
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
