"""What the authors' programs computed, and every solver against it (`golden/`: weights and outputs of their code)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from places import GOLDEN

from ffc import Exact, GSJacobi, Jacobi, JacobiGS, Sequential, Trace, solve
from ffc.models import rnn
from ffc.models.made import MADE
from ffc.store import checkpoints

IMAGES = {"pixelcnnpp_gray28": 15, "pixelcnnpp_rgb32": 2}  # window in rows, as the paper has it


def golden(name):
    return np.load(GOLDEN / f"{name}.npz", allow_pickle=False)


def made_rgb32():
    """The colour MADE, stored as its unmasked weights and the bits of its masks."""
    data, net = golden("made_rgb32"), {}
    for layer in ("0", "2", "4"):
        shape = tuple(data[f"net.{layer}.weight_shape"])
        mask = np.unpackbits(data[f"net.{layer}.mask"], count=int(np.prod(shape))).reshape(shape).astype(np.float32)
        weight = np.zeros(shape, np.float32)
        weight[mask > 0] = data[f"net.{layer}.weight"]
        net[layer] = {"weight": weight, "bias": data[f"net.{layer}.bias"], "mask": mask}
    return MADE.from_params({"net": net}), {"net": net}


def made(name):
    if name == "made_rgb32":
        return made_rgb32()
    checkpoint = checkpoints.load(GOLDEN / f"{name}.pth")
    return checkpoint.model, checkpoint.params


@pytest.mark.parametrize("name", IMAGES)
def test_pixelcnnpp_network_equals_theirs(name):
    checkpoint, data = checkpoints.load(GOLDEN / f"{name}.flax"), golden(name)
    logits = jax.jit(checkpoint.model.logits)(checkpoint.params, data["probe_x"])
    np.testing.assert_allclose(logits, data["probe_logits"], atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", IMAGES)
def test_pixelcnnpp_first_jacobi_iterates_equal_theirs(name):
    checkpoint, data = checkpoints.load(GOLDEN / f"{name}.flax"), golden(name)
    system = checkpoint.model.system(checkpoint.params, data["u"])
    sweep = jax.jit(lambda system, x: system.sweep(x))
    x = system.initial()
    for theirs in data["jacobi_iterates"]:
        x = sweep(system, x)
        np.testing.assert_allclose(checkpoint.model.samples(x), theirs, atol=2e-4, rtol=0)


GRAY, COLOUR = IMAGES
SHORT = (GRAY, "cached"), (GRAY, "gs_jacobi"), (COLOUR, "cached")


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        pytest.param(*case, marks=() if case in SHORT else pytest.mark.stress)
        for case in itertools.product(IMAGES, ["sequential", "cached", "jacobi", "gs_jacobi", "jacobi_gs"])
    ],
)
def test_pixelcnnpp_solvers_give_their_sequential_sample(name, solver):
    checkpoint, data = checkpoints.load(GOLDEN / f"{name}.flax"), golden(name)
    system = checkpoint.model.system(checkpoint.params, data["u"])
    solvers = {
        "sequential": Sequential(),
        "cached": Sequential(cached=True),
        "jacobi": Jacobi(),
        "gs_jacobi": GSJacobi(IMAGES[name] * system.row_length),
        "jacobi_gs": JacobiGS(system.row_length),
    }
    solution = solve(system, solvers[solver])
    error = np.abs(np.asarray(checkpoint.model.samples(solution.value)) - data["sequential_final"])
    assert solution.exact
    assert error.max() <= 1e-3
    assert np.mean(error <= 1e-5) >= 0.999


@pytest.mark.parametrize("name", ["made_gray28", "made_rgb32"])
def test_made_network_and_masks_equal_theirs(name):
    (model, params), data = made(name), golden(name)
    outputs = model.mean_and_log_scale(params, data["probe_x"])
    np.testing.assert_allclose(outputs, data["probe_out"], atol=2e-4, rtol=0)
    fresh = model.init(jax.random.key(0))
    for layer, leaves in fresh["net"].items():
        np.testing.assert_array_equal(leaves["mask"], params["net"][layer]["mask"])


@pytest.mark.parametrize("name", ["made_gray28", "made_rgb32"])
@pytest.mark.parametrize("solver", [Sequential(), Sequential(cached=True), Jacobi(), GSJacobi(96), JacobiGS(16)])
def test_made_solvers_give_their_sequential_sample(name, solver):
    (model, params), data = made(name), golden(name)
    solution = solve(model.system(params, jnp.asarray(data["u"])), solver)
    assert solution.exact
    np.testing.assert_allclose(solution.value, data["sequential_final"], atol=1e-4, rtol=0)


def test_made_error_curve_equals_theirs():
    (model, params), data = made("made_gray28"), golden("made_gray28")
    system = model.system(params, jnp.asarray(data["u"]))
    history = solve(system, Jacobi(), trace=Trace(jnp.asarray(data["sequential_final"]), 20)).history
    theirs = data["jacobi_l2"][:21]  # the mean over the batch
    np.testing.assert_allclose(np.mean(history.l2, axis=1), theirs, rtol=1e-3, atol=1e-4)


def test_densenet_logits_equal_theirs_at_every_iteration():
    checkpoint, data = checkpoints.load(GOLDEN / "densenet.pth"), golden("densenet")
    x = jnp.asarray(data["x"].transpose(0, 2, 3, 1))
    logits = jax.jit(checkpoint.model.logits)(checkpoint.params, x)
    np.testing.assert_allclose(logits, data["ground_truth"], atol=1e-3)
    system = checkpoint.model.system(checkpoint.params, x)
    step = jax.jit(lambda system, state: (system.logits(state), system.sweep(state)))
    state = system.initial()
    for theirs in data["outputs"]:
        logits, state = step(system, state)
        np.testing.assert_allclose(logits, theirs, atol=1e-3, rtol=0)


@pytest.mark.parametrize("solver", [Sequential(), Jacobi(), GSJacobi(6), JacobiGS(17)])
def test_densenet_solvers_give_their_feedforward_answer(solver):
    checkpoint, data = checkpoints.load(GOLDEN / "densenet.pth"), golden("densenet")
    system = checkpoint.model.system(checkpoint.params, jnp.asarray(data["x"].transpose(0, 2, 3, 1)))
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_allclose(system.logits(solution.value), data["ground_truth"], atol=1e-3)


@pytest.mark.parametrize("iterations", [None, 10, 20, 30, 50, 80])
def test_rnn_gradients_equal_theirs(iterations):
    data = golden("rnn")
    params = {name: jnp.asarray(data[name]) for name in ("W_h", "W_x", "b_h", "W_o", "b_o")}
    loss, gradients = rnn.loss_and_gradients(params, jnp.asarray(data["x"])[None], iterations)
    np.testing.assert_allclose(loss, data["loss"][0], rtol=1e-5)
    prefix = "grad_" if iterations is None else f"jacobi{iterations}_grad_"
    for name, ours in gradients.items():
        theirs = data[prefix + name].reshape(ours.shape)
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), name


@pytest.mark.parametrize("solver", [Sequential(cached=True), Jacobi(), GSJacobi(30), JacobiGS(10)])
def test_rnn_adjoints_agree_however_they_are_found(solver):
    data = golden("rnn")
    params = {name: jnp.asarray(data[name]) for name in ("W_h", "W_x", "b_h", "W_o", "b_o")}
    run = rnn.forward(params, jnp.asarray(data["x"])[None])
    exact = rnn.adjoint_in_order(params, run)
    largest = np.abs(exact).max()
    assert np.abs(rnn.adjoint_by_scan(params, run) - exact).max() <= 1e-5 * largest
    assert np.abs(rnn.adjoint_by_solver(params, run, solver).value[:, ::-1] - exact).max() <= 1e-5 * largest


def test_stopping_early_certifies_only_the_prefix():
    (model, params), data = made("made_gray28"), golden("made_gray28")
    solution = solve(model.system(params, jnp.asarray(data["u"])), Jacobi(), Exact(max_iterations=5))
    assert not solution.exact
    for row, theirs, certified in zip(solution.value, data["sequential_final"], solution.certified, strict=True):
        np.testing.assert_allclose(row[:certified], theirs[:certified], atol=1e-4)
