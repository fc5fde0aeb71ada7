"""The notebook that draws each task, and its figures; without matplotlib.

The name of a figure is that of its task, and an end. A task that stands for one of the paper's has the figures of that,
under the paper's names.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class View(NamedTuple):
    """A figure of a task."""

    kind: str  # its caption: `ffc.paper.captions`
    function: str  # that draws it: module.function of `ffc.paper.figures`
    options: Mapping[str, Any] = {}  # of the function
    folder: str = ""  # the end of the name of the folder of its records, if that is not the task's


class Shown(NamedTuple):
    """The notebook of a task (`notebooks/`), and its figures by the ends of their names."""

    notebook: str
    views: Mapping[str, View]


_SECONDS, _ITERATIONS = {"by": "seconds"}, {"by": "iterations"}
_RNN = Shown(
    "rnn_backprop",
    {
        "_begin": View("begin", "rnn.gradient_error", {"stage": "begin"}),
        "_end": View("end", "rnn.gradient_error", {"stage": "end"}),
        "_backprop": View("loss_time", "rnn.training", _SECONDS),
        "_backprop_iter": View("loss", "rnn.training", _ITERATIONS),
        "_scaling": View("lengths", "rnn.scaling", folder="_scaling"),
    },
)
_NET = Shown(
    "densenet",
    {
        "_outputs": View("logits", "densenet.outputs", {"log": False}),
        "_outputs_log": View("logits_log", "densenet.outputs", {"log": True}),
        "_iter": View("top_iterations", "densenet.top5_by_iterations"),
        "": View("top_time", "densenet.top5_by_time"),
    },
)
_MADE = Shown(
    "made",
    {
        "": View("sample", "sampling.strip"),
        "_time_nolog": View("time", "sampling.made", _SECONDS),
        "_time_nolog_iter": View("iterations", "sampling.made", _ITERATIONS),
    },
)
_PIXELS = Shown(
    "pixelcnnpp",
    {
        "": View("time", "sampling.pixelcnnpp", _SECONDS),
        "_iter": View("iterations", "sampling.pixelcnnpp", _ITERATIONS),
    },
)
_SAMPLER = Shown(
    "sampling",
    {
        "_iter": View("iterations", "sampling.approach", _ITERATIONS),
        "_time": View("time", "sampling.approach", _SECONDS),
        "": View("sample", "sampling.on_the_way"),
    },
)

#: Of the paper's tasks, in its order (their experiments: `ffc.paper.tasks`).
PAPER = {
    "rnn": _RNN,
    "densenet": _NET,
    "made_mnist": _MADE,
    "made_cifar": _MADE,
    "pixelcnnpp_mnist": _PIXELS,
    "pixelcnnpp_cifar10": _PIXELS,
}
#: Of a task that stands for none of them, by its experiment.
OWN = {"backpropagation": _RNN, "classification": _NET, "sampling": _SAMPLER}
#: Of the section `scaling` of a preset, and of the weights of all tasks.
SCALING = Shown("scaling", {"sampling_scaling": View("sizes", "scaling.sampling", folder="scaling")})
TRAINING = Shown("summary", {"training": View("training", "training.curves")})

#: Notebooks of the paper's tasks and of `scaling`, by their titles in the report.
NOTEBOOKS = {
    "rnn_backprop": "RNN backpropagation",
    "densenet": "DenseNet inference",
    "made": "MADE sampling",
    "pixelcnnpp": "PixelCNN++ sampling",
    "scaling": "Sampling by size",
}
