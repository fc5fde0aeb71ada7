"""The authors' DenseNet-201: logits before each update, and the time of each layer."""

from pathlib import Path

from ffc.paper.authors.files import Arrays
from ffc.paper.experiments.densenet import curves
from ffc.store.released import DENSENET


def read(path: Path, solver: str) -> tuple[dict, dict]:
    """Return arrays of the record of `feedforward` or `jacobi`; no `seconds`, as neither was timed as a whole."""
    file = Arrays(path)
    images, updates, _, classes = file.shape("outputs", (None, None, 1, None))
    truth = file.whole("ground_truths", (images, 1, classes))[:, 0]
    layer_seconds = file.whole("all_times", (images, updates))
    about = {
        "repeats": 1,
        "size": updates,
        "data": {"name": "imagenet", "title": f"ImageNet, {images} images"},
        "checkpoint": {"origin": "released", "released_file": DENSENET},
    }
    if solver == "feedforward":
        return {"logits": truth, "layer_seconds": layer_seconds}, about
    outputs = file.whole("outputs", (images, updates, 1, classes))[:, :, 0]
    return curves(outputs, truth, layer_seconds), about
