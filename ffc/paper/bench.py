"""A fair benchmark: every solver and every sequential baseline in one process, warm, in turn.

All answer the same question, with the weights, data, noise and solvers of a preset that has run. Baselines are
compiled loops as the solvers are. Each program is compiled once, and its own memory analysis says what it
holds on the device. Repeats are interleaved, so that what slows the machine for a while slows all alike.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.measure import interleaved
from ffc.core.solution import Status
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi
from ffc.core.system import System
from ffc.models import Sampler
from ffc.models import rnn as network
from ffc.models.densenet import DenseNet, prepare
from ffc.paper.experiments import Job, densenet, rnn, sampling
from ffc.paper.figures.files import load_records
from ffc.paper.figures.style import in_order, look
from ffc.paper.tables import markdown
from ffc.paper.tasks import experiment_of, tasks_in
from ffc.paper.verdict import times
from ffc.store.checkpoints import Checkpoint
from ffc.store.records import Record, provenance

#: Sequential evaluations by kind of solver, and whether they are plain.
_BASELINES = {"sequential": "plain", "feedforward": "plain", "cached": "cached"}
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
    """A method to be timed: a compiled program, its arguments, and evaluations of the whole system in an iteration."""

    solver: str
    baseline: str  # "plain" or "cached" sequential evaluation; empty: neither
    program: jax.stages.Compiled
    arguments: tuple
    passes: float

    @classmethod
    def of(
        cls, solver: str, function: Callable[..., Result], *arguments: Any, passes: float, baseline: str = ""
    ) -> "Entry":
        return cls(solver, baseline, jax.jit(function).lower(*arguments).compile(), arguments, passes)

    def run(self) -> Result:
        return self.program(*self.arguments)

    @property
    def peak_bytes(self) -> int:
        """Arguments, results, and all that the program keeps between them."""
        memory = self.program.memory_analysis()
        assert memory is not None, "every backend of JAX says what a program holds"
        return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


def bench(
    results: Path, tasks: Iterable[str] | None = None, repeats: int = 5, system: dict[str, str] | None = None
) -> Record:
    """Time every solver of the preset whose results lie in `results`, again and together.

    `system` are options of the sampling systems (`Sampler.options`) in place of the preset's, where a model has them.
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
    groups = ((task, entries) for task in chosen for entries in _groups(task, results, system))
    rows = [row for group, (task, entries) in enumerate(groups) for row in _compete(task, group, entries, repeats)]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Record(arrays, {"preset": results.name, "repeats": repeats, "system": system, **provenance()})


def to_markdown(record: Record) -> str:
    """Return the table of a benchmark; speed-ups are ratios of medians within one task and system."""
    meta, rows = record.meta, range(len(record["task"]))
    about = f"{meta['device']['name']}; {meta['repeats']} interleaved repeats; preset {meta['preset']}"
    about += "".join(f"; {name}: {value}" for name, value in (meta["system"] or {}).items())
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


def _compete(task: str, group: int, entries: list[Entry], repeats: int) -> list[dict[str, Any]]:
    results = [entry.run() for entry in entries]
    seconds = interleaved({entry.solver: entry.run for entry in entries}, repeats)
    return [
        {
            "task": task,
            "group": group,
            "solver": entry.solver,
            "baseline": entry.baseline,
            "iterations": int(result.iterations),
            "passes": entry.passes * int(result.iterations),
            "seconds": seconds[entry.solver],
            "peak_bytes": entry.peak_bytes,
            "max_difference": _largest(result.answer, results[0].answer),
            "certified": bool(result.certified),
        }
        for entry, result in zip(entries, results, strict=True)
    ]


def _largest(answer: Any, truth: Any) -> float:
    apart = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), answer, truth)
    return float(max(jax.tree.leaves(apart)))


def _groups(task: str, results: Path, system: dict[str, str] | None) -> list[list[Entry]]:
    """Those of one system together; baselines first, plain evaluation before all."""
    loaded = load_records(results / "records" / task)
    records = in_order(record for name, record in loaded.items() if not name.startswith("gradients_"))
    jobs = [(look(record).label, _job(task, record, results)) for record in records]
    experiment = experiment_of(task, records[0].meta["settings"])
    if experiment == "backpropagation":
        return [_rnn(jobs)]
    return [_densenet(jobs)] if experiment == "classification" else _sampling(jobs, system)


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


def _sampling(jobs: list[tuple[str, Job]], options: dict[str, str] | None) -> list[list[Entry]]:
    """With `options`, that system alone: by all solvers that have none of their own."""
    checkpoint = jobs[0][1].load_checkpoint()
    if options and cast(Sampler, checkpoint.model).options:
        return [_of_system(options, [(label, job) for label, job in jobs if "system" not in job.options], checkpoint)]
    asked = [job.system for _, job in jobs]
    distinct = [system for i, system in enumerate(asked) if system not in asked[:i]]
    groups = [[(label, job) for label, job in jobs if job.system == system] for system in distinct]
    return [_of_system(system, group, checkpoint) for system, group in zip(distinct, groups, strict=True)]


def _of_system(options: dict[str, str], jobs: list[tuple[str, Job]], checkpoint: Checkpoint) -> list[Entry]:
    model, system = cast(Sampler, checkpoint.model), sampling.system_of(jobs[0][1], checkpoint, options)
    return [_solving(label, system, job, model) for label, job in jobs]


def _solving(label: str, system: System, job: Job, model: Sampler) -> Entry:
    guess = sampling.guess_of(job, model, system)
    solver = sampling.solver_of(job, system, guess)

    def run(system: System, guess: Any) -> Result:
        solution = solve(system, solver, x0=guess)
        return Result(solution.value, solution.iterations.max(), solution.certified.min() == system.size)

    schedule = solver.schedule(system.size)
    cached = schedule.cached and system.supports_window(schedule.count, schedule.block)
    passes = schedule.window / system.size if cached else schedule.block
    return Entry.of(label, run, system, guess, passes=passes, baseline=_BASELINES.get(job.kind, ""))


def _densenet(jobs: list[tuple[str, Job]]) -> list[Entry]:
    """One image, from its pixels to the logits."""
    job = jobs[0][1]
    checkpoint, x = job.load_checkpoint(), densenet.images_of(job)[0]
    model = cast(DenseNet, checkpoint.model)
    system = model.system(checkpoint.params, x)

    def in_order(layers: Any, x: jax.Array) -> Result:
        return Result(model.feedforward(layers, x), np.int32(system.size), np.bool_(True))

    def by_jacobi(system: Any) -> Result:
        solution = solve(system, Jacobi())
        whole = solution.certified.min() == system.size
        return Result(system.logits(solution.value), solution.iterations.max(), whole)

    layers = prepare(checkpoint.params)
    entries = {
        "feedforward": lambda label: Entry.of(label, in_order, layers, x, passes=1 / system.size, baseline="plain"),
        "jacobi": lambda label: Entry.of(label, by_jacobi, system, passes=1),
    }
    return [entries[job.kind](label) for label, job in jobs]


def _rnn(jobs: list[tuple[str, Job]]) -> list[Entry]:
    """Return the backward pass of one sequence: adjoints, and the gradients from them."""
    job = jobs[0][1]
    params, x = rnn.start(job), rnn.sequences(job.load_data())[:1]
    run, steps = jax.jit(network.forward)(params, x), x.shape[1]

    def entry(label: str, adjoint: Callable, iterations: int, passes: float, exact: bool, baseline: str = "") -> Entry:
        def backward(params: Any, x: jax.Array, run: Any) -> Result:
            return Result(network.gradients(x, run, adjoint(params, run)), np.int32(iterations), np.bool_(exact))

        return Entry.of(label, backward, params, x, run, passes=passes, baseline=baseline)

    def by_jacobi(iterations: int) -> Callable:
        return lambda params, run: network.adjoint_by_solver(params, run, Jacobi(), iterations).value[:, ::-1]

    def contestant(label: str, job: Job) -> Entry:
        if job.kind == "feedforward":
            return entry(label, network.adjoint_in_order, steps, 1 / steps, exact=True, baseline="plain")
        count = min(job.options["iterations"], steps)
        return entry(label, by_jacobi(count), count, 1, exact=count == steps)

    def by_chunks(params: Any, x: jax.Array, run: Any) -> Result:
        adjoint, solution = network.adjoint_by_chunks(params, run)
        certified = jnp.all(solution.status_codes == Status.CERTIFIED)
        return Result(network.gradients(x, run, adjoint), solution.iterations.max(), certified)

    chunks = Entry.of("Chunks (Jacobi-GS)", by_chunks, params, x, run, passes=1)
    depth = int(np.ceil(np.log2(steps)))
    scan = entry("Associative scan", network.adjoint_by_scan, depth, 1, exact=False)
    return [*(contestant(label, job) for label, job in jobs), chunks, scan]
