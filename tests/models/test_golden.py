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

CACHED = Sequential(cached=True)
PIXELS = {"pixelcnnpp_gray28": 15, "pixelcnnpp_rgb32": 2}  # window in rows, as the paper has it
MADES = "made_gray28", "made_rgb32"


def golden(name):
    return np.load(GOLDEN / f"{name}.npz", allow_pickle=False)


def cases(names, solvers, short):
    """All pairs; what is not `short` is stress."""
    pairs = itertools.product(names, solvers)
    return [pytest.param(*pair, marks=() if pair in short else pytest.mark.stress) for pair in pairs]


@pytest.mark.parametrize("name", PIXELS)
def test_pixelcnnpps_network_and_first_jacobi_iterates_equal_theirs(name):
    checkpoint, data = checkpoints.load(GOLDEN / f"{name}.flax"), golden(name)
    model, system = checkpoint.model, checkpoint.model.system(checkpoint.params, data["u"])
    sweep = jax.jit(lambda system, x: system.sweep_outputs(x))
    _, (logits, _) = sweep(system, model.state(data["probe_x"]))
    np.testing.assert_allclose(logits.reshape(data["probe_logits"].shape), data["probe_logits"], atol=2e-4, rtol=0)
    x = system.initial()
    for theirs in data["jacobi_iterates"]:
        x, _ = sweep(system, x)
        np.testing.assert_allclose(model.samples(x), theirs, atol=2e-4, rtol=0)


GRAY, COLOUR = PIXELS
SHORT = (GRAY, "cached"), (GRAY, "gs_jacobi"), (COLOUR, "cached")


@pytest.mark.parametrize(
    ("name", "solver"), cases(PIXELS, ["sequential", "cached", "jacobi", "gs_jacobi", "jacobi_gs"], SHORT)
)
def test_pixelcnnpps_solvers_give_their_sequential_sample(name, solver):
    checkpoint, data = checkpoints.load(GOLDEN / f"{name}.flax"), golden(name)
    system = checkpoint.model.system(checkpoint.params, data["u"])
    solvers = {
        "sequential": Sequential(),
        "cached": CACHED,
        "jacobi": Jacobi(),
        "gs_jacobi": GSJacobi(PIXELS[name] * system.row_length),
        "jacobi_gs": JacobiGS(system.row_length),
    }
    solution = solve(system, solvers[solver])
    error = np.abs(np.asarray(checkpoint.model.samples(solution.value)) - data["sequential_final"])
    assert solution.exact
    assert error.max() <= 1e-3
    assert np.mean(error <= 1e-5) >= 0.999


def made(name):
    """The gray MADE is a checkpoint; the colour one is stored as its unmasked weights and the bits of its masks."""
    if name == "made_gray28":
        checkpoint = checkpoints.load(GOLDEN / f"{name}.pth")
        return checkpoint.model, checkpoint.params
    data, net = golden(name), {}
    for layer in ("0", "2", "4"):
        shape = tuple(data[f"net.{layer}.weight_shape"])
        mask = np.unpackbits(data[f"net.{layer}.mask"], count=int(np.prod(shape))).reshape(shape).astype(np.float32)
        weight = np.zeros(shape, np.float32)
        weight[mask > 0] = data[f"net.{layer}.weight"]
        net[layer] = {"weight": weight, "bias": data[f"net.{layer}.bias"], "mask": mask}
    return MADE.from_params({"net": net}), {"net": net}


@pytest.mark.parametrize("name", MADES)
def test_mades_network_and_masks_equal_theirs(name):
    (model, params), data = made(name), golden(name)
    outputs = model.mean_and_log_scale(params, data["probe_x"])
    np.testing.assert_allclose(outputs, data["probe_out"], atol=2e-4, rtol=0)
    for layer, leaves in model.init(jax.random.key(0))["net"].items():
        np.testing.assert_array_equal(leaves["mask"], params["net"][layer]["mask"])


@pytest.mark.parametrize(
    ("name", "solver"),
    cases(
        MADES,
        [Sequential(), CACHED, Jacobi(), GSJacobi(96), JacobiGS(16)],
        [*itertools.product(MADES, [CACHED, GSJacobi(96)])],
    ),
)
def test_mades_solvers_give_their_sequential_sample(name, solver):
    (model, params), data = made(name), golden(name)
    solution = solve(model.system(params, jnp.asarray(data["u"])), solver)
    assert solution.exact
    np.testing.assert_allclose(solution.value, data["sequential_final"], atol=1e-4, rtol=0)


def test_mades_error_curve_equals_theirs_and_stopping_early_certifies_the_prefix():
    (model, params), data = made("made_gray28"), golden("made_gray28")
    system, answer = model.system(params, jnp.asarray(data["u"])), jnp.asarray(data["sequential_final"])
    solution = solve(system, Jacobi(), trace=Trace(answer, 20))
    theirs = data["jacobi_l2"][:21]  # the mean over the batch
    np.testing.assert_allclose(np.mean(solution.history.l2, axis=1), theirs, rtol=1e-3, atol=1e-4)
    solution = solve(system, Jacobi(), Exact(max_iterations=5), trace=Trace(answer, 20))
    assert not solution.exact
    for row, theirs, certified in zip(solution.value, answer, solution.certified, strict=True):
        assert certified >= 5
        np.testing.assert_allclose(row[:certified], theirs[:certified], atol=1e-4)


@pytest.fixture(scope="module")
def densenet():
    """Their images and answers, the network, and its system."""
    checkpoint, data = checkpoints.load(GOLDEN / "densenet.pth"), golden("densenet")
    x = jnp.asarray(data["x"].transpose(0, 2, 3, 1))
    return data, checkpoint, x, checkpoint.model.system(checkpoint.params, x)


evaluate = jax.jit(lambda system, state: (system.logits(state), system.sweep(state)))


def test_densenets_logits_equal_theirs_at_every_iteration(densenet):
    data, checkpoint, x, system = densenet
    logits = jax.jit(checkpoint.model.logits)(checkpoint.params, x)
    np.testing.assert_allclose(logits, data["ground_truth"], atol=1e-3)
    state = system.initial()
    for theirs in data["outputs"]:
        logits, state = evaluate(system, state)
        np.testing.assert_allclose(logits, theirs, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "solver",
    [Jacobi(), *(pytest.param(s, marks=pytest.mark.stress) for s in (Sequential(), GSJacobi(6), JacobiGS(17)))],
)
def test_densenets_solvers_give_their_feedforward_answer(densenet, solver):
    data, _, _, system = densenet
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_allclose(evaluate(system, solution.value)[0], data["ground_truth"], atol=1e-3)


@pytest.fixture(scope="module")
def recurrent():
    """Their outcome, weights and sequence, the forward pass, and its adjoints in order."""
    data = golden("rnn")
    params = {name: jnp.asarray(data[name]) for name in ("W_h", "W_x", "b_h", "W_o", "b_o")}
    x = jnp.asarray(data["x"])[None]
    run = jax.jit(rnn.forward)(params, x)
    return data, params, x, run, jax.jit(rnn.adjoint_in_order)(params, run)


def test_the_rnns_gradients_equal_theirs_after_any_iterations(recurrent):
    data, params, x, _, _ = recurrent
    after = jax.jit(rnn.loss_and_gradients)
    for prefix, iterations in {"grad_": None, **{f"jacobi{n}_grad_": n for n in (10, 20, 30, 50, 80)}}.items():
        loss, gradients = after(params, x, iterations)
        np.testing.assert_allclose(loss, data["loss"][0], rtol=1e-5)
        for name, ours in gradients.items():
            theirs = data[prefix + name].reshape(ours.shape)
            assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), (prefix, name)


@pytest.mark.parametrize("solver", [CACHED, Jacobi(), GSJacobi(30), JacobiGS(10)])
def test_the_rnns_adjoints_agree_however_they_are_computed(recurrent, solver):
    _, params, _, run, exact = recurrent
    by_scan, by_solver = jax.jit(rnn.adjoint_by_scan)(params, run), rnn.adjoint_by_solver(params, run, solver).value
    for adjoints in (by_scan, by_solver[:, ::-1]):
        assert np.abs(adjoints - exact).max() <= 1e-5 * np.abs(exact).max()
