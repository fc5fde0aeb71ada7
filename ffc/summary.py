"""The table of results: task × solver beside the paper's own numbers, as Markdown and CSV."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ffc.experiments import TASKS
from ffc.figures import load_records
from ffc.figures.style import look, sources
from ffc.records import Record, write_whole

#: The paper's iterations and seconds (stored outputs of the authors' notebooks, an older GPU, oracle stopping).
PAPER: dict[tuple[str, str], tuple[int | None, float]] = {
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
    ("pixelcnnpp_cifar10", "jacobi_gs"): (None, 14.760),
    ("pixelcnnpp_cifar10", "gs_jacobi"): (None, 14.874),
    ("densenet", "feedforward"): (None, 0.02785),
    ("densenet", "jacobi"): (None, 0.01307),
}
_PLAIN, _BASELINES = ("sequential", "feedforward"), ("sequential", "feedforward", "cached")

COLUMNS = {
    "task": "task",
    "solver": "solver",
    "iterations": "parallel iterations",
    "certified_seconds": "certified s",
    "oracle_seconds": "oracle s",
    "over_plain": "over plain",
    "over_best": "over best sequential",
    "max_difference": "max diff. to sequential",
    "certified": "certified",
    "paper_iterations": "paper: iterations",
    "paper_seconds": "paper: s",
    "paper_over_plain": "paper: over plain",
}


def rows(records: str | Path) -> list[dict[str, Any]]:
    """A row for each task and solver under the folder `records`; keys are those of `COLUMNS`, None where unknown.

    Seconds are medians over repeats. `iterations` counts evaluations that follow one another. Speed-ups
    compare certified seconds with the plain sequential baseline and with the fastest sequential one.
    """
    table = []
    for task in TASKS:
        runs = {n: r for n, r in load_records(Path(records) / task).items() if not n.startswith("gradients_")}
        seconds = {name: _seconds(record) for name, record in runs.items()}
        baselines = [seconds[name] for name in _BASELINES if name in seconds]
        plain = next((seconds[name] for name in _PLAIN if name in seconds), None)
        for name in sorted(runs, key=lambda n: (n not in _BASELINES, list(runs).index(n))):
            paper_iterations, paper_seconds = PAPER.get((task, name), (None, None))
            paper_plain = next((PAPER[task, p][1] for p in _PLAIN if (task, p) in PAPER), None)
            table.append(
                {
                    "task": task,
                    "solver": look(runs[name]).label,
                    **_outcome(runs[name]),
                    "certified_seconds": seconds[name],
                    "over_plain": plain / seconds[name] if plain else None,
                    "over_best": min(baselines) / seconds[name] if baselines else None,
                    "paper_iterations": paper_iterations,
                    "paper_seconds": paper_seconds,
                    "paper_over_plain": paper_plain / paper_seconds if paper_seconds and paper_plain else None,
                }
            )
    return table


def to_markdown(table: list[dict[str, Any]], origin: Iterable[str] = ()) -> str:
    """The table in Markdown, below lines that say where its numbers come from."""
    lines = [f"- {line}" for line in origin] + [""]
    lines += ["| " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_text(key, row[key]) for key in COLUMNS) + " |" for row in table]
    notes = (
        "*certified*: the solver stopped by itself, end to end. *oracle*: the authors' rule, which needs the answer"
        " beforehand; for DenseNet, the slowest layer's time × iterations (feedforward: the sum of the layers)."
        " RNN: seconds of a whole training run; Jacobi is truncated there, so nothing is certified."
        " The paper's seconds are of an older GPU and other weights."
    )
    return "\n".join([*lines, "", notes, ""])


def to_csv(table: list[dict[str, Any]]) -> str:
    """The table in CSV, numbers in full."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS.values())
    writer.writerows([_text(key, row[key]) for key in COLUMNS] for row in table)
    return text.getvalue()


def origins(records: str | Path) -> list[str]:
    """For each task, the data, the weights' origin and the device."""
    return [f"**{t}**: {'; '.join(sources(list(load_records(Path(records) / t).values())))}" for t in TASKS]


def write(records: str | Path, output: str | Path) -> str:
    """Write `summary.md` and `summary.csv` into `output`; returns the Markdown."""
    table = rows(records)
    markdown = to_markdown(table, origins(records))
    write_whole(Path(output) / "summary.md", lambda file: file.write(markdown.encode()))
    write_whole(Path(output) / "summary.csv", lambda file: file.write(to_csv(table).encode()))
    return markdown


def _seconds(record: Record) -> float:
    """Median over repeats: of a batch, of a training run's end, or of an image (mean over images)."""
    seconds = record["seconds"]
    if record.meta["task"] == "rnn":
        return float(np.median(seconds[:, -1]))
    return float(np.median(seconds, axis=-1).mean())


def _outcome(record: Record) -> dict[str, Any]:
    """Iterations, oracle seconds, difference and certificate, as far as the task has them."""
    arrays, none = record.arrays, dict.fromkeys(("iterations", "oracle_seconds", "max_difference", "certified"))
    if record.meta["task"] == "rnn":
        return none | {"iterations": record.meta["settings"]["solvers"][record.meta["solver"]].get("iterations")}
    if record.meta["task"] == "densenet":
        layers = arrays.get("layer_seconds")
        if "outputs" not in arrays:
            return none | {
                "iterations": layers.shape[1],
                "oracle_seconds": float(layers.sum(axis=1).mean()),
                "max_difference": 0.0,
                "certified": "yes",
            }
        return none | {
            "iterations": int(arrays["iterations"].max()),
            "oracle_seconds": float(np.mean(arrays["estimated_seconds"])) if "estimated_seconds" in arrays else None,
            "max_difference": float(arrays["max_difference"].max()) if "max_difference" in arrays else None,
            "certified": "yes" if np.all(arrays["certified"] == record.meta["size"]) else "no",
        }
    return {
        "iterations": int(arrays["evaluations"]),
        "oracle_seconds": float(arrays["oracle_seconds"]),
        "max_difference": float(arrays["max_difference"].max()),
        "certified": "yes" if np.all(arrays["certified"] == record.meta["size"]) else "no",
    }


def _text(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if key.endswith("over_plain") or key == "over_best":
        return f"{value:.2f}×"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
