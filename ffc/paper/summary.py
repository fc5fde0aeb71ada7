"""The table of results: task × solver beside the paper's own numbers, as Markdown and CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ffc.core.errors import FFCError
from ffc.paper.figures.files import from_root, load_records
from ffc.paper.figures.style import in_order, look, of_one_system, sources, theirs
from ffc.paper.tables import markdown
from ffc.paper.tasks import PLAIN, SEQUENTIAL, experiment_of, paper_of, tasks_in
from ffc.paper.verdict import Row, Spread, cell, conclusion, essentials_table
from ffc.store.records import Record, write_bytes

#: Song et al., ICML 2021: iterations and seconds by oracle stopping (for DenseNet: estimated), as the outputs
#: stored in the authors' notebooks have them. An older GPU; the data that the paper's task is named after.
PAPER: dict[tuple[str, str], tuple[int | None, float]] = {
    ("densenet", "feedforward"): (None, 0.02785),
    ("densenet", "jacobi"): (None, 0.01307),
    ("made_mnist", "sequential"): (784, 0.343),
    ("made_mnist", "jacobi"): (31, 0.0126),
    ("made_cifar", "sequential"): (3072, 3.026),
    ("made_cifar", "jacobi"): (92, 0.1194),
    ("pixelcnnpp_mnist", "sequential"): (None, 12.155),
    ("pixelcnnpp_mnist", "cached"): (None, 8.228),
    ("pixelcnnpp_mnist", "jacobi"): (None, 1.938),
    ("pixelcnnpp_mnist", "gs_jacobi"): (None, 1.862),
    ("pixelcnnpp_mnist", "jacobi_gs"): (None, 5.955),
    ("pixelcnnpp_cifar10", "sequential"): (None, 30.948),
    ("pixelcnnpp_cifar10", "cached"): (None, 17.762),
    ("pixelcnnpp_cifar10", "jacobi"): (None, 26.155),
    ("pixelcnnpp_cifar10", "gs_jacobi"): (None, 14.874),
    ("pixelcnnpp_cifar10", "jacobi_gs"): (None, 14.760),
}

#: Keys of a row, and how the table calls them.
COLUMNS = {
    "task": "task",
    "solver": "solver",
    "iterations": "parallel iterations",
    "certified_seconds": "certified seconds",
    "over_plain": "× plain",
    "over_best": "× best sequential",
    "oracle_seconds": "oracle seconds",
    "oracle_over_plain": "oracle × plain",
    "max_difference": "max difference",
    "residual": "residual",
    "certified": "certified",
    "peak_memory": "peak memory (GiB)",
    "paper_iterations": "paper: iterations",
    "paper_seconds": "paper: seconds",
    "paper_over_plain": "paper: × plain",
    "paper_over_best": "paper: × best sequential",
}

_PAPERS = [key for key in COLUMNS if key.startswith("paper_")]

#: What a reader wants to see first.
BESIDE_THE_PAPER = (
    "task",
    "solver",
    "iterations",
    "certified_seconds",
    "over_plain",
    "over_best",
    "oracle_over_plain",
    "paper_over_plain",
)

NOTES = """\
- *certified seconds*: the solver stopped by itself, timed end to end, warm; median of the repeats. *oracle
  seconds*: the authors' rule, the share of that time until the answer was first reached (PixelCNN++: to within
  0.01), which needs the answer beforehand.
- *× plain*, *× best sequential*: how many times faster than plain sequential evaluation, and than the fastest
  sequential one, cached or not, of the same system: 8-bit images are compared with 8-bit images. *oracle × plain*
  compares as the paper does. The verdict says the range over the repeats: from the fastest sequential run over the
  solver's slowest to the reverse.
- *max difference*: the largest to the sequential answer of the same system. *certified*: every sample is proven to be
  the solution.
- *residual*: how far a plain sweep moves the samples at most, measured apart from the times; 8-bit samples are led on
  until a sweep moves none.
- *peak memory*: of the device, over a solver's whole job; where the device tells it.
- rnn: seconds of a whole training run, difference of the trained weights; a truncated Jacobi is not exact, and
  certifies nothing. densenet: mean over images; *oracle* is the authors' estimate, slowest layer × iterations
  until their top-5 settles, against the sum of all layers' times."""

#: Of the columns that only tasks have which stand for the paper's.
PAPERS_NOTE = """\
- *paper*: stored outputs of the authors' notebooks, by oracle stopping, on an older GPU and the data that the
  paper's task is named after."""

#: Headings of what the numbers come to, and of all of them.
VERDICT, TABLE = "## Verdict", "## Every solver"

Records = dict[str, dict[str, Record]]


def load(folder: str | Path) -> Records:
    """Return the records of each task with a folder in `folder`, by task and solver; `FFCError` if there is none."""
    records_of = {task: load_records(Path(folder) / task) for task in tasks_in(folder)}
    if not records_of:
        raise FFCError(f"{folder}: no records of any task; let snakemake make them, or name another folder")
    return records_of


def table(records: Records) -> list[Row]:
    """Return a row for each task and solver, with the keys of `COLUMNS`, the `experiment`, and the `spread` of × best
    sequential; None where a number has no meaning."""
    return [row for task, runs in records.items() for row in _rows(task, runs)]


def to_markdown(rows: list[Row], origin: list[str]) -> str:
    """Where the numbers come from (`origin`), what they come to, the table, and what its columns mean."""
    verdict = [f"{VERDICT}\n", _list(conclusion(rows)), f"{essentials_table(rows)}\n"]
    notes = [f"\n{NOTES}", *([PAPERS_NOTE] if {*_PAPERS} & _columns(rows).keys() else []), ""]
    return "\n".join([_list(origin), *verdict, f"{TABLE}\n", markdown_table(rows, _columns(rows)), *notes])


def markdown_table(rows: list[Row], keys: Iterable[str] = BESIDE_THE_PAPER) -> str:
    """Return the columns `keys` of the table."""
    keys = list(keys)
    return markdown([COLUMNS[key] for key in keys], [[cell(key, row[key]) for key in keys] for row in rows])


def to_csv(rows: list[Row]) -> str:
    """Return the table in CSV: plain numbers of four digits, nothing where a number has no meaning."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = _columns(rows)
    writer.writerow(columns.values())
    writer.writerows([_number(row[key]) for key in columns] for row in rows)
    return text.getvalue()


def origins(records: Records) -> list[str]:
    """Return the device, and each task's data set and weights under their true names."""
    everything = [record for runs in records.values() for record in runs.values()]
    tasks = [f"{task}: {'; '.join(sources(runs.values(), ('Data', 'Weights')))}" for task, runs in records.items()]
    return [*sources(everything, ("Device",)), *tasks]


def write(records: str | Path, output: str | Path) -> str:
    """Write `summary.md` and `summary.csv` into `output` from the folder `records`; returns the Markdown."""
    loaded, output = load(from_root(records)), from_root(output)
    rows = table(loaded)
    markdown = to_markdown(rows, origins(loaded))
    for name, text in (("summary.md", markdown), ("summary.csv", to_csv(rows))):
        write_bytes(output / name, text.encode())
    return markdown


def _list(lines: list[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _rows(task: str, runs: dict[str, Record]) -> list[Row]:
    chosen = in_order(record for name, record in runs.items() if not name.startswith("gradients_"))
    about = chosen[0].meta
    experiment, counterpart = experiment_of(task, about["settings"]), paper_of(about)
    spent = {record.meta["solver"]: _seconds(record, experiment) for record in chosen}
    seconds = {solver: None if every is None else _median(every) for solver, every in spent.items()}
    outcomes = {record.meta["solver"]: _OUTCOMES[experiment](record) for record in chosen}
    paper = {name: value for (of, name), (_, value) in PAPER.items() if of == counterpart}
    rows = []
    for record in chosen:
        name = record.meta["solver"]
        peers = [other for other in chosen if of_one_system(record, other)]
        baselines = [other for other in peers if other.meta["kind"] in SEQUENTIAL]
        certified = {other.meta["kind"]: seconds[other.meta["solver"]] for other in peers}
        oracle = {other.meta["kind"]: outcomes[other.meta["solver"]]["oracle_seconds"] for other in peers}
        mine = outcomes[name]["oracle_seconds"]
        row = {
            "task": task,
            "experiment": experiment,
            "solver": look(record).label,
            "certified_seconds": seconds[name],
            **_ratios(certified, seconds[name], "over_plain", "over_best"),
            "spread": _spread(spent[name], [spent[other.meta["solver"]] for other in baselines]),
            "oracle_over_plain": _ratio(_first(oracle, PLAIN), mine),
            "peak_memory": _gib(record.meta.get("peak_memory_bytes")),
            "residual": _largest(record, "residual"),
            "paper_iterations": PAPER.get((counterpart or "", name), (None, None))[0],
            "paper_seconds": paper.get(name),
            **_ratios(paper, paper.get(name), "paper_over_plain", "paper_over_best"),
        }
        rows.append(row | outcomes[name] | ({"certified": "no"} if theirs(record) else {}))
    return rows


def _seconds(record: Record, experiment: str) -> np.ndarray | None:
    """[images, repeats], where an image was timed alone; [1, repeats] of a batch, or of a whole training run."""
    if "seconds" not in record.arrays:  # the authors' runs did not stop by themselves
        return None
    return np.atleast_2d(record["seconds"][:, -1] if experiment == "backpropagation" else record["seconds"])


def _median(seconds: np.ndarray) -> float:
    """Over the repeats; then the mean over images."""
    return float(np.median(seconds, axis=1).mean())


def _spread(mine: np.ndarray | None, baselines: list[np.ndarray | None]) -> Spread | None:
    """Of × best sequential over the repeats, each a mean over images; never without the ratio of the medians."""
    timed = [seconds for seconds in baselines if seconds is not None]
    if mine is None or not timed:
        return None
    base = min(timed, key=_median)
    (fast, slow), (least, most) = (
        (min(runs), max(runs)) for runs in ([_median(seconds), *seconds.mean(axis=0)] for seconds in (mine, base))
    )
    return Spread(float(least / slow), float(most / fast), min(mine.shape[1], base.shape[1]))


def _rnn(record: Record) -> Row:
    iterations = record.meta["settings"]["solvers"][record.meta["solver"]].get("iterations", record.meta["size"])
    return {
        "iterations": min(iterations, record.meta["size"]),
        "oracle_seconds": None,
        "max_difference": _largest(record, "max_difference"),
        "certified": "no" if iterations < record.meta["size"] else "yes",
    }


def _densenet(record: Record) -> Row:
    if record.meta["kind"] == "feedforward":
        estimate = record["layer_seconds"].sum(axis=1).mean()
        outcome = {"iterations": record.meta["size"], "max_difference": 0.0, "certified": "yes"}
        return outcome | {"oracle_seconds": float(estimate)}
    return {
        "iterations": int(record["iterations"].max()) if "iterations" in record.arrays else None,
        "oracle_seconds": float(record["estimate_smallest5"].mean()),
        "max_difference": _largest(record, "max_difference"),
        "certified": _certified(record),
    }


def _sampling(record: Record) -> Row:
    return {
        "iterations": int(record["evaluations"]),
        "oracle_seconds": float(record["oracle_seconds"]),
        "max_difference": _largest(record, "max_difference"),
        "certified": _certified(record),
    }


_OUTCOMES = {"backpropagation": _rnn, "classification": _densenet, "sampling": _sampling}


def _certified(record: Record) -> str:
    certified = record.arrays.get("certified", 0)
    return "yes" if np.all(certified == record.meta["size"]) else "no"


def _largest(record: Record, name: str) -> float | None:
    return float(np.max(record[name])) if name in record.arrays else None


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _ratios(seconds: Mapping[str, float | None], mine: float | None, over_plain: str, over_best: str) -> Row:
    """How many times faster `mine` is than the sequential evaluations among `seconds`, by kind of solver."""
    baselines = [spent for kind in SEQUENTIAL if (spent := seconds.get(kind))]
    return {over_plain: _ratio(_first(seconds, PLAIN), mine), over_best: _ratio(min(baselines, default=None), mine)}


def _ratio(base: float | None, mine: float | None) -> float | None:
    return base / mine if base and mine else None


def _columns(rows: list[Row]) -> dict[str, str]:
    """`COLUMNS`, without the peaks of memory where no device told them, residuals where none was measured, and the
    paper's where no task stands for one of its."""
    untold = {key for key in ("peak_memory", "residual") if all(row[key] is None for row in rows)}
    untold |= {*_PAPERS} if all(row[key] is None for row in rows for key in _PAPERS) else set()
    return {key: name for key, name in COLUMNS.items() if key not in untold}


def _gib(size: int | None) -> float | None:
    return size / 2**30 if size else None


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
