"""The authors' backpropagation: gradients of each iteration, losses and times of training."""

from pathlib import Path

import numpy as np

from ffc.paper.authors.files import refused, tensors

_PARAMETERS = {"W_o", "b_o", "W_h", "b_h", "W_x"}
_DECAY = 0.95  # of the moving average that stands for the loss
_ABOUT = {"size": 100, "data": {"name": "mnist", "title": "MNIST resized to 10×10"}}


def gradient_errors(paths: list[Path]) -> tuple[dict, dict]:
    """`begin`, `end` [samples, T], as far as there are files of them: distance to the last gradient, the exact one.

    Entry k is after k Jacobi sweeps, or with k adjoints by ordinary backpropagation, as in our own records;
    entry T, which is 0, is not there: the first adjoint enters no gradient.
    """
    curves = {path.stem.rpartition("_")[2]: _distance_to_last(path) for path in paths}
    samples, steps = next(iter(curves.values())).shape
    return curves, _ABOUT | {"repeats": samples, "size": steps}


def training(path: Path, solver: str) -> tuple[dict, dict]:
    """`loss` [R, steps] before each step, `seconds` [R, steps] since the start of the run.

    The file has a moving average e of the losses l: e_0 = l_0, e_i = 0.95·e_{i−1} + 0.05·l_i, which is undone.
    """
    arrays = tensors(path, {"loss", "time"})
    average, seconds = arrays["loss"], arrays["time"]
    if average.ndim != 2 or average.size == 0 or average.shape != seconds.shape:
        raise refused(path, f"loss and time have the shapes {average.shape} and {seconds.shape}, not one of two axes")
    loss = np.concatenate([average[:, :1], (average[:, 1:] - _DECAY * average[:, :-1]) / (1 - _DECAY)], axis=1)
    if loss.min() < 0:
        raise refused(path, f"loss is no moving average of squared errors (decay {_DECAY})")
    sweeps = solver.rpartition("_")[2]
    options = {"solver": "jacobi", "iterations": int(sweeps)} if sweeps.isdigit() else {}
    return {"loss": loss, "seconds": seconds}, _ABOUT | {"repeats": len(loss), "options": options}


def _distance_to_last(path: Path) -> np.ndarray:
    """Return [samples, T], the Euclidean distance of each iteration's gradient, over all parameters, to the last."""
    gradients = tensors(path, _PARAMETERS)
    leading = {value.shape[:2] for value in gradients.values()}
    if len(leading) != 1 or len(shape := leading.pop()) != 2 or 0 in shape:
        raise refused(path, "its gradients are not those of the same samples and iterations")
    return np.sqrt(sum(((g - g[:, -1:]) ** 2).reshape(*shape, -1).sum(axis=2) for g in gradients.values()))
