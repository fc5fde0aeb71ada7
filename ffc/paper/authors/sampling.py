"""The authors' samples: every iterate of MADE and PixelCNN++, and the times.

Their runs did all T iterations and never stopped by themselves: nothing is certified, and `elapsed` [T + 1],
the seconds until each iterate stood, takes the place of our `seconds`.
"""

import math
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ffc.core.history import History, Iterate, curves
from ffc.models import Sampler
from ffc.models.made import MADE, RELEASED
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.paper.authors.files import Arrays, refused
from ffc.paper.experiments.sampling import ORACLE, SHOWN, oracle_iterations, pictures

_SETS = {"mnist": ("MNIST", 1), "cifar10": ("CIFAR-10", 3)}  # title, channels
_LAMBDAS = {shape[2]: trunc_lambda for shape, trunc_lambda in RELEASED.values()}
_WINDOWS = {"mnist": 15, "cifar10": 2}  # rows of GS-Jacobi: the files don't tell, their configuration does


def made(path: Path, data: str) -> tuple[dict, dict]:
    """MADE's record. The file has `images` [T + 1, B, T], iterates in logit space, and `times` [T + 1], a clock's.

    That of CIFAR-10 has 3.8 GB, so it is read twice, iterate by iterate: first the answer, then the way to it.
    """
    file, channels = Arrays(path), _SETS[data][1]
    count, _, size = file.shape("images", (None, None, None))
    side = math.isqrt(size // channels)
    if channels * side**2 != size or count != size + 1:
        raise refused(path, f"images has {count} iterates of {size} entries, not of squares of {channels} channels")
    times = file.whole("times", (count,))
    model = MADE((side, side, channels), trunc_lambda=_LAMBDAS[channels])
    answer = file.last("images")
    arrays = _arrays(model, [(answer, _history(file.rows("images"), answer, size))])
    elapsed = times - times[0]
    oracle = oracle_iterations(arrays["error_max"], ORACLE["made"])
    arrays |= {"elapsed": elapsed, "oracle_iterations": oracle, "oracle_seconds": elapsed[oracle]}
    return arrays, _about(model, data, f"{data}_made.pth", repeats=1)


def pixelcnnpp(path: Path, data: str, kind: str) -> tuple[dict, dict]:
    """PixelCNN++'s record, the repeats' samples side by side, for each repeat had noise of its own.

    The file has `all_samples` [R, T, B, h, w, c] in [0, 1], without the first guess, and `all_times` [R] of whole
    runs. Jacobi-GS lists [R, T/b, b, …]: each of a block's b steps is an iteration here. The oracle is theirs, a
    mean over the repeats: within 0.01 in [0, 1], but for GS-Jacobi when its window has left the image.
    """
    file, channels = Arrays(path), _SETS[data][1]
    blocks = (None,) * (2 if kind == "jacobi_gs" else 1)
    shape = file.shape("all_samples", (None, *blocks, None, None, None, channels))
    repeats, steps, (_, height, width, _) = shape[0], shape[1:-4], shape[-4:]
    size = height * width
    if math.prod(steps) != size or height % 4 or width % 4:
        raise refused(path, f"all_samples has {math.prod(steps)} iterations of images of {height}×{width}")
    times = file.whole("all_times", (repeats,))
    model = PixelCNNPP((height, width, channels))
    runs = [_run(row.reshape(size, -1, size, channels)) for row in file.rows("all_samples")]
    if kind == "gs_jacobi":  # the window's first row after each iteration; beyond the last when it is done
        counts = np.minimum(np.sum(file.whole("all_row_ids", (repeats, size)) < height, axis=1) + 1, size)
    else:
        counts = np.array([oracle_iterations(history.largest, 2 * ORACLE["pixelcnnpp"]) for _, history in runs])
    arrays = _arrays(model, runs) | {
        "elapsed": np.linspace(0, np.median(times), size + 1),
        "oracle_iterations": counts.mean(),
        "oracle_seconds": (times * counts / size).mean(),
    }
    options = {"gs_jacobi": {"window": _WINDOWS[data]}, "jacobi_gs": {"block": steps[-1]}}.get(kind, {})
    return arrays, _about(model, data, f"{data}.flax", repeats) | {"options": options}


def _run(samples: np.ndarray) -> tuple[np.ndarray, History]:
    """Return the answer, and the curves to it from zeros, of iterates [T, B, pixels, c] in [0, 1]; here in [−1, 1]."""
    states = 2 * samples - 1
    return states[-1], _history(chain([np.zeros_like(states[0])], states), states[-1], len(states))


def _history(iterates: Iterable[np.ndarray], answer: np.ndarray, length: int) -> History:
    """Return the curves that our own solvers record, of the first guess and `length` iterates after it."""
    numbered = (Iterate(x, k, 0) for k, x in enumerate(iterates))  # they certify nothing
    return curves(numbered, answer, length, (*SHOWN, length))


def _arrays(model: Sampler, runs: list[tuple[np.ndarray, History]]) -> dict[str, Any]:
    """Return what the records of our own runs have (`ffc.paper.experiments.sampling`), less what only they know."""
    answers = np.concatenate([answer for answer, _ in runs])
    snapshots = [[pictures(model, state) for state in history.snapshots] for _, history in runs]
    length = len(runs[0][1].l2) - 1
    return {
        "samples": np.asarray(model.samples(answers)),
        "pictures": pictures(model, answers),
        "snapshots": np.concatenate(snapshots, axis=1),
        "snapshot_iterations": np.array((*SHOWN, length)),
        "iterations": np.full(len(answers), length),
        "evaluations": length,
        "steps_per_iteration": 1,
        "error_l2": np.concatenate([history.l2 for _, history in runs], axis=1),
        "error_max": np.concatenate([history.largest for _, history in runs], axis=1),
        "change": np.concatenate([history.change for _, history in runs], axis=1),
    }


def _about(model: MADE | PixelCNNPP, data: str, checkpoint: str, repeats: int) -> dict[str, Any]:
    height, width, channels = model.shape
    return {
        "repeats": repeats,
        "size": height * width * (channels if model.kind == "made" else 1),
        "data": {"name": data, "title": f"{_SETS[data][0]} {height}×{width}"},
        "checkpoint": {"origin": "released", "released_file": checkpoint},
    }
