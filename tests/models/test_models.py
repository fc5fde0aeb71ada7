"""The networks: what each must be for its system to be triangular, and its loss a likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchvision

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, solve
from ffc.core.errors import FFCError
from ffc.models import rnn
from ffc.models.densenet import DenseNet, preprocess
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP, mixture
from ffc.models.pixelcnnpp.coupling import Gumbel

LEVELS = jnp.arange(256) / 127.5 - 1

SAMPLERS = {
    "pixelcnnpp gray": PixelCNNPP((8, 4, 1), filters=4, resnets=1, mixtures=3),
    "pixelcnnpp colour": PixelCNNPP((4, 8, 3), filters=4, resnets=0, mixtures=3),
    "made gray": MADE((3, 4, 1), hidden=(16, 16)),
    "made colour": MADE((2, 2, 3), hidden=(16, 16), trunc_lambda=0.05),
}


@pytest.fixture(scope="module", params=SAMPLERS)
def sampling(request):
    """A model, and its system for three samples."""
    model = SAMPLERS[request.param]
    weights, noise = jax.random.split(jax.random.key(0))
    return model, model.system(jax.jit(model.init)(weights), model.noise(noise, 3))


def test_no_block_depends_on_itself_or_a_later_one(sampling):
    _, system = sampling
    x = solve(system, Jacobi()).value
    place = jnp.arange(system.size).reshape(-1, *[1] * (x.ndim - 2))
    sweep_with_change = jax.jit(lambda i: system.sweep(jnp.where(place < i, x, 0.5)))
    before = np.asarray(sweep_with_change(system.size))
    for i in range(system.size):
        after = np.asarray(sweep_with_change(i))
        np.testing.assert_array_equal(after[:, : i + 1], before[:, : i + 1])


@pytest.mark.parametrize("solver", ["cached", "window", "columns"])
def test_windows_and_caches_give_what_sweeps_give(sampling, solver):
    _, system = sampling
    solvers = {
        "cached": Sequential(cached=True),
        "window": GSJacobi(2 * system.row_length),
        "columns": JacobiGS(max(system.row_length, 2)),
    }
    answer, solution = solve(system, Sequential()), solve(system, solvers[solver])
    assert solution.exact
    np.testing.assert_allclose(solution.value, answer.value, atol=1e-5)


@pytest.fixture(scope="module")
def rows_of_eight():
    """A system of PixelCNN++ with rows of eight pixels, and the samples that it has in order."""
    model = PixelCNNPP((8, 8, 1), filters=4, resnets=1, mixtures=3)
    system = model.system(model.init(jax.random.key(2)), model.noise(jax.random.key(3), 3))
    return system, solve(system, Sequential()).value


@pytest.mark.parametrize(
    ("window", "guess", "most"),
    [
        pytest.param(2, "zeros", 64, marks=pytest.mark.stress),
        pytest.param(3, "row above", 64, marks=pytest.mark.stress),
        (5, "answer", 32),
        (7, "row above", 64),
    ],
)
def test_pixelcnnpps_windows_may_be_a_part_of_a_row(rows_of_eight, window, guess, most):
    """Every sample goes on at its own pixel; no window crosses the end of a row."""
    system, answer = rows_of_eight
    solution = solve(system, GSJacobi(window), guess={"row above": RowAbove(), "answer": answer}.get(guess))
    assert solution.exact
    assert solution.iterations.max() < most
    np.testing.assert_allclose(solution.value, answer, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 7, 11])
@pytest.mark.parametrize("name", ["made gray", "made colour"])
def test_mades_windows_may_have_any_length(name, window):
    model = SAMPLERS[name]
    system = model.system(model.init(jax.random.key(2)), model.noise(jax.random.key(3), 4))
    answer, solution = solve(system, Sequential()), solve(system, GSJacobi(window))
    assert solution.exact
    np.testing.assert_allclose(solution.value, answer.value, atol=1e-5)


@pytest.mark.parametrize("window", [2, 9])
def test_mades_windows_know_units_that_see_no_entry(window):
    """Of both layers, such units are complete before the first window, the second's by those of the first."""
    model = MADE((3, 5, 1), hidden=(12, 10))
    net = dict(model.init(jax.random.key(2))["net"])
    for layer, seen in (("0", 0), ("2", 3)):
        mask, bias = net[layer]["mask"].at[:3].set(0).at[:3, :seen].set(1), net[layer]["bias"] + 1
        net[layer] = net[layer] | {"mask": mask, "bias": bias}
    system = model.system({"net": net}, model.noise(jax.random.key(3), 4))
    assert all(seen[:3] == (-1, -1, -1) for seen in system.last_seen)
    answer = solve(system, Sequential()).value
    for guess in (None, answer):
        solution = solve(system, GSJacobi(window), guess=guess)
        assert solution.exact
        np.testing.assert_allclose(solution.value, answer, atol=1e-5)


def test_the_probabilities_of_gray_levels_sum_to_one():
    outputs = jax.random.normal(jax.random.key(1), (15,))
    assert float(jnp.exp(mixture.log_likelihood(outputs, LEVELS[:, None])).sum()) == pytest.approx(1, abs=1e-4)


def test_the_probabilities_of_blue_sum_to_that_of_red_and_green():
    """A blue whose mean is far below −1 is −1 for certain, so its likelihood is that of red and green alone."""
    outputs = jax.random.normal(jax.random.key(1), (50,))
    certain = outputs.reshape(10, 5).at[7].set(-1e3).reshape(50)  # rows: logits, then mean, scale, coefficient thrice
    for red, green in ((-1.0, -0.2), (0.4, 1.0)):
        red, green = LEVELS[jnp.abs(LEVELS - red).argmin()], LEVELS[jnp.abs(LEVELS - green).argmin()]
        pixels = jnp.stack([jnp.full(256, red), jnp.full(256, green), LEVELS], axis=1)
        total = jax.nn.logsumexp(mixture.log_likelihood(outputs, pixels))
        assert float(total) == pytest.approx(float(mixture.log_likelihood(certain, pixels[0])), abs=1e-3)


def test_a_pixel_is_drawn_from_its_likelihood():
    """The share of samples in the lower half of the levels is the likelihood's."""
    outputs = jnp.broadcast_to(jax.random.normal(jax.random.key(2), (9,)), (40_000, 9))
    choice, draw = jax.random.split(jax.random.key(3))
    gumbel, logistic = jax.random.gumbel(choice, (40_000, 3)), jax.random.logistic(draw, (40_000, 1))
    x = np.asarray(Gumbel(gumbel, logistic).pixels(outputs))[:, 0]
    expected = jnp.exp(mixture.log_likelihood(outputs[:128], LEVELS[:128, None])).sum()
    assert np.mean(x < 0) == pytest.approx(float(expected), abs=0.01)


def test_the_loss_of_an_untrained_pixelcnnpp_is_that_of_a_likelihood():
    model = SAMPLERS["pixelcnnpp colour"]
    images = np.random.default_rng(0).integers(0, 256, (4, *model.shape), np.uint8)
    loss = jax.jit(model.loss)(jax.jit(model.init)(jax.random.key(0)), images)
    assert 8 <= float(loss) < 20  # bits/dim: no model has less than 8 on noise


def test_densenet_is_torchvisions():
    torch.manual_seed(0)
    theirs = torchvision.models.DenseNet(4, (2, 3), 6, bn_size=2, num_classes=5).eval()
    for value in theirs.buffers():
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.5, 1.5)
    tree = _tree({name: value.numpy(force=True) for name, value in theirs.state_dict().items()})
    model = DenseNet.from_params(tree)
    assert model == DenseNet(classes=5, growth=4, blocks=(2, 3), features=6, bottleneck=2)
    x = np.asarray(preprocess(np.random.default_rng(1).integers(0, 256, (2, 32, 40, 3), np.uint8)))
    with torch.no_grad():
        expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(model.logits(tree, x), expected, atol=1e-4)


def _tree(state):
    tree = {}
    for name, value in state.items():
        *parents, leaf = name.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        if leaf != "num_batches_tracked":
            node[leaf] = value
    return tree


def test_densenets_small_images_are_refused():
    model = DenseNet(classes=3, growth=2, blocks=(1, 1, 1, 1), features=4)
    system = model.system(model.init(jax.random.key(0)), jnp.zeros((1, 16, 16, 3)))
    with pytest.raises(FFCError, match="16 pixels a side are too small for 4 dense blocks"):
        system.initial()


@pytest.mark.parametrize("side", [32, 64])
def test_densenet201_takes_the_images_of_cifar10(side):
    model = DenseNet(classes=10)
    x = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    system = jax.eval_shape(model.system, model.shapes(), x)
    state = jax.eval_shape(lambda system: system.initial(), system)
    assert system.size == 98
    assert [leaf.shape[2] for leaf in state] == [side // 4, side // 8, side // 16, side // 32]
    assert jax.eval_shape(lambda system, state: system.logits(state), system, state).shape == (1, 10)


def test_rnn_gradients_are_those_of_automatic_differentiation():
    params = rnn.init(jax.random.key(0), hidden=7, scale=0.5)
    x = jax.random.normal(jax.random.key(1), (2, 20))
    loss, ours = rnn.loss_and_gradients(params, x)
    expected, gradients = jax.value_and_grad(lambda params: rnn.forward(params, x).loss)(params)
    assert float(loss) == pytest.approx(float(expected))
    for name, value in gradients.items():
        np.testing.assert_allclose(ours[name], value, atol=1e-6)
