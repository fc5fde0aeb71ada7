"""Checkpoints: what is saved comes back, and weights of others are read however they are wrapped."""

import hashlib
import json
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax.serialization import msgpack_serialize
from sound import MODELS, state_dict, weights

from ffc import FFCError
from ffc.models.made import MADE
from ffc.store import checkpoints
from ffc.store.pytorch import read_tensors

MADES = MODELS["made"]


def assert_same(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.flax"


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_checkpoint_comes_back_as_it_was_and_always_has_the_same_bytes(model, path):
    params = weights(model)
    checkpoints.save(path, model, params, {"origin": "trained", "data": "test"})
    checkpoint, content = checkpoints.load(path), path.read_bytes()
    assert checkpoint.model == model
    digest = hashlib.sha256(content).hexdigest()
    assert checkpoint.meta == {"origin": "trained", "data": "test", "sha256": digest, "file": "model.flax"}
    assert_same(checkpoint.params, params)
    fixed = ("mask", "running_mean", "running_var")
    leaves = jax.tree_util.tree_leaves_with_path(params)
    assert checkpoint.parameters == sum(leaf.size for place, leaf in leaves if place[-1].key not in fixed)
    # Without the sidecar, sizes are read from the weights.
    path.with_suffix(".json").unlink()
    checkpoint = checkpoints.load(path, getattr(model, "shape", None), trunc_lambda=1e-6)
    assert (checkpoint.model, checkpoint.meta["origin"]) == (model, "given")
    # Compact weights are the rounded ones, in half the bytes, and stay themselves.
    checkpoints.save(path, model, params, {}, compact=True)
    checkpoint, compact = checkpoints.load(path), path.read_bytes()
    rounded = jax.tree.map(lambda leaf: np.asarray(leaf, jnp.bfloat16).astype(np.float32), model.bare(params))
    assert_same(checkpoint.params, model.complete(rounded))
    numbers = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (params, rounded)]
    assert len(content) - len(compact) >= 4 * numbers[0] - 2 * numbers[1] - 2 * len(jax.tree.leaves(rounded))
    for saved, settings, expected in ((checkpoint.params, {"compact": True}, compact), (params, {}, content)):
        checkpoints.save(path, model, saved, {}, **settings)
        assert path.read_bytes() == expected


def test_what_load_would_refuse_is_not_written_and_no_weights_before_what_says_what_they_are(path, monkeypatch):
    params = jax.tree.map(np.array, weights(MADES))
    params["net"]["0"]["weight"][0, 0] = np.nan
    for name, tree, expected in (
        ("model.flax", params, r"weights net\.0\.weight are not all finite; nothing was written"),
        ("model.flax", {"net": {}}, "lacks 0, 2, 4; nothing was written"),
        ("model.pth", weights(MADES), r"weights are saved as \.flax"),
    ):
        with pytest.raises(FFCError, match=f"{name}: .*{expected}"):
            checkpoints.save(path.with_name(name), MADES, tree, {})
    assert list(path.parent.iterdir()) == []
    written = []
    monkeypatch.setattr(checkpoints, "write_bytes", lambda path, content: written.append(path.suffix))
    checkpoints.save(path, MADES, weights(MADES), {"origin": "trained"})
    assert written == [".json", ".flax"], "a kill between them leaves nothing that passes for somebody else's"


@dataclass(frozen=True)
class Own(MADE):
    kind = "own"


def test_a_model_of_ones_own_is_found_where_its_module_is_imported(path):
    model = Own((2, 3, 1), hidden=(8, 8))
    checkpoints.save(path, model, weights(model), {})
    assert checkpoints.load(path).model == model
    assert json.loads(path.with_suffix(".json").read_text())["model"]["kind"] == "test_checkpoints:Own"


def test_foreign_flax_weights_in_bfloat16_are_read_however_they_are_wrapped(path):
    model = MODELS["pixelcnnpp"]
    tree = jax.tree.map(lambda leaf: np.asarray(leaf, jnp.bfloat16), weights(model))
    trained = {"step": 3, "params": {"params": tree}, "opt_state": {"0": None, "1": {"count": 3}}}
    for wrapped in (tree, {"params": tree}, trained):
        path.write_bytes(msgpack_serialize(wrapped))
        checkpoint = checkpoints.load(path, model.shape)
        assert replace(checkpoint.model, dropout=model.dropout) == model
        assert_same(checkpoint.params, jax.tree.map(lambda leaf: leaf.astype(np.float32), tree))


def test_foreign_pth_weights_are_read_however_they_are_wrapped(tmp_path):
    path, net = tmp_path / "model.pth", MODELS["densenet"]
    # Old names, those of wrapped modules, and counters, which are no weights.
    old = {
        name.replace("norm1", "norm.1").replace("conv2.", "conv._orig_mod.2."): t for name, t in state_dict(net).items()
    }
    assert old.keys() != state_dict(net).keys()
    old["features.norm5.num_batches_tracked"] = torch.tensor(3)
    cases = [(net, {"params": len(old), "state_dict": old}, ())]
    for prefix, wrapper in {"module.": None, "_orig_mod.": "state_dict", "module._orig_mod.": "model"}.items():
        state = {prefix + name: value.double() for name, value in state_dict(MADES).items()}
        saved = {"epoch": 3, wrapper: state, "optimizer": {"lr": [0.1]}} if wrapper else state
        cases.append((MADES, saved, (MADES.shape, MADES.trunc_lambda)))
    for model, saved, sizes in cases:
        torch.save(saved, path, _use_new_zipfile_serialization=model is MADES)  # torchvision's file is an old one
        checkpoint = checkpoints.load(path, *sizes)
        assert checkpoint.model == model
        assert_same(checkpoint.params, weights(model))


def test_tensors_of_a_pth_may_share_what_they_hold(path):
    weight = torch.arange(4096.0).reshape(64, 64)
    shared = {"a": weight, "b": weight, "turned": weight.t(), "part": weight[3:5]}
    torch.save(shared, path)
    assert_same(read_tensors(path.read_bytes()), {name: tensor.numpy() for name, tensor in shared.items()})
