"""The tensors of PyTorch's files. Reading runs no code of a file, and takes no memory for unchecked claims."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from ffc.core.errors import FFCError, need

DEPTH = 16  # deeper than the tree of any model
#: Tensors that may lie in the same bytes, on average: layers that share their weights.
SHARED = 32
#: Where training programs keep the weights in what they save, and where an average of them beside.
_WRAPPERS = ("params", "state_dict", "model_state_dict", "model")
_AVERAGES = ("ema", "ema_params", "params_ema", "model_ema", "ema_state_dict", "state_dict_ema")


def read_tensors(content: bytes) -> dict[str, Any]:
    """Return the tensors of a PyTorch state dict, by name, in their types. Raises `FFCError` on anything else."""
    need("torch", extra="torch")
    import torch

    try:
        _check_packing(content)
        # First without numbers: PyTorch takes memory for what a file claims, before it reads as much.
        _check_tensors(torch.load(io.BytesIO(content), map_location="meta", weights_only=True), len(content))
        state = unwrapped(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except FFCError:
        raise
    except Exception as error:  # torch raises whatever its unpickler meets
        raise FFCError(
            "not a plain PyTorch state dict: it is damaged, or it holds objects whose loading runs code, which was "
            "not done; download it again, or have it saved as torch.save(model.state_dict(), …)"
        ) from error
    if any(value.device.type != "cpu" or value.is_quantized for value in state.values()):
        raise FFCError("it has tensors without numbers, or quantized ones; expected plain ones")
    return {str(name): value.detach() for name, value in state.items()}


def _check_packing(content: bytes) -> None:
    """PyTorch compresses nothing; what is compressed could expand to any size."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if sum(info.file_size for info in file.infolist()) > len(content):
                raise FFCError("what it holds claims to be larger than the file; download it again")


def _check_tensors(state: Any, size: int) -> None:
    """`FFCError` unless `state`, on the device "meta", has dense tensors that `size` bytes can hold."""
    import torch

    tensors = list(_tensors(state, set()))  # those beside the weights are loaded, too
    if any(value.layout != torch.strided or value.is_complex() for value in tensors):
        raise FFCError("expected dense tensors of real numbers")
    state = unwrapped(state)
    if not isinstance(state, dict):
        raise FFCError(f"expected a PyTorch state dict, names and tensors; found a {type(state).__name__}")
    if other := next((name for name, value in state.items() if not isinstance(value, torch.Tensor)), None):
        kind = type(state[other]).__name__
        raise FFCError(
            f"expected a PyTorch state dict, names and tensors only; found a {kind} as {other!r}: save the weights "
            "alone, as torch.save(model.state_dict(), …)"
        )
    storages = {storage._cdata: storage.nbytes() for storage in map(torch.Tensor.untyped_storage, tensors)}
    if sum(storages.values()) > size or sum(value.nbytes for value in tensors) > SHARED * size:
        raise FFCError("its tensors claim to be larger than the file; download it again from where you trust it")


def _tensors(node: Any, visited: set[int]) -> Iterator[Any]:
    """All tensors in dictionaries, lists and tuples, each container looked into once."""
    import torch

    if isinstance(node, torch.Tensor):
        yield node
    elif isinstance(node, dict | list | tuple) and id(node) not in visited:
        visited.add(id(node))
        for child in node.values() if isinstance(node, dict) else node:
            yield from _tensors(child, visited)


def unwrapped(tree: Any) -> Any:
    """Return the weights in a file that holds more, as training programs save it: its state, variables of Flax …

    Raises `FFCError` where there are several: weights and their average, say, give other samples.
    """
    for _ in range(DEPTH):
        if not isinstance(tree, dict):
            break
        names = [name for name in (*_WRAPPERS, *_AVERAGES) if isinstance(tree.get(name), dict)]
        if len(names) > 1:
            raise FFCError(f"it has several sets of weights ({', '.join(names)}); save the one that you mean alone")
        if not names:
            break
        tree = tree[names[0]]
    return tree
