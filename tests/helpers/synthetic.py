"""Records of every task with made-up numbers, small and known: what figures and the table are tested on."""

import numpy as np

from ffc.paper.experiments.scaling.pixels import LABELS
from ffc.store.records import Record

DEVICE = {"platform": "cpu", "name": "Abacus, 10 rows"}
METRICS = {"steps": 7, "best_step": 4, "valid_loss": 1.0, "test_loss": 1.25, "unit": "bits/dim"}
CURVES = {"step": [2, 4, 6, 7], "train_loss": [4.0, 2.0, 1.0, 0.5], "valid_loss": [3.0, 1.0, 1.5, 2.0]}
WEIGHTS = {"origin": "trained", "metrics": METRICS, "curves": CURVES, "sha256": "0" * 64}
SIZE, BATCH, SIDE = 16, 3, 4


def record(arrays, task, solver, options=None, **meta) -> Record:
    """A record with the meta data that an experiment writes."""
    options = options or {}
    about = {"task": task, "solver": solver, "kind": options.get("solver", solver), "device": DEVICE, "size": SIZE}
    about |= {"settings": {"solvers": {solver: options}}, "data": {"name": "pebbles", "title": "pebbles 4×4"}}
    return Record(arrays, about | meta)


def sampling(task, solver, iterations, seconds, steps=1, options=None) -> Record:
    """Errors fall evenly, from 8 to 0 in sample 0, from 4 to 0 in the others."""
    left = np.linspace(1, 0, iterations + 1)[:, None] * np.array([8.0, 4.0, 4.0])
    shown = np.array([*range(0, 50, 5), iterations])
    shape = (len(shown), BATCH, SIDE, SIDE, 3 if "cifar" in task else 1)
    level = np.minimum(shown, iterations) * 255 // iterations
    arrays = {
        "snapshots": np.broadcast_to(level[:, None, None, None, None], shape).astype(np.uint8),
        "snapshot_iterations": shown,
        "iterations": np.full(BATCH, iterations),
        "certified": np.full(BATCH, SIZE),
        "max_difference": np.zeros(BATCH),
        "residual": np.array([0.0, 1e-7, 2e-7]),
        "seconds": seconds * np.array([1.0, 3.0, 0.5]),
        "evaluations": np.array(iterations * steps),
        "steps_per_iteration": np.array(steps),
        "oracle_iterations": np.array(iterations // 2),
        "oracle_seconds": np.array(seconds / 2),
        "error_l2": left,
        "error_max": left / 2,
        "change": np.abs(np.diff(left, axis=0, prepend=left[:1])),
    }
    return record(arrays, task, solver, options, checkpoint=WEIGHTS)


def training(solver, seconds, options=None, difference=0.0) -> Record:
    """Two runs of twelve steps whose loss halves at every step."""
    loss = 0.5 ** np.arange(12) * np.array([[1.0], [3.0]])
    clock = np.linspace(0, seconds, 13)[1:] * np.ones((2, 1))
    return record({"loss": loss, "seconds": clock, "max_difference": np.array(difference)}, "rnn", solver, options)


def gradients(solver, rate) -> Record:
    """Five samples whose error is scale · rate^k, exact at the end."""
    begin = np.arange(1.0, 6.0)[:, None] * np.append(rate ** np.arange(SIZE), 0)
    return record({"begin": begin, "end": begin / 10}, "rnn", solver)


def lengths() -> Record:
    """Ways whose seconds grow with the length, from 1 ms for 10 steps; DEER fell back to the order at 100."""
    arrays = {"lengths": np.array([10, 100])}
    ways = ("sequential", "deer", "quasi_deer", "forward_chunks", "backpropagation", "jacobi", "chunks", "scan")
    for place, way in enumerate(ways, 1):
        arrays[f"{way}_seconds"] = place * 1e-3 * np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
        arrays[f"{way}_parallel"] = np.array([True, way != "deer"])
    return record(arrays, "rnn", "scaling")


def sizes(points, ways, chosen, labels, task="pixelcnnpp_mnist") -> Record:
    """Ways, by name (seconds of a unit, iterations), whose seconds are in proportion to the value on each axis."""
    rows = [
        {"axis": axis, "at": at, "way": way, "seconds": np.array([1.0, 2.0, 3.0]) * at * seconds}
        | {"iterations": iterations, "certified": True, "max_difference": 0.0, "chosen": way == chosen}
        for axis, at in points
        for way, (seconds, iterations) in ways.items()
    ]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return record(arrays, task, "scaling", checkpoint=WEIGHTS, labels=labels)


def images() -> Record:
    """Of PixelCNN++, by size, batch and width."""
    points = [("size", 8), ("size", 16), ("batch", 1), ("batch", 4), ("filters", 16), ("filters", 32)]
    seconds = {"cached": 10e-3, "jacobi": 5e-3, "rows": 20e-3, "pixels": 30e-3, "drafted": 8e-3}
    return sizes(points, {way: (unit, 7) for way, unit in seconds.items()}, "jacobi", LABELS)


def densenet() -> dict[str, Record]:
    """Two images, three layers; the slowest layer takes 2 ms, all of them 4 ms."""
    feedforward = {"logits": np.zeros((2, 10)), "seconds": np.full((2, 3), [2e-3, 3e-3, 9e-3])}
    feedforward["layer_seconds"] = np.full((2, 3), [1e-3, 2e-3, 1e-3])
    error = np.array([[4.0, 2.0, 1.0, 0.0], [2.0, 1.0, 0.5, 0.0]])
    jacobi = {
        "outputs": np.zeros((2, 4, 10)),
        "error_l2": error,
        "change": np.abs(np.diff(error, axis=1, prepend=error[:, :1])),
        "top5_difference": np.array([[3, 1, 0, 0], [2, 0, 0, 0]]),
        "smallest5_difference": np.array([[5, 4, 2, 0], [5, 2, 0, 0]]),
        "iterations": np.array([3, 3]),
        "certified": np.array([3, 3]),
        "max_difference": np.array([0.0, 1e-6]),
        "seconds": np.full((2, 3), [5e-3, 6e-3, 10e-3]),
        "estimate_certified": np.array([6e-3, 6e-3]),
        "estimate_smallest5": np.array([6e-3, 4e-3]),
    }
    both = {"feedforward": feedforward, "jacobi": jacobi}
    return {name: record(arrays, "densenet", name, size=3, checkpoint=WEIGHTS) for name, arrays in both.items()}


def everything() -> dict[str, dict[str, Record]]:
    """Records of all tasks, by task and solver."""
    made = {"sequential": ("sequential", SIZE, 0.8), "cached": ("cached", SIZE, 0.4), "jacobi": ("jacobi", 4, 0.1)}
    windows = {
        "gs_jacobi": ("gs_jacobi", 8, 0.2, 1, {"window": 2}),
        "jacobi_gs": ("jacobi_gs", 3, 0.3, 4, {"block": 4}),
    }
    samplers = dict.fromkeys(("made_mnist", "made_cifar"), made)
    samplers |= dict.fromkeys(("pixelcnnpp_mnist", "pixelcnnpp_cifar10"), made | windows)
    truncated = {f"jacobi_{k}": {"solver": "jacobi", "iterations": k} for k in (2, SIZE)}
    rnn = {name: training(name, 2.0, options, difference=0.25) for name, options in truncated.items()}
    rates = {"feedforward": 0.95, "jacobi": 0.5}
    return {
        "rnn": {"feedforward": training("feedforward", 1.0), **rnn}
        | {f"gradients_{name}": gradients(name, rate) for name, rate in rates.items()},
        "densenet": densenet(),
        **{task: {name: sampling(task, *run) for name, run in runs.items()} for task, runs in samplers.items()},
    }


def write(folder) -> None:
    """All of `everything`, and times by length and size, as the workflow lays its records out."""
    extras = {"rnn_scaling": {"scaling": lengths()}, "scaling": {"sampling": images()}}
    for task, records in (everything() | extras).items():
        for solver, one in records.items():
            one.save(folder / task / f"{solver}.npz")
