"""Checkpoints: readers of the authors' `.flax` and `.pth` files, and the project's own store.

Our own file is `.flax` too, in the authors' layout, with a `.json` beside it that says what it is and
where it came from. Files are data: no reader runs code that a file contains.
"""

import dataclasses
import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.serialization import msgpack_restore, msgpack_serialize

from ffc.errors import FFCError
from ffc.models import Model, model_class
from ffc.records import write_whole

Tree = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A model, its weights, and `meta`: file, sha256, origin ("given" unless the sidecar says more), data …"""

    model: Model
    params: Tree
    meta: dict[str, Any]

    @property
    def parameters(self) -> int:
        """Number of trained values (masks and running statistics left out)."""
        fixed = ("mask", "running_mean", "running_var")
        leaves = jax.tree_util.tree_leaves_with_path(self.params)
        return sum(leaf.size for path, leaf in leaves if path[-1].key not in fixed)


def save(path: str | Path, model: Model, params: Tree, meta: dict[str, Any]) -> None:
    """Write `path` (`.flax`) and its `.json`; the same weights always give the same bytes."""
    path = Path(path)
    content = msgpack_serialize(jax.tree.map(np.asarray, params))
    sizes = {"kind": model.kind, **dataclasses.asdict(model)}
    sidecar = {"model": sizes, "sha256": hashlib.sha256(content).hexdigest(), **meta}
    text = json.dumps(sidecar, indent=2, sort_keys=True) + "\n"
    write_whole(path.with_suffix(".json"), lambda file: file.write(text.encode()))
    write_whole(path, lambda file: file.write(content))


def load(path: str | Path, shape: tuple[int, ...] | None = None, trunc_lambda: float | None = None) -> Checkpoint:
    """Read a checkpoint of PixelCNN++ (`.flax`), MADE or DenseNet (`.pth`), or one of our own.

    `shape` (height, width[, channels]) and `trunc_lambda` fill in what a foreign file does not say.
    Raises `FFCError`, naming the file, on anything but finite weights of a known model.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FFCError(f"{path}: cannot be read ({error.strerror}); give the path of a .flax or .pth file") from None
    try:
        tree = _read(path, content)
        _check_finite(tree)
        digest = hashlib.sha256(content).hexdigest()
        sidecar = _sidecar(path, digest)
        model = _model(tree, sidecar.pop("model", None), shape, trunc_lambda)
    except FFCError as error:
        raise FFCError(f"{path}: {error}") from None
    return Checkpoint(model, tree, {"origin": "given", **sidecar, "sha256": digest, "file": path.name})


def _read(path: Path, content: bytes) -> Tree:
    if not content:
        raise FFCError("the file is empty; download or copy it again")
    if path.suffix == ".flax":
        return _read_flax(content)
    if path.suffix in (".pth", ".pt"):
        return _read_torch(path)
    raise FFCError("expected a file that ends in .flax or .pth")


def _read_flax(content: bytes) -> Tree:
    try:
        tree = msgpack_restore(content)
    except Exception as error:  # msgpack and numpy raise types of their own
        raise FFCError("not a whole Flax msgpack file; it may be truncated: download or copy it again") from error
    return _arrays(tree)


def _read_torch(path: Path) -> Tree:
    import torch

    if not zipfile.is_zipfile(path):
        raise FFCError("not a whole PyTorch file; it may be truncated: download or copy it again")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        raise FFCError("not a plain PyTorch state dict (damaged, or it holds code, which is never run)") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise FFCError("expected a PyTorch state dict: names and tensors only")
    tree: Tree = {}
    for name, value in state.items():
        # Old torchvision files write norm.1 where newer ones write norm1; batch counters are not weights.
        *parents, leaf = re.sub(r"\b(norm|relu|conv)\.([12])\b", r"\1\2", str(name)).split(".")
        if leaf == "num_batches_tracked":
            continue
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise FFCError(f"the name {name} stands for a layer and a tensor at once")
        node[leaf] = value.float().numpy()
    return tree


def _arrays(node: Any, where: str = "") -> Any:
    """A tree of dictionaries with float32 arrays, or `FFCError`."""
    if isinstance(node, dict):
        return {str(name): _arrays(child, f"{where}/{name}") for name, child in node.items()}
    if isinstance(node, np.ndarray) and node.dtype.kind in "fiub":
        return node.astype(np.float32)
    raise FFCError(f"expected arrays of numbers in the tree of weights, found {type(node).__name__} at {where or '/'}")


def _check_finite(tree: Tree) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not np.all(np.isfinite(leaf)):
            raise FFCError(f"weights {jax.tree_util.keystr(path)} are not all finite; use another checkpoint")


def _sidecar(path: Path, digest: str) -> dict[str, Any]:
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text())
        recorded = sidecar["sha256"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        raise FFCError("the .json beside it cannot be read; delete it, or train again") from None
    if recorded != digest:
        raise FFCError("its SHA-256 is not the one in the .json beside it; restore the pair, or train again")
    return sidecar


def _model(tree: Tree, sizes: dict[str, Any] | None, shape, trunc_lambda) -> Model:
    if sizes is not None:
        sizes = {name: tuple(value) if isinstance(value, list) else value for name, value in sizes.items()}
        cls = model_class(sizes.pop("kind"))
        try:
            model = cls(**sizes)
        except TypeError as error:
            raise FFCError(f"the .json beside it describes no {cls.__name__} ({error})") from None
        expected = jax.eval_shape(model.init, jax.random.key(0))
        if jax.tree.map(np.shape, tree) != jax.tree.map(lambda leaf: leaf.shape, expected):
            raise FFCError(f"its weights do not have the sizes that the .json beside it names ({model})")
        return model
    pixelcnnpp, made, densenet = map(model_class, ("pixelcnnpp", "made", "densenet"))
    if pixelcnnpp.is_params(tree):
        return pixelcnnpp.from_params(tree, shape)
    if made.is_params(tree):
        return made.from_params(tree, shape, trunc_lambda)
    if densenet.is_params(tree):
        return densenet.from_params(tree)
    raise FFCError("weights of no model known here (PixelCNN++, MADE, DenseNet); their names do not fit")
