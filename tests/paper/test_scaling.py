"""Times by size, batch and width: one network at every size, and the same answer by every way."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.widen import widen
from ffc.paper.experiments import scaling
from ffc.paper.experiments.scaling import pixels
from ffc.store import checkpoints

WAYS = [*pixels.WAYS, pixels.DRAFTED]
SETTINGS = {"sizes": [8], "batches": [1], "filters": [4], "system": {"quantize": "8bit"}}


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.stress), 3])
def test_a_wider_network_gives_the_same_outputs(channels):
    model = PixelCNNPP((8, 8, channels), filters=4, resnets=1, mixtures=3)
    params, images = model.init(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (2, 8, 8, channels))
    wide = replace(model, filters=10)
    wider = widen(params, 10)
    assert PixelCNNPP.from_params(wider, (8, 8)) == replace(wide, dropout=0.5)
    np.testing.assert_allclose(wide.logits(wider, images), model.logits(params, images), atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, widen(params, 4), params)
    with pytest.raises(FFCError, match="have 4, and channels can only be added"):
        widen(params, 3)


def test_a_network_grows_by_channels_that_change_no_output_and_can_learn():
    model = PixelCNNPP((8, 8, 1), filters=4, resnets=1, mixtures=3, dropout=0.0)
    params, images = model.init(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (2, 8, 8, 1))
    wide = replace(model, filters=6)
    grown = wide.grown(model, params, jax.random.key(2))
    wide.check(grown)
    np.testing.assert_allclose(wide.logits(grown, images), model.logits(params, images), atol=1e-6)
    # New channels are alive, where those of `widen` give nothing and learn nothing.
    gradients = jax.grad(lambda params: wide.logits(params, images).var())(grown)
    last = gradients["nin_0"]["WNDense_0"]["weight_v"]
    assert jnp.abs(last[:, 4:]).max() > 1e-3 * jnp.abs(last).max()
    with pytest.raises(FFCError, match="let them agree"):
        replace(wide, resnets=2).grown(model, params, jax.random.key(2))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    model = PixelCNNPP((8, 8, 1), filters=4, resnets=1, mixtures=3)
    path = tmp_path_factory.mktemp("scaling") / "weights.flax"
    checkpoints.save(path, model, model.init(jax.random.key(0)), {})
    return scaling.run(SETTINGS, checkpoint=path, task="pixelcnnpp_mnist", seed=0, repeats=2)


def test_every_way_is_timed_at_every_size_and_certified(record):
    points = list(zip(record["axis"].tolist(), record["at"].tolist(), strict=True))
    expected = [("size", 8), ("batch", 1), ("filters", 4)]
    assert points == [point for point in expected for _ in WAYS]
    assert record["way"].tolist() == WAYS * 3
    assert record["seconds"].shape == (15, 2)
    assert record["certified"].all()
    assert record["max_difference"].max() == 0  # 8-bit images, no ties
    assert record["residual"].tolist() == [0] * 15
    cached = record["way"] == "cached"
    assert record["iterations"][cached].tolist() == [64, 64, 64]
    assert (record["iterations"] <= record["iterations"][cached].repeat(len(WAYS))).all()


def test_the_race_chooses_one_way_for_each_point(record):
    assert record["chosen"].reshape(3, -1).sum(axis=1).tolist() == [1] * 3


def test_points_in_common_are_measured_once(record):
    same = [record["seconds"][record["axis"] == axis][:5] for axis in ("size", "batch", "filters")]
    np.testing.assert_array_equal(same[0], same[1])
    np.testing.assert_array_equal(same[0], same[2])


def test_other_models_are_refused(tmp_path):
    model = MADE((4, 4, 1), hidden=(8, 8))
    checkpoints.save(tmp_path / "made.flax", model, model.init(jax.random.key(0)), {})
    with pytest.raises(FFCError, match=r"made\.flax: weights of made; only PixelCNN"):
        scaling.run(SETTINGS, checkpoint=tmp_path / "made.flax", task="pixelcnnpp_mnist", seed=0, repeats=1)
