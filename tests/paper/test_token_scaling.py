"""Tokens by temperature, length and width: one set of weights, and the cached sampler's tokens by every way."""

import jax
import numpy as np
import pytest

from ffc import FFCError
from ffc.core.keys import key_of
from ffc.models.transformer import Transformer
from ffc.models.transformer.widen import grown
from ffc.paper.experiments import scaling
from ffc.store import checkpoints

MODEL = Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, cheap=8)
SETTINGS = {"temperatures": [0, 1], "lengths": [6, 12], "widths": [16, 32], "system": {"temperature": 1}}


@pytest.mark.parametrize(("width", "depth"), [(16, 1), (40, 1), (16, 3), (32, 2)])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_larger_network_gives_the_same_logits(width, depth, positions):
    model = Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, positions=positions, cheap=8)
    params, noise = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    wide, weights = grown(model, params, width, depth)
    wide.check(weights)
    tokens = model.system(params, noise).example(key_of(2))
    own, grew = (one.system(tree, noise).logits(tokens) for one, tree in ((model, params), (wide, weights)))
    np.testing.assert_allclose(grew, own, atol=1e-4)


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (20, 1), (16, 0)])
def test_a_smaller_network_or_half_a_head_is_refused(width, depth):
    with pytest.raises(FFCError, match=r"have width 16 in heads of 8, and depth 1; give as much or more"):
        grown(MODEL, jax.jit(MODEL.init)(key_of(0)), width, depth)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "weights.flax"
    checkpoints.save(path, MODEL, jax.jit(MODEL.init)(key_of(0)), {})
    return path


@pytest.fixture(scope="module")
def record(weights):
    return scaling.run(SETTINGS, checkpoint=weights, task="text", seed=0, repeats=2)


def test_every_way_draws_the_cached_samplers_tokens_at_every_point(record):
    ways = ["cached", "jacobi", "window", "drafted"]
    points = [("temperature", 0), ("temperature", 1), ("length", 6), ("length", 12), ("width", 16), ("width", 32)]
    assert record["way"].tolist() == ways * 6
    assert list(zip(record["axis"].tolist(), record["at"].tolist(), strict=True)) == [p for p in points for _ in ways]
    assert record["seconds"].shape == (24, 2)  # a text each
    assert record["certified"].all()
    assert record["max_difference"].max() == record["residual"].max() == 0
    lengths = np.where((record["axis"] == "length") & (record["at"] == 6), 6, 12)
    cached = record["way"] == "cached"
    np.testing.assert_array_equal(record["iterations"][cached], lengths[cached])
    assert (record["iterations"] <= lengths).all()


def test_texts_longer_than_the_weights_draw_are_refused(weights):
    with pytest.raises(FFCError, match="lengths: 13; these weights draw 12 tokens"):
        scaling.run(SETTINGS | {"lengths": [13]}, checkpoint=weights, task="text", seed=0, repeats=1)
