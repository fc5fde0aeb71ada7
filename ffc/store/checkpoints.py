"""Checkpoints: readers of the authors' `.flax` and `.pth` files, and the project's own store.

Our own file is `.flax` too, in the authors' layout, with a `.json` beside it that says what it is and
where it came from. Files are data: no reader runs code that a file contains.
"""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError, need
from ffc.models import Model, is_known, kind_of, model_class
from ffc.store.paths import check_checkpoint
from ffc.store.pytorch import DEPTH, read_tensors, unwrapped
from ffc.store.records import write_bytes

Tree = dict[str, Any]

_FIXED = ("mask", "running_mean", "running_var")  # leaves that are not trained
_REAL = (jnp.floating, jnp.integer, jnp.bool_)  # bfloat16 and its kin are no kinds of numpy's
_MODULES = ("module", "_orig_mod")  # what `DataParallel` and `torch.compile` put into names


@dataclass(frozen=True)
class Checkpoint:
    """A model, its weights, and `meta`: file, sha256, origin ("given" unless the sidecar says more), data …"""

    model: Model
    params: Tree
    meta: dict[str, Any]

    @property
    def parameters(self) -> int:
        """Number of trained values (masks and running statistics left out)."""
        leaves = jax.tree_util.tree_leaves_with_path(self.params)
        return sum(leaf.size for path, leaf in leaves if path[-1].key not in _FIXED)


def save(path: str | Path, model: Model, params: Tree, meta: dict[str, Any], compact: bool = False) -> None:
    """Write `path` (`.flax`) and its `.json`; the same weights always give the same bytes.

    `meta` is JSON-able: origin, data, training … `compact` weights are rounded to bfloat16, and lack what the model's
    sizes decide: `load` returns the rounded ones, whole. Raises `FFCError` where it would refuse the result.
    """
    path = Path(path)
    if path.suffix != ".flax":
        raise FFCError(f"{path}: weights are saved as .flax; choose such a name")
    need("flax", extra="checkpoints")
    from flax.serialization import msgpack_serialize

    params = jax.tree.map(np.asarray, params)
    try:
        model.check(params)
        if compact:
            params = jax.tree.map(lambda leaf: np.asarray(leaf, jnp.bfloat16), model.bare(params))
        _check_numbers(params)
    except FFCError as error:
        raise FFCError(f"{path}: {error}; nothing was written") from None
    content = msgpack_serialize(params)
    description = {"kind": kind_of(model), **dataclasses.asdict(model)}
    sidecar = {**meta, "model": description, "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(sidecar, indent=2, sort_keys=True) + "\n"
    # The sidecar first: weights without one would pass for somebody else's.
    write_bytes(path.with_suffix(".json"), text.encode())
    write_bytes(path, content)


def load(path: str | Path, shape: tuple[int, ...] | None = None, trunc_lambda: float | None = None) -> Checkpoint:
    """Read a checkpoint of PixelCNN++ (`.flax`), MADE or DenseNet (`.pth`), or one of our own.

    `shape` (height, width[, channels]) and `trunc_lambda` fill in what a foreign file does not say.
    Raises `FFCError`, naming the file, on anything but finite weights of a known model.
    """
    path = Path(path)
    check_checkpoint(path)
    try:
        content = path.read_bytes()
        raw = _READERS[path.suffix](content)
        digest = hashlib.sha256(content).hexdigest()
        sidecar = _sidecar(path, digest)
        described = sidecar.pop("model", None)
        tree = _arrays(raw if described else unwrapped(raw))  # ours are wrapped in nothing
        _check_numbers(tree)
        if described:
            model, tree = _described(described, tree)
        else:
            model = _recognised(tree, shape, trunc_lambda)
    except FFCError as error:
        raise FFCError(f"{path}: {error}") from None
    return Checkpoint(model, tree, {"origin": "given", **sidecar, "sha256": digest, "file": path.name})


def _read_flax(content: bytes) -> Tree:
    need("flax", extra="checkpoints")
    from flax.serialization import msgpack, msgpack_restore

    try:
        msgpack.unpackb(content, ext_hook=_check_array, strict_map_key=False, max_array_len=0)
        return msgpack_restore(content)
    except Exception as error:  # msgpack and numpy raise types of their own
        raise FFCError("not a whole Flax msgpack file; it may be truncated: download or copy it again") from error


def _check_array(code: int, data: bytes) -> None:
    """Flax's arrays are (shape, dtype, bytes), and a tree has no other lists: msgpack takes memory for their claims."""
    from flax.serialization import msgpack

    msgpack.unpackb(data, raw=True, max_array_len=DEPTH)


def _arrays(node: Any, path: tuple[str, ...] = ()) -> Any:
    """Return the tree with float32 arrays, or `FFCError`."""
    where = "/".join(path) or "the top"
    if isinstance(node, dict) and len(path) < DEPTH:
        return {str(name): _arrays(child, (*path, str(name))) for name, child in node.items()}
    if isinstance(node, np.ndarray) and any(jnp.issubdtype(node.dtype, kind) for kind in _REAL):
        return node.astype(np.float32, copy=False)
    kind = f"{node.dtype} numbers" if isinstance(node, np.ndarray) else type(node).__name__
    raise FFCError(f"expected a tree of named arrays of real numbers; found {kind} at {where}")


def _read_torch(content: bytes) -> Tree:
    state: dict[str, np.ndarray] = {}
    for name, value in read_tensors(content).items():
        plain = _new_name(name)
        if plain in state:
            raise FFCError(f"the name {plain} stands for two tensors, one of them {name}; save one of them alone")
        state[plain] = value.float().numpy()
    return _nested(state)


def _new_name(name: str) -> str:
    """Without the names of wrapped modules; torchvision's old state dicts write norm.1 where newer ones write norm1."""
    name = ".".join(part for part in name.split(".") if part not in _MODULES)
    return re.sub(r"\b(norm|relu|conv)\.([12])\b", r"\1\2", name)


def _nested(state: dict[str, np.ndarray]) -> Tree:
    """Dotted names as a tree, without the counters of batches, which are no weights."""
    tree: Tree = {}
    for name, value in state.items():
        *parents, leaf = name.split(".", DEPTH)
        if leaf == "num_batches_tracked":
            continue
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise FFCError(f"the name {name} stands for a layer and a tensor at once")
        if leaf in node:
            raise FFCError(f"the name {name} stands for a layer and a tensor at once")
        node[leaf] = value
    return tree


_READERS = {".flax": _read_flax, ".pth": _read_torch}


def _check_numbers(tree: Tree) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not np.all(np.isfinite(leaf)):
            raise FFCError(f"weights {jax.tree_util.keystr(path, simple=True, separator='.')} are not all finite")


def _sidecar(path: Path, digest: str) -> dict[str, Any]:
    """Return what the `.json` beside our own `.flax` says; empty where there is none."""
    beside = path.with_suffix(".json")
    if path.suffix != ".flax" or not beside.exists():
        return {}
    try:
        sidecar = json.loads(beside.read_text())
        recorded, _ = sidecar["sha256"], sidecar["model"]["kind"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise FFCError(f"{beside.name} beside it describes no checkpoint; move it away, or train again") from None
    if recorded != digest:
        raise FFCError(f"its SHA-256 is not the one in {beside.name}; restore the pair, or train again")
    return sidecar


def _described(description: dict[str, Any], tree: Tree) -> tuple[Model, Tree]:
    """Return the model that our own sidecar names, if the weights are its; and these, whole."""
    sizes = {name: tuple(value) if isinstance(value, list) else value for name, value in description.items()}
    kind = str(sizes.pop("kind"))
    if not is_known(kind):
        raise FFCError(
            f"the .json beside it names the model {kind}, whose code was not run; if it is yours, import it first "
            f"(ffc: --model {kind})"
        )
    cls = model_class(kind)
    if not (isinstance(cls, type) and issubclass(cls, Model)):
        raise FFCError(f"the .json beside it names {cls!r}, which is no model")
    count = sum(leaf.size for leaf in jax.tree.leaves(tree))
    if any(number > count for number in jax.tree.leaves(sizes) if isinstance(number, int)):
        raise FFCError(f"the .json beside it names sizes beyond its {count} weights")
    try:
        model = cls(**sizes)
        tree = model.complete(tree)
        model.check(tree)
    except (TypeError, ValueError) as error:
        raise FFCError(f"the .json beside it describes no {cls.__name__} ({error})") from None
    return model, tree


def _recognised(tree: Tree, shape: tuple[int, ...] | None, trunc_lambda: float | None) -> Model:
    """Return the model that somebody else's weights belong to, by their names and shapes."""
    kinds: list[Any] = [model_class(kind) for kind in ("pixelcnnpp", "made", "densenet")]
    pixelcnnpp, made, densenet = kinds
    if pixelcnnpp.is_params(tree):
        return pixelcnnpp.from_params(tree, shape)
    if made.is_params(tree):
        return made.from_params(tree, shape, trunc_lambda)
    if densenet.is_params(tree):
        return densenet.from_params(tree)
    names = ", ".join(sorted(map(str, tree))[:5]) if isinstance(tree, dict) and tree else "nothing"
    raise FFCError(
        f"the weights of no model known here (PixelCNN++, MADE, DenseNet): their names do not fit; found {names}. "
        "Weights that were trained here have a .json beside them, which says what they are: keep the two together"
    )
