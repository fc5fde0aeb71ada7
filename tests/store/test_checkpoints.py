"""Checkpoints: what is saved comes back; whatever is wrong with a file is one message that names it."""

import dataclasses
import functools
import json
import os
import pickle
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax.serialization import msgpack_serialize
from places import GOLDEN

from ffc import FFCError
from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.store import checkpoints

MODELS = {
    "made": MADE((2, 3, 1), hidden=(8, 8)),
    "pixelcnnpp": PixelCNNPP((4, 8, 3), filters=4, resnets=1, mixtures=2),
    "densenet": DenseNet(classes=3, growth=2, blocks=(1, 2), features=4),
}


@functools.cache
def weights(model):
    return jax.jit(model.init)(jax.random.key(0))


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.flax"
    checkpoints.save(path, model, weights(model), {"origin": "trained", "data": "test"})
    return path


def test_a_checkpoint_comes_back_as_it_was(model, saved):
    checkpoint = checkpoints.load(saved)
    assert checkpoint.model == model
    assert checkpoint.meta["origin"] == "trained"
    jax.tree.map(np.testing.assert_array_equal, checkpoint.params, weights(model))


def test_the_same_weights_are_the_same_bytes(model, saved, tmp_path):
    checkpoints.save(tmp_path / "again.flax", model, weights(model), {})
    assert saved.read_bytes() == (tmp_path / "again.flax").read_bytes()


def test_compact_weights_are_the_rounded_ones_in_half_the_bytes_and_stay_themselves(model, saved, tmp_path):
    path, again = tmp_path / "compact.flax", tmp_path / "again.flax"
    checkpoints.save(path, model, weights(model), {}, compact=True)
    checkpoint = checkpoints.load(path)
    assert checkpoint.model == model
    rounded = jax.tree.map(lambda leaf: np.asarray(leaf, jnp.bfloat16).astype(np.float32), model.bare(weights(model)))
    jax.tree.map(np.testing.assert_array_equal, checkpoint.params, model.complete(rounded))
    numbers = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (weights(model), rounded)]
    assert saved.stat().st_size - path.stat().st_size >= 4 * numbers[0] - 2 * numbers[1] - 2 * len(
        jax.tree.leaves(rounded)
    )
    checkpoints.save(again, model, checkpoint.params, {}, compact=True)
    assert again.read_bytes() == path.read_bytes()


def test_masks_that_were_left_out_are_not_made_for_sizes_that_are_not_the_weights(tmp_path):
    """They would take memory for what a file only claims."""
    model = MADE((2, 3, 1), hidden=(8, 8))
    path = tmp_path / "model.flax"
    checkpoints.save(path, model, weights(model), {}, compact=True)
    claimed = json.loads(path.with_suffix(".json").read_text())
    claimed["model"]["hidden"] = [100, 100]
    path.with_suffix(".json").write_text(json.dumps(claimed))
    with pytest.raises(FFCError, match=r"model\.flax: .*net\.0 lacks mask"):
        checkpoints.load(path)


def test_without_a_sidecar_sizes_are_read_from_the_weights(model, saved):
    saved.with_suffix(".json").unlink()
    assert checkpoints.load(saved, getattr(model, "shape", None), trunc_lambda=1e-6).model == model


def test_weights_that_are_not_finite_are_refused_both_ways(model, tmp_path):
    params = jax.tree.map(np.array, weights(model))
    jax.tree.leaves(params)[0].flat[0] = np.nan
    with pytest.raises(FFCError, match=r"model\.flax: weights .* are not all finite; nothing was written"):
        checkpoints.save(tmp_path / "model.flax", model, params, {})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "model.flax").write_bytes(msgpack_serialize(params))
    with pytest.raises(FFCError, match=r"model\.flax: weights .* are not all finite"):
        checkpoints.load(tmp_path / "model.flax")


@dataclass(frozen=True)
class Own(MADE):
    kind = "own"


def test_a_model_of_ones_own_is_found_where_its_module_is_imported(tmp_path):
    model = Own((2, 3, 1), hidden=(8, 8))
    checkpoints.save(tmp_path / "model.flax", model, weights(model), {})
    assert checkpoints.load(tmp_path / "model.flax").model == model
    assert json.loads((tmp_path / "model.json").read_text())["model"]["kind"] == "test_checkpoints:Own"


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def exchanged(path):
    other = PixelCNNPP((4, 4, 1), filters=2, resnets=1, mixtures=1)
    path.write_bytes(msgpack_serialize(jax.tree.map(np.asarray, weights(other))))


def misdescribed(path):
    beside = path.with_suffix(".json")
    sidecar = json.loads(beside.read_text())
    beside.write_text(json.dumps(sidecar | {"model": sidecar["model"] | {"kind": "unheard_of"}}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (truncated, "not a whole Flax msgpack file"),
        (exchanged, r"its SHA-256 is not the one in model\.json"),
        (misdescribed, "unheard_of"),
        (lambda path: path.with_suffix(".json").write_text("{"), r"model\.json beside it describes no checkpoint"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(saved, damage, message):
    damage(saved)
    with pytest.raises(FFCError, match=rf"model\.flax: .*{message}"):
        checkpoints.load(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RunsCode(), "it holds objects whose loading runs code, which was not done"),
        ([1, 2], "expected a PyTorch state dict, names and tensors; found a list"),
        ({"epoch": 3, "net.0.weight": torch.ones(1)}, "found a int as 'epoch': save the weights alone"),
        ({"state_dict": {}, "opt": [torch.ones(1).expand(10**9)]}, "its tensors claim to be larger than the file"),
        ({"a.b": torch.ones(1), "a": torch.ones(1)}, "a layer and a tensor at once"),
        ({"weights": torch.ones(1)}, "the weights of no model known here .* found weights"),
        ({"net.0.weight": torch.ones(1).expand(10**9)}, "its tensors claim to be larger than the file"),
    ],
)
def test_a_hostile_or_foreign_pth_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "model.pth")
    with pytest.raises(FFCError, match=rf"model\.pth: .*{message}"):
        checkpoints.load("model.pth")
    assert not (tmp_path / "was-run").exists()


def test_a_bare_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pth").write_bytes(pickle.dumps(RunsCode()))
    with pytest.raises(FFCError, match="whose loading runs code, which was not done"):
        checkpoints.load("model.pth")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tree: tree,
        lambda tree: {"params": tree},
        lambda tree: {"step": 3, "params": {"params": tree}, "opt_state": {"0": None, "1": {"count": 3}}},
    ],
)
def test_foreign_flax_weights_in_bfloat16_are_read_however_they_are_wrapped(tmp_path, wrap):
    model = MODELS["pixelcnnpp"]
    tree = jax.tree.map(lambda leaf: np.asarray(leaf, jnp.bfloat16), weights(model))
    (tmp_path / "model.flax").write_bytes(msgpack_serialize(wrap(tree)))
    checkpoint = checkpoints.load(tmp_path / "model.flax", model.shape)
    assert dataclasses.replace(checkpoint.model, dropout=model.dropout) == model
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b.astype(np.float32)), checkpoint.params, tree)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict"])
def test_foreign_pth_weights_are_read_however_they_are_wrapped(tmp_path, prefix, wrapper):
    plain = torch.load(GOLDEN / "made_gray28.pth", weights_only=True)
    state = {prefix + name: value for name, value in plain.items()}
    torch.save({"epoch": 3, wrapper: state, "optimizer": {"lr": [0.1]}} if wrapper else state, tmp_path / "model.pth")
    found, answer = checkpoints.load(tmp_path / "model.pth"), checkpoints.load(GOLDEN / "made_gray28.pth")
    assert found.model == answer.model
    jax.tree.map(np.testing.assert_array_equal, found.params, answer.params)


def test_modules_that_are_wrapped_inside_a_model_are_read(tmp_path):
    plain = torch.load(GOLDEN / "made_gray28.pth", weights_only=True)
    state = {name.replace("net.", "net._orig_mod."): value.clone() for name, value in plain.items()}
    torch.save({"params": len(state), "state_dict": state}, tmp_path / "model.pth")  # params: their number
    found, answer = checkpoints.load(tmp_path / "model.pth"), checkpoints.load(GOLDEN / "made_gray28.pth")
    jax.tree.map(np.testing.assert_array_equal, found.params, answer.params)
    torch.save(plain | state, tmp_path / "model.pth")
    with pytest.raises(FFCError, match=r"the name net\.0\.weight stands for two tensors"):
        checkpoints.load(tmp_path / "model.pth")


@pytest.mark.parametrize("average", ["ema_params", "model_ema", "state_dict"])
def test_several_sets_of_weights_are_not_chosen_from(tmp_path, average):
    tree = jax.tree.map(np.asarray, weights(MODELS["pixelcnnpp"]))
    (tmp_path / "model.flax").write_bytes(msgpack_serialize({"params": tree, average: tree}))
    with pytest.raises(FFCError, match=rf"several sets of weights \(params, {average}\); save the one that you mean"):
        checkpoints.load(tmp_path / "model.flax")


def test_numbers_that_are_not_real_are_named(tmp_path):
    (tmp_path / "model.flax").write_bytes(msgpack_serialize({"layer": {"kernel": np.ones(2, complex)}}))
    with pytest.raises(FFCError, match="found complex128 numbers at layer/kernel"):
        checkpoints.load(tmp_path / "model.flax")
