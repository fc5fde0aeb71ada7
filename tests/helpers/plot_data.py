"""The authors' raw results in miniature, laid out as their runners write them, with numbers that are known."""

import itertools
import tarfile

import numpy as np
import torch

SAMPLES, STEPS, HIDDEN = 2, 4, 3  # sequences, time steps, units
RUNS, UPDATES = 2, 12  # of training
IMAGES, LAYERS, CLASSES = 2, 3, 10
BATCH, SIDE = 3, 4
CHANNELS = {"mnist": 1, "cifar": 3, "cifar10": 3}
BEGAN = 1.6e9  # what their clock read


def gradients(approach: float) -> dict[str, np.ndarray]:
    """Of every parameter, by sample and iteration: ones, times 1 − approach ** k; the last is exact."""
    left = approach ** np.arange(STEPS)
    left[-1] = 0
    shapes = {"W_o": (HIDDEN,), "b_o": (), "W_h": (HIDDEN, HIDDEN), "b_h": (HIDDEN,), "W_x": (HIDDEN, 1)}
    return {
        name: np.broadcast_to((1 - left).reshape(-1, *[1] * len(shape)), (SAMPLES, STEPS, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def loss(solver: str) -> np.ndarray:
    """[RUNS, UPDATES], as it was before the average."""
    return np.random.default_rng(len(solver)).uniform(0.1, 1, (RUNS, UPDATES))


def averaged(values: np.ndarray) -> np.ndarray:
    return np.stack(list(itertools.accumulate(values.T, lambda ema, new: 0.95 * ema + 0.05 * new)), axis=1)


def logits() -> dict[str, np.ndarray]:
    """`outputs` at a distance of 8, 4, 0.5 from `ground_truths`, in the entry that is the largest."""
    truth = np.tile(np.arange(CLASSES, dtype=np.float32), (IMAGES, 1, 1))
    outputs = np.repeat(truth[:, None], LAYERS, axis=1)
    outputs[..., -1] -= np.array([8, 4, 0.5])[:, None]
    seconds = np.full((IMAGES, LAYERS), [1e-3, 2e-3, 1e-3])
    return {"outputs": outputs, "ground_truths": truth, "all_times": seconds}


def made(data: str, solver: str, side: int = SIDE) -> dict[str, np.ndarray]:
    """Iterates to an answer: entry by entry, or all entries at once; 10 ms each."""
    size = CHANNELS[data] * side**2
    answer = np.random.default_rng(size).normal(size=(BATCH, size)).astype(np.float32)
    k = np.arange(size + 1)
    share = k[:, None] > np.arange(size) if solver == "sequential" else halving(k)[:, None] * np.ones(size)
    return {"images": (share[:, None] * answer).astype(np.float32), "times": BEGAN + 0.01 * k}


def halving(k: np.ndarray) -> np.ndarray:
    """Return the share that stands after k iterations: of a half, the rest is within a hundredth, of a whole not."""
    return np.array([0, 0.5, 0.75, 63 / 64, 1])[np.minimum(k, 4)]


def pixelcnnpp(data: str, solver: str) -> dict[str, np.ndarray]:
    """Two repeats in 1 and 3 s, in [0, 1], from a half at the start; Jacobi-GS in blocks of a row."""
    shape = (RUNS, SIDE**2, BATCH, SIDE, SIDE, CHANNELS[data])
    answer = np.random.default_rng(len(data)).choice([0.0, 1.0], (RUNS, 1, *shape[2:]))
    stands = halving(np.arange(1, SIDE**2 + 1)).reshape(1, -1, 1, 1, 1, 1)
    arrays = {"all_samples": (0.5 + stands * (answer - 0.5)).astype(np.float32), "all_times": np.array([1.0, 3.0])}
    if solver == "jacobi_gs":
        arrays["all_samples"] = arrays["all_samples"].reshape(RUNS, SIDE, SIDE, *shape[2:])
    if solver == "gs_jacobi":  # accepts two rows every other iteration
        arrays["all_row_ids"] = np.tile(np.minimum(2 * (np.arange(1, SIDE**2 + 1) // 2), SIDE), (RUNS, 1))
    return arrays


def write(folder) -> None:
    """Every file."""
    for solver in ("sequential", "jacobi"):
        for data in ("mnist", "cifar"):
            save(folder / f"made_{data}_{solver}.npz", made(data, solver))
    for solver in ("sequential", "sequential_cache", "jacobi", "jacobi_gs", "gs_jacobi"):
        for data in ("mnist", "cifar10"):
            save(folder / f"{data}_{solver}" / "report.npz", pixelcnnpp(data, solver), np.savez_compressed)
    save(folder / "densenet.npz", logits())
    for stage, (name, approach) in itertools.product(("begin", "end"), (("GS", 0.9), ("Jacobi", 0.5))):
        save(folder / f"{name}_convergence_{stage}.pth", gradients(approach))
    for name in ("GS_RNN", *(f"Jacobi_RNN_{k}" for k in (10, 20, 30, 50, 80))):
        seconds = np.broadcast_to(np.arange(1.0, UPDATES + 1), (RUNS, UPDATES))
        save(folder / f"{name}.pth", {"loss": averaged(loss(name)), "time": seconds})


def save(path, arrays: dict[str, np.ndarray], savez=np.savez) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        savez(path, **arrays)
    else:
        torch.save({name: torch.tensor(np.array(value)) for name, value in arrays.items()}, path)


def archive(path, folder):
    """An archive of all that lies in `folder`, under a folder of its own."""
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "fast_feedforward_computation")
    return path
