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
from ffc.paper.experiments import Job, scaling
from ffc.paper.experiments.scaling import pixels, tokens
from ffc.store import checkpoints

PIXELS = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=2)
TOKENS = Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, cheap=8)


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.stress), 3])
def test_more_channels_of_pixelcnnpp_change_no_output_and_those_that_grow_can_learn(channels):
    model = replace(PIXELS, shape=(4, 4, channels), dropout=0.0)
    params, x = jax.jit(model.init)(key_of(0)), jax.random.uniform(key_of(1), (2, 4, 4, channels))
    wide, logits = replace(model, filters=6), jax.jit(model.logits)(params, x)
    spread = lambda params: ((found := wide.logits(params, x)).var(), found)  # noqa: E731
    slopes = jax.jit(jax.value_and_grad(spread, has_aux=True))
    for wider, alive in ((widen(params, 6), False), (wide.grown(model, params, key_of(2)), True)):
        wide.check(wider)
        assert PixelCNNPP.from_params(wider, (4, 4)) == replace(wide, dropout=0.5)
        (_, same), gradients = slopes(wider)
        np.testing.assert_allclose(same, logits, atol=1e-6)
        last = jnp.abs(gradients["nin_0"]["WNDense_0"]["weight_v"])
        assert (last[:, 4:].max() > 1e-3 * last.max()) == alive
    jax.tree.map(np.testing.assert_array_equal, widen(params, 4), params)
    with pytest.raises(FFCError, match="have 4, and channels can only be added"):
        widen(params, 3)
    with pytest.raises(FFCError, match="let them agree"):
        replace(wide, resnets=2).grown(model, params, key_of(2))


@pytest.mark.parametrize(("positions", "width", "depth"), [("rotary", 40, 3), ("learned", 32, 1), ("learned", 16, 2)])
def test_a_larger_network_of_tokens_gives_the_same_logits(positions, width, depth):
    model = replace(TOKENS, positions=positions)
    params, noise = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    wide, weights = grown(model, params, width, depth)
    wide.check(weights)
    drawn = jnp.asarray(np.random.default_rng(2).integers(0, 8, noise.shape[:2]), jnp.int32)
    logits = [jax.jit(one.system(tree, noise).logits)(drawn) for one, tree in ((model, params), (wide, weights))]
    np.testing.assert_allclose(*logits, atol=1e-4)


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (20, 1), (16, 0)])
def test_a_smaller_network_of_tokens_or_half_a_head_is_refused(width, depth):
    with pytest.raises(FFCError, match=r"have width 16 in heads of 8, and depth 1; give as much or more"):
        grown(TOKENS, jax.eval_shape(TOKENS.init, key_of(0)), width, depth)


def saved(folder, model):
    checkpoints.save(folder / "weights.flax", model, jax.jit(model.init)(key_of(0)), {})
    return folder / "weights.flax"


@pytest.mark.parametrize(
    ("kind", "model", "settings", "points"),
    [
        (
            pixels,
            PIXELS,
            {"sizes": [8], "batches": [3], "filters": [6]},
            [("size", 8, (8, 1, 4)), ("batch", 3, (4, 3, 4)), ("filters", 6, (4, 1, 6))],
        ),
        (
            tokens,
            TOKENS,
            {"temperatures": [0], "lengths": [6], "widths": [32], "system": {"temperature": 0.5}},
            [("temperature", 0, (0, 12, 16)), ("length", 6, (0.5, 6, 16)), ("width", 32, (0.5, 12, 32))],
        ),
    ],
)
def test_one_of_three_axes_grows_at_a_time(tmp_path, kind, model, settings, points):
    assert list(kind.points(settings, model)) == points
    job = Job("text", settings | {"solvers": {"scaling": {}}}, "scaling", 0, 2, checkpoint=saved(tmp_path, model))
    cases = [kind.cases(job, job.load_checkpoint())(*point) for *_, point in points]
    shapes = [[system.initial().shape[:2] for system in case.systems] for case in cases]
    if kind is pixels:
        assert shapes == [[(1, 8)], [(3, 4)], [(1, 4)]] or shapes == [[(1, 64)], [(3, 16)], [(1, 16)]]
    else:  # each repeat draws another text
        assert shapes == [[(1, 12)] * 2, [(1, 6)] * 2, [(1, 12)] * 2]
    row = 8 if kind is pixels else None
    windows = {name: getattr(solver, "window", None) for name, solver in cases[0].solvers.items()}
    names = {"cached": None, "jacobi": None}
    assert windows == names | ({"rows": 2 * row, "pixels": row // 2} if row else {"window": 8, "drafted": 8})


@pytest.mark.parametrize(
    ("model", "task", "settings", "ways"),
    [
        (PIXELS, "pixelcnnpp_mnist", {"sizes": [4], "batches": [1], "filters": [4]}, ["cached", "pixels", "drafted"]),
        (
            TOKENS,
            "text",
            {"temperatures": [1], "lengths": [12], "widths": [16]},
            ["cached", "jacobi", "window", "drafted"],
        ),
    ],
)
def test_every_way_is_timed_at_every_point_and_has_the_cached_samplers_answer(
    tmp_path, monkeypatch, model, task, settings, ways
):
    """The points are one, so they are measured once."""
    monkeypatch.setattr(pixels, "WAYS", {name: way for name, way in pixels.WAYS.items() if name in ways})
    system = {"system": {"quantize": "8bit"} if model is PIXELS else {"temperature": 1}}
    record = scaling.run(settings | system, checkpoint=saved(tmp_path, model), task=task, seed=0, repeats=2)
    assert record["way"].tolist() == ways * 3
    axes = [
        (name.removesuffix("s").replace("batche", "batch").replace("filter", "filters"), at)
        for name, (at,) in settings.items()
    ]
    assert list(zip(record["axis"].tolist(), record["at"].tolist(), strict=True)) == [
        axis for axis in axes for _ in ways
    ]
    assert record["seconds"].shape == (3 * len(ways), 2)
    for again in record["seconds"].reshape(3, -1):
        np.testing.assert_array_equal(again, record["seconds"][: len(ways)].ravel())
    assert record["certified"].all()
    assert record["max_difference"].max() == record["residual"].max() == 0  # whole numbers, no ties
    iterations = record["iterations"].reshape(3, -1)
    assert (iterations[:, 0] == model.shape[0] * model.shape[1]).all()
    assert (iterations <= iterations[:, :1]).all()
    assert record["chosen"].reshape(3, -1).sum(axis=1).tolist() == [1] * 3  # by a race
    assert record.meta["labels"].keys() >= {"drafted"}


def test_what_does_not_fit_is_refused(tmp_path):
    for model, problem in (
        (TOKENS, "lengths: 13; these weights draw 12 tokens"),
        (MADE((4, 4, 1), hidden=(8, 8)), r"weights\.flax: weights of made; only PixelCNN"),
    ):
        with pytest.raises(FFCError, match=problem):
            scaling.run({"lengths": [13]}, checkpoint=saved(tmp_path, model), task="text", seed=0, repeats=1)
