"""The authors' raw results (`plot_data/` in the released archive) as records, which figures draw like our own.

Arrays and meta have the names and the meaning that `ffc.paper.experiments` gives them. What the files don't hold is
left out: nothing is certified, and what did not stop by itself has no `seconds`. `meta["origin"]` is "authors".
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ffc.core.errors import FFCError
from ffc.paper.authors import densenet, rnn, sampling
from ffc.store.records import Record

_STAGES = ("begin", "end")
_SWEEPS = (10, 20, 30, 50, 80)
_ADJOINTS = {"feedforward": "GS", "jacobi": "Jacobi"}  # ours: theirs
_SAMPLERS = {name: name for name in ("sequential", "jacobi", "gs_jacobi", "jacobi_gs")} | {"cached": "sequential_cache"}

#: Record, as task/solver → the files that it is read from.
RECORDS: dict[str, tuple[str, ...]] = {
    "rnn/feedforward": ("GS_RNN.pth",),
    **{f"rnn/jacobi_{k}": (f"Jacobi_RNN_{k}.pth",) for k in _SWEEPS},
    **{
        f"rnn/gradients_{ours}": tuple(f"{theirs}_convergence_{stage}.pth" for stage in _STAGES)
        for ours, theirs in _ADJOINTS.items()
    },
    **{f"densenet/{solver}": ("densenet.npz",) for solver in ("feedforward", "jacobi")},
    **{
        f"made_{data}/{solver}": (f"made_{data}_{solver}.npz",)
        for data in ("mnist", "cifar")
        for solver in ("sequential", "jacobi")
    },
    **{
        f"pixelcnnpp_{data}/{ours}": (f"{data}_{theirs}/report.npz",)
        for data in ("mnist", "cifar10")
        for ours, theirs in _SAMPLERS.items()
    },
}


def _files(*records: str) -> tuple[str, ...]:
    """Return the files of all records whose names begin so."""
    return tuple(file for record, files in RECORDS.items() if record.startswith(records) for file in files)


#: Figure → the files that it shows.
FIGURES: dict[str, tuple[str, ...]] = {
    **{f"rnn_{stage}": tuple(f"{who}_convergence_{stage}.pth" for who in _ADJOINTS.values()) for stage in _STAGES},
    **{f"rnn_backprop{view}": _files("rnn/feedforward", "rnn/jacobi_") for view in ("", "_iter")},
    **{f"densenet{view}": ("densenet.npz",) for view in ("", "_iter", "_outputs", "_outputs_log")},
    **{
        f"made_{data}{view}": _files(f"made_{data}/")
        for data in ("mnist", "cifar")
        for view in ("", "_time_nolog", "_time_nolog_iter")
    },
    **{
        f"pixelcnnpp_{data}{view}": _files(f"pixelcnnpp_{data}/")
        for data in ("mnist", "cifar10")
        for view in ("", "_iter")
    },
}


def files_of(figures: Iterable[str]) -> list[str]:
    """Return the files that `figures` show; a name is the end of a path in the archive."""
    return sorted({file for figure in figures for file in FIGURES.get(figure, ())})


def drawable(figures: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Return the `figures` whose files are all among `names`, and the records (task/solver) that each shows."""
    names = set(names)
    return {
        figure: [record for record, files in RECORDS.items() if set(files) & set(FIGURES[figure])]
        for figure in figures
        if figure in FIGURES and names.issuperset(FIGURES[figure])
    }


def read(task: str, solver: str, files: Mapping[str, str | Path]) -> Record:
    """Return the record of one solver of one task, from `files`, where each is by its name.

    Raises `FFCError`, naming the file, on a broken one, on one that holds anything but what the authors' code
    writes, and where there is none.
    """
    names = RECORDS.get(f"{task}/{solver}", ())
    paths = [Path(files[name]) for name in names if name in files]
    if not paths:
        raise FFCError(f"the authors' results of {task} by {solver}: no file; expected {' or '.join(names) or 'none'}")
    arrays, about = _convert(task, solver, paths)
    return Record(arrays, _meta(task, solver.removeprefix("gradients_"), **about) | {"files": [p.name for p in paths]})


def _convert(task: str, solver: str, paths: list[Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays, and what `_meta` adds to its own."""
    kind, _, data = task.partition("_")
    if kind == "rnn":
        return rnn.gradient_errors(paths) if solver.startswith("gradients_") else rnn.training(paths[0], solver)
    if kind == "densenet":
        return densenet.read(paths[0], solver)
    if kind == "made":
        return sampling.made(paths[0], {"cifar": "cifar10"}.get(data, data))
    return sampling.pixelcnnpp(paths[0], data, solver)


def _meta(task: str, solver: str, options: dict[str, Any] | None = None, **about: Any) -> dict[str, Any]:
    options = options or {}
    return {
        "origin": "authors",
        "task": task,
        "solver": solver,
        "kind": options.get("solver", solver),
        "settings": {"solvers": {solver: options}},
        "device": {"platform": "gpu", "name": "the authors' GPU (not recorded)"},
        **about,
    }
