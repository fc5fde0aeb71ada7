"""A fair benchmark: every solver and every sequential baseline in one process, warm, in turn.

All answer the same question, with the weights, data, noise and solvers of a preset that has run. Baselines are
compiled loops as the solvers are. Each program is compiled once, and its own memory analysis says what it
holds on the device. Repeats are interleaved, so that what slows the machine for a while slows all alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.measure import interleaved
from ffc.paper.experiments import Job, Way, way
from ffc.paper.figures.files import load_records
from ffc.paper.figures.style import in_order, look
from ffc.paper.tables import markdown
from ffc.paper.tasks import PLAIN, SEQUENTIAL, tasks_in
from ffc.paper.verdict import times
from ffc.store.records import Record, provenance

_HEADER = (
    "task",
    "solver",
    "iterations",
    "full passes",
    "seconds: median (least – most)",
    "× plain",
    "× best sequential",
    "peak MiB",
    "max difference",
    "certified",
)


class Result(NamedTuple):
    """What a program computes on the device."""

    answer: Any  # a state, logits, or gradients
    iterations: Any  # of the slowest sample
    certified: Any  # whether it proved its answer, or is the sequential evaluation that defines it


@dataclass(frozen=True)
class Entry:
    """A job to be timed, as a compiled program."""

    label: str  # as tables call its solver
    job: Job
    way: Way
    program: jax.stages.Compiled

    @classmethod
    def of(cls, label: str, job: Job) -> "Entry":
        answer = way(job)

        def program(*arguments: Any) -> Result:
            value, solution = answer.function(*arguments)
            if solution is None:
                return Result(value, np.int32(answer.size), np.bool_(True))
            return Result(value, solution.iterations.max(), solution.certified.min() == answer.size)

        return cls(label, job, answer, jax.jit(program).lower(*answer.arguments).compile())

    def run(self) -> Result:
        return self.program(*self.way.arguments)

    @property
    def baseline(self) -> str:
        """The kind of sequential evaluation, plain or cached; empty of all others."""
        return "plain" if self.job.kind in PLAIN else "cached" if self.job.kind in SEQUENTIAL else ""

    @property
    def peak_bytes(self) -> int:
        """Arguments, results, and all that the program keeps between them."""
        memory = self.program.memory_analysis()
        assert memory is not None, "every backend of JAX says what a program holds"
        return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


def bench(results: Path, tasks: Iterable[str] | None = None, repeats: int = 5) -> Record:
    """Time every solver of the preset whose results lie in `results`, again and together.

    Arrays, an entry for each task and solver: `task`, `solver` (as tables call it), `baseline` ("plain" or "cached"
    sequential evaluation, or neither), `group` (solvers of one task and system, which are timed in turn), `seconds`
    [entries, repeats], `iterations`, `passes` (evaluations of the whole system, in number of blocks), `peak_bytes`,
    `max_difference` to the sequential answer of the same system, and `certified`. Raises `FFCError` where the
    preset has not run, or lacks a task.
    """
    choices = list(tasks_in(results / "records"))
    if not choices:
        raise FFCError(f"{results}: no records there; run the preset first: snakemake {results.name}")
    chosen = choices if tasks is None else list(tasks)
    if unknown := sorted(set(chosen) - set(choices)):
        raise FFCError(f"task {unknown[0]!r}: expected one of {', '.join(choices)}, which have records in {results}")
    groups = ((task, jobs) for task in chosen for jobs in _groups(task, results))
    rows = [row for group, (task, jobs) in enumerate(groups) for row in _compete(task, group, jobs, repeats)]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Record(arrays, {"preset": results.name, "repeats": repeats, **provenance()})


def to_markdown(record: Record) -> str:
    """Return the table of a benchmark; speed-ups are ratios of medians within one task and system."""
    meta, rows = record.meta, range(len(record["task"]))
    about = f"{meta['device']['name']}; {meta['repeats']} interleaved repeats; preset {meta['preset']}"
    return f"{about}\n\n{markdown(_HEADER, [_cells(record.arrays, i) for i in rows])}\n"


def _cells(arrays: dict[str, np.ndarray], i: int) -> list[str]:
    row = {name: array[i] for name, array in arrays.items()}
    same, medians = arrays["group"] == row["group"], np.median(arrays["seconds"], axis=1)

    def ratio(baselines: np.ndarray) -> str:
        compared = medians[same & baselines]
        return times(compared.min() / medians[i] if len(compared) else None)

    return [
        row["task"],
        row["solver"],
        str(row["iterations"]),
        f"{row['passes']:.3g}",
        f"{medians[i]:.3g} ({row['seconds'].min():.3g} – {row['seconds'].max():.3g})",
        ratio(arrays["baseline"] == "plain"),
        ratio(arrays["baseline"] != ""),
        f"{row['peak_bytes'] / 2**20:.3g}",
        f"{row['max_difference']:.2g}",
        "yes" if row["certified"] else "no",
    ]


def _compete(task: str, group: int, jobs: list[tuple[str, Job]], repeats: int) -> list[dict[str, Any]]:
    entries = [Entry.of(label, job) for label, job in jobs]
    results = [entry.run() for entry in entries]
    seconds = interleaved({entry.label: entry.run for entry in entries}, repeats)
    return [
        {
            "task": task,
            "group": group,
            "solver": entry.label,
            "baseline": entry.baseline,
            "iterations": int(result.iterations),
            "passes": entry.way.passes * int(result.iterations),
            "seconds": seconds[entry.label],
            "peak_bytes": entry.peak_bytes,
            "max_difference": _largest(result.answer, results[0].answer),
            "certified": bool(result.certified),
        }
        for entry, result in zip(entries, results, strict=True)
    ]


def _largest(answer: Any, truth: Any) -> float:
    apart = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), answer, truth)
    return float(max(jax.tree.leaves(apart)))


def _groups(task: str, results: Path) -> list[list[tuple[str, Job]]]:
    """Return the jobs of a task by their labels, those of one system together; baselines first, plain before all."""
    loaded = load_records(results / "records" / task)
    records = in_order(record for name, record in loaded.items() if not name.startswith("gradients_"))
    jobs = [(look(record).label, _job(task, record, results)) for record in records]
    systems = [job.system for _, job in jobs]
    distinct = [system for i, system in enumerate(systems) if system not in systems[:i]]
    return [[(label, job) for label, job in jobs if job.system == system] for system in distinct]


def _job(task: str, record: Record, results: Path) -> Job:
    """Return the job that `record` came from."""
    meta = record.meta
    of_task = (path for path in sorted((results / "data").glob(f"{task}*.npz")))
    data = next(
        (path for path in of_task if Record.load(path).meta["title"] == meta.get("data", {}).get("title")), None
    )
    checkpoint = results / "checkpoints" / f"{task}.flax"
    settings, solver = meta["settings"], meta["solver"]
    if "chosen" in meta:  # not to be chosen again
        entry = settings["solvers"][solver] | meta["chosen"]
        settings = settings | {"solvers": settings["solvers"] | {solver: entry}}
    return Job(task, settings, solver, meta["seed"], 1, checkpoint, data)
