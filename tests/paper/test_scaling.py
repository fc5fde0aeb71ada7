"""Times by size, one network at every size, and the same answer by every way: PixelCNN++'s images and tokens."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError
from ffc.core.keys import key_of
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.widen import widen
from ffc.models.transformer import Transformer
from ffc.models.transformer.widen import grown
from ffc.paper.experiments import scaling
from ffc.paper.experiments.scaling import pixels
from ffc.store import checkpoints

PIXELS = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=2)
TOKENS = Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, cheap=8)


def images(channels):
    return jax.random.uniform(jax.random.key(1), (2, 4, 4, channels))


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.stress), 3])
def test_a_wider_network_of_pixels_gives_the_same_outputs(channels):
    model, x = replace(PIXELS, shape=(4, 4, channels)), images(channels)
    params, wide = jax.jit(model.init)(jax.random.key(0)), replace(model, filters=10)
    wider = widen(params, 10)
    assert PixelCNNPP.from_params(wider, (4, 4)) == replace(wide, dropout=0.5)
    np.testing.assert_allclose(jax.jit(wide.logits)(wider, x), jax.jit(model.logits)(params, x), atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, widen(params, 4), params)
    with pytest.raises(FFCError, match="have 4, and channels can only be added"):
        widen(params, 3)


def test_a_network_of_pixels_grows_by_channels_that_change_no_output_and_can_learn():
    model, x = replace(PIXELS, dropout=0.0), images(1)
    params, wide = jax.jit(model.init)(jax.random.key(0)), replace(model, filters=6)
    grew = wide.grown(model, params, jax.random.key(2))
    wide.check(grew)
    # New channels are alive, where those of `widen` give nothing and learn nothing.
    spread = lambda params: ((logits := wide.logits(params, x)).var(), logits)  # noqa: E731
    (_, logits), gradients = jax.jit(jax.value_and_grad(spread, has_aux=True))(grew)
    np.testing.assert_allclose(logits, jax.jit(model.logits)(params, x), atol=1e-6)
    last = gradients["nin_0"]["WNDense_0"]["weight_v"]
    assert jnp.abs(last[:, 4:]).max() > 1e-3 * jnp.abs(last).max()
    with pytest.raises(FFCError, match="let them agree"):
        replace(wide, resnets=2).grown(model, params, jax.random.key(2))


@pytest.mark.parametrize(("positions", "width", "depth"), [("rotary", 40, 3), ("learned", 32, 1), ("learned", 16, 2)])
def test_a_larger_network_of_tokens_gives_the_same_logits(positions, width, depth):
    model = replace(TOKENS, positions=positions)
    params, noise = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    wide, weights = grown(model, params, width, depth)
    wide.check(weights)
    tokens = jnp.asarray(np.random.default_rng(2).integers(0, 8, noise.shape[:2]), jnp.int32)
    logits = [jax.jit(one.system(tree, noise).logits)(tokens) for one, tree in ((model, params), (wide, weights))]
    np.testing.assert_allclose(*logits, atol=1e-4)


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (20, 1), (16, 0)])
def test_a_smaller_network_of_tokens_or_half_a_head_is_refused(width, depth):
    with pytest.raises(FFCError, match=r"have width 16 in heads of 8, and depth 1; give as much or more"):
        grown(TOKENS, jax.eval_shape(TOKENS.init, key_of(0)), width, depth)


def measured(folder, model, task, settings):
    path = folder / "weights.flax"
    checkpoints.save(path, model, jax.jit(model.init)(key_of(0)), {})
    return scaling.run(settings, checkpoint=path, task=task, seed=0, repeats=2)


@pytest.fixture(scope="module")
def of_pixels(tmp_path_factory):
    settings = {"sizes": [4], "batches": [1], "filters": [4], "system": {"quantize": "8bit"}}
    return measured(tmp_path_factory.mktemp("pixels"), PIXELS, "pixelcnnpp_mnist", settings)


@pytest.fixture(scope="module")
def of_tokens(tmp_path_factory):
    settings = {"temperatures": [0], "lengths": [6], "widths": [32], "system": {"temperature": 1}}
    return measured(tmp_path_factory.mktemp("tokens"), TOKENS, "text", settings)


@pytest.mark.parametrize(
    ("name", "ways", "points", "blocks"),
    [
        ("of_pixels", [*pixels.WAYS, pixels.DRAFTED], [("size", 4), ("batch", 1), ("filters", 4)], [16, 16, 16]),
        (
            "of_tokens",
            ["cached", "jacobi", "window", "drafted"],
            [("temperature", 0), ("length", 6), ("width", 32)],
            [12, 6, 12],
        ),
    ],
)
def test_every_way_is_timed_at_every_point_and_has_the_cached_samplers_answer(request, name, ways, points, blocks):
    record = request.getfixturevalue(name)
    rows = (3, len(ways))
    assert record["way"].tolist() == ways * 3
    assert list(zip(record["axis"].tolist(), record["at"].tolist(), strict=True)) == [p for p in points for _ in ways]
    assert record["seconds"].shape == (3 * len(ways), 2)
    assert record["certified"].all()
    assert record["max_difference"].max() == record["residual"].max() == 0  # whole numbers, no ties
    iterations = record["iterations"].reshape(rows)
    assert iterations[:, ways.index("cached")].tolist() == blocks
    assert (iterations <= np.array(blocks)[:, None]).all()
    assert record["chosen"].reshape(rows).sum(axis=1).tolist() == [1] * 3  # by a race


def test_points_in_common_are_measured_once(of_pixels):
    size, batch, filters = of_pixels["seconds"].reshape(3, -1)
    np.testing.assert_array_equal(size, batch)
    np.testing.assert_array_equal(size, filters)


def test_what_does_not_fit_is_refused(tmp_path):
    settings = {"lengths": [13], "system": {}}
    with pytest.raises(FFCError, match="lengths: 13; these weights draw 12 tokens"):
        measured(tmp_path, TOKENS, "text", settings)
    with pytest.raises(FFCError, match=r"weights\.flax: weights of made; only PixelCNN"):
        measured(tmp_path, MADE((4, 4, 1), hidden=(8, 8)), "pixelcnnpp_mnist", settings)
