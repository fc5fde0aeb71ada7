"""Times by size, one network at every size, and the same answer by every way: PixelCNN++'s images and tokens."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sound

from ffc import FFCError
from ffc.core.keys import key_of
from ffc.models.densenet import DenseNet
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.pixelcnnpp.widen import widen
from ffc.models.transformer import Transformer
from ffc.models.transformer.widen import grown
from ffc.paper.experiments import Job, scaling
from ffc.paper.experiments.scaling import pixels, tokens
from ffc.store import checkpoints

PIXELS = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=2)
TOKENS = Transformer((1, 12, 1), levels=8, width=16, depth=1, heads=2, cheap=8)
OF_PIXELS = {"sizes": [8], "batches": [3], "filters": [6]}
OF_TOKENS = {"temperatures": [0], "lengths": [6], "widths": [32], "system": {"temperature": 0.5}}

drawn = partial(sound.weights, scale=0.3)


def saved(folder, model):
    checkpoints.save(folder / "weights.flax", model, drawn(model), {})
    return folder / "weights.flax"


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.stress), 3])
def test_more_channels_of_pixelcnnpp_change_no_output_and_those_that_grow_can_learn(channels, monkeypatch):
    model = replace(PIXELS, shape=(4, 4, channels), dropout=0.0)
    params, x = drawn(model), jax.random.uniform(key_of(1), (2, 4, 4, channels))
    wide, logits = replace(model, filters=6), jax.jit(model.logits)(params, x)
    fresh, wider, outputs = drawn(wide), widen(params, 6), jax.jit(wide.logits)
    with monkeypatch.context() as patch:  # compiles nothing
        patch.setattr(PixelCNNPP, "init", lambda *_: fresh)
        grew = wide.grown(model, params, key_of(2))
    for larger in (wider, grew):
        wide.check(larger)
        assert PixelCNNPP.from_params(larger, (4, 4)) == replace(wide, dropout=0.5)
        np.testing.assert_allclose(outputs(larger, x), logits, atol=1e-6)
    assert any(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), grew, wider)))
    if channels == 1:  # a program that takes long to compile
        slopes = jax.jit(jax.grad(lambda params: wide.logits(params, x).var()))
        for larger, alive in ((wider, False), (grew, True)):
            last = jnp.abs(slopes(larger)["nin_0"]["WNDense_0"]["weight_v"])
            assert (last[:, 4:].max() > 1e-3 * last.max()) == alive
    with pytest.raises(FFCError, match="have 4, and channels can only be added"):
        widen(params, 3)
    with pytest.raises(FFCError, match="let them agree"):
        replace(wide, resnets=2).grown(model, params, key_of(2))


@pytest.mark.parametrize(("positions", "width", "depth"), [("rotary", 40, 2), ("learned", 32, 2)])
def test_a_larger_network_of_tokens_gives_the_same_logits(positions, width, depth):
    model = replace(TOKENS, positions=positions)
    params, noise = drawn(model), model.noise(key_of(1), 2)
    wide, weights = grown(model, params, width, depth)
    wide.check(weights)
    text = jnp.asarray(np.random.default_rng(2).integers(0, 8, noise.shape[:2]), jnp.int32)
    logits = [jax.jit(one.system(tree, noise).logits)(text) for one, tree in ((model, params), (wide, weights))]
    np.testing.assert_allclose(*logits, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "model", "settings", "points", "shapes", "windows"),
    [
        (
            *(pixels, PIXELS, OF_PIXELS),
            [("size", 8, (8, 1, 4)), ("batch", 3, (4, 3, 4)), ("filters", 6, (4, 1, 6))],
            *([[(1, 64)], [(3, 16)]], {"rows": 16, "pixels": 4}),
        ),
        (
            *(tokens, TOKENS, OF_TOKENS),
            [("temperature", 0, (0, 12, 16)), ("length", 6, (0.5, 6, 16)), ("width", 32, (0.5, 12, 32))],
            *([[(1, 12)] * 2, [(1, 6)] * 2], {"window": 8, "drafted": 8}),  # each repeat draws another
        ),
    ],
)
def test_one_of_three_axes_grows_at_a_time(tmp_path, kind, model, settings, points, shapes, windows):
    assert list(kind.points(settings, model)) == points
    job = Job("text", settings | {"solvers": {"scaling": {}}}, "scaling", 0, 2, checkpoint=saved(tmp_path, model))
    cases = [kind.cases(job, job.load_checkpoint())(*point) for *_, point in points[:2]]  # wider ones are above
    assert [[system.initial().shape[:2] for system in case.systems] for case in cases] == shapes
    solvers = cases[0].solvers
    assert {name: solver.window for name, solver in solvers.items() if hasattr(solver, "window")} == windows
    assert [*solvers][:2] == ["cached", "jacobi"]


EIGHT_BIT = OF_PIXELS | {"system": {"quantize": "8bit"}}
LONG = pytest.param(pixels, PIXELS, EIGHT_BIT, {"size": 4, "batch": 1, "filters": 4}, marks=pytest.mark.stress)


@pytest.mark.parametrize(
    ("kind", "model", "settings", "axes"),
    [(tokens, TOKENS, OF_TOKENS, {"temperature": 0.5, "length": 12, "width": 16}), LONG],
)
def test_every_way_is_timed_and_has_the_cached_samplers_answer(tmp_path, monkeypatch, kind, model, settings, axes):
    """The three axes have their point in common, so it is measured once. Two ways are enough to compile."""
    ways, cases = ["cached", "drafted"], kind.cases

    def few(*arguments):
        whole = cases(*arguments)
        return lambda *point: (one := whole(*point))._replace(solvers={way: one.solvers[way] for way in ways})

    monkeypatch.setattr(kind, "cases", few)
    settings = settings | {name: [at] for name, at in zip(settings, axes.values(), strict=False)}
    record = scaling.run(settings, checkpoint=saved(tmp_path, model), task="text", seed=0, repeats=2)
    entries = zip(*(record[name].tolist() for name in ("axis", "at", "way")), strict=True)
    assert [*entries] == [(axis, at, way) for axis, at in axes.items() for way in ways]
    for seconds in record["seconds"].reshape(3, len(ways), 2):
        np.testing.assert_array_equal(seconds, record["seconds"][: len(ways)])
    assert record["certified"].all()
    assert record["max_difference"].max() == record["residual"].max() == 0  # whole numbers, no ties
    cached, *others = record["iterations"][: len(ways)]
    assert cached == model.shape[0] * model.shape[1] >= max(others)
    assert record["chosen"].reshape(3, -1).sum(axis=1).tolist() == [1] * 3  # by a race
    assert "drafted" in record.meta["labels"]


def test_what_does_not_fit_is_refused(tmp_path):
    for model, problem in (
        (TOKENS, "lengths: 13; these weights draw 12 tokens"),
        (DenseNet(6, growth=4, blocks=(2, 3), features=4), r"weights\.flax: weights of densenet; only PixelCNN"),
    ):
        with pytest.raises(FFCError, match=problem):
            scaling.run({"lengths": [13]}, checkpoint=saved(tmp_path, model), task="text", seed=0, repeats=1)
    for width, depth in ((20, 1), (16, 0)):  # half a head, or smaller
        with pytest.raises(FFCError, match=r"have width 16 in heads of 8, and depth 1; give as much or more"):
            grown(TOKENS, drawn(TOKENS), width, depth)
