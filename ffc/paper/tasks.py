"""What records say of their task: which experiment it was, and for which of the paper's it stands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffc.core.errors import FFCError
from ffc.store.records import load_meta

#: The paper's tasks, in its order, and the experiment that each is.
PAPER = {
    "rnn": "backpropagation",
    "densenet": "classification",
    "made_mnist": "sampling",
    "made_cifar": "sampling",
    "pixelcnnpp_mnist": "sampling",
    "pixelcnnpp_cifar10": "sampling",
}
#: The module of each experiment; a job imports that of its own alone.
MODULES = {
    "backpropagation": "ffc.paper.experiments.rnn",
    "classification": "ffc.paper.experiments.densenet",
    "sampling": "ffc.paper.experiments.sampling",
}
#: Solvers that evaluate the whole network for each block, as the paper's baselines do; cached ones do not.
PLAIN = ("sequential", "feedforward")
#: Solvers whose answer is the sequential one by definition; others are held against the first that a task has.
SEQUENTIAL = (*PLAIN, "cached")


def experiment_of(task: str, settings: Mapping[str, Any]) -> str:
    """`backpropagation`, `classification` or `sampling`, as the settings of `task` say, or else as its name does.

    Raises `FFCError` where neither does.
    """
    experiment = settings.get("experiment", PAPER.get(task))
    if experiment not in PAPER.values():
        raise FFCError(
            f"task {task!r}: expected one of {', '.join(PAPER)}, or settings that say which experiment it is: "
            f"{', '.join(dict.fromkeys(PAPER.values()))}"
        )
    return experiment


def paper_of(meta: Mapping[str, Any]) -> str | None:
    """Return the paper's task for which that of a record with this `meta` stands; None if it stands for none.

    Records of before tasks could have other names, and the authors' own, say it by the name alone. No other task has
    such a name: the workflow refuses it.
    """
    return meta["settings"].get("paper", meta["task"] if meta["task"] in PAPER else None)


def tasks_in(records: str | Path) -> dict[str, dict[str, Any]]:
    """Return the tasks with records in the folder `records`, the paper's first; each with the `meta` of a solver's."""
    metas = {}
    for folder in sorted(path for path in Path(records).glob("*") if path.is_dir()):
        files = [path for path in sorted(folder.glob("*.npz")) if not path.stem.startswith("gradients_")]
        meta = load_meta(files[0]) if files else {}
        if meta.get("task") == folder.name:  # times by length or size have folders of their own
            metas[folder.name] = meta
    order = [*PAPER, None]
    return dict(sorted(metas.items(), key=lambda item: order.index(paper_of(item[1]))))
