"""What the authors' programs computed, and every solver against it (`golden/`: weights and outputs of their code)."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from places import GOLDEN

from ffc import GSJacobi, Jacobi, JacobiGS, Sequential, history_of, solve
from ffc.models import rnn
from ffc.models.made import MADE
from ffc.store import checkpoints

CACHED = Sequential(cached=True)
PIXELS = GRAY, COLOUR = "pixelcnnpp_gray28", "pixelcnnpp_rgb32"
MADES = MADE_GRAY, MADE_COLOUR = "made_gray28", "made_rgb32"


def golden(name):
    return np.load(GOLDEN / f"{name}.npz", allow_pickle=False)


def loaded(name):
    """Model and weights. The colour MADE is stored as its unmasked weights and the bits of its masks."""
    if name != MADE_COLOUR:
        checkpoint = checkpoints.load(GOLDEN / (f"{name}.flax" if name in PIXELS else f"{name}.pth"))
        return checkpoint.model, checkpoint.params
    data, net = golden(name), {}
    for layer in ("0", "2", "4"):
        shape = tuple(data[f"net.{layer}.weight_shape"])
        mask = np.unpackbits(data[f"net.{layer}.mask"], count=int(np.prod(shape))).reshape(shape).astype(np.float32)
        weight = np.zeros(shape, np.float32)
        weight[mask > 0] = data[f"net.{layer}.weight"]
        net[layer] = {"weight": weight, "bias": data[f"net.{layer}.bias"], "mask": mask}
    return MADE.from_params({"net": net}), {"net": net}


@pytest.mark.parametrize("name", PIXELS)
def test_pixelcnnpps_network_and_first_jacobi_iterates_equal_theirs(name):
    (model, params), data = loaded(name), golden(name)
    system, sweep = model.system(params, data["u"]), jax.jit(lambda system, x: system.sweep_outputs(x))
    _, (logits, _) = sweep(system, data["probe_x"].reshape(system.initial().shape))
    np.testing.assert_allclose(logits.reshape(data["probe_logits"].shape), data["probe_logits"], atol=2e-4, rtol=0)
    x = system.initial()
    for theirs in data["jacobi_iterates"]:
        x, _ = sweep(system, x)
        np.testing.assert_allclose(model.samples(x), theirs, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", MADES)
def test_mades_network_and_masks_equal_theirs(name):
    (model, params), data = loaded(name), golden(name)
    outputs = model.mean_and_log_scale(params, data["probe_x"])
    np.testing.assert_allclose(outputs, data["probe_out"], atol=2e-4, rtol=0)
    for layer, leaves in model.init(jax.random.key(0))["net"].items():
        np.testing.assert_array_equal(leaves["mask"], params["net"][layer]["mask"])


SOLVED = [(COLOUR, CACHED), (MADE_GRAY, CACHED), (MADE_COLOUR, GSJacobi(96))]
SOLVED_LONG = [
    *itertools.product([GRAY], [Sequential(), CACHED, Jacobi(), JacobiGS(28), GSJacobi(15 * 28)]),  # as in the paper
    *itertools.product([COLOUR], [Sequential(), Jacobi(), JacobiGS(32), GSJacobi(2 * 32)]),
    *itertools.product(MADES, [Sequential(), Jacobi(), JacobiGS(16)]),
    *[(MADE_GRAY, GSJacobi(96)), (MADE_COLOUR, CACHED)],
]
SOLVED += [pytest.param(*case, marks=pytest.mark.stress) for case in SOLVED_LONG]


@pytest.mark.parametrize(("name", "solver"), SOLVED, ids=str)
def test_solvers_give_their_sequential_sample(name, solver):
    (model, params), data = loaded(name), golden(name)
    solution = solve(model.system(params, jnp.asarray(data["u"])), solver)
    error = np.abs(model.samples(solution.value) - data["sequential_final"])
    assert solution.exact
    assert error.max() <= (1e-3 if name in PIXELS else 1e-4)
    assert name in MADES or np.mean(error <= 1e-5) >= 0.999


def test_mades_error_curve_equals_theirs():
    (model, params), data = loaded(MADE_GRAY), golden(MADE_GRAY)
    system = model.system(params, jnp.asarray(data["u"]))
    solution = replace(solve(system, Jacobi()), value=jnp.asarray(data["sequential_final"]))
    curve = history_of(system, Jacobi(), solution).l2[:21]
    np.testing.assert_allclose(np.mean(curve, axis=1), data["jacobi_l2"][: len(curve)], rtol=1e-3, atol=1e-4)


evaluate = jax.jit(lambda system, state: (system.logits(state), system.sweep(state)))


def test_densenets_logits_equal_theirs_at_every_iteration():
    (model, params), data = loaded("densenet"), golden("densenet")
    x = data["x"].transpose(0, 2, 3, 1)
    system = model.system(params, x)
    np.testing.assert_allclose(jax.jit(model.logits)(params, x), data["ground_truth"], atol=1e-3)
    state = system.initial()
    for theirs in data["outputs"]:
        logits, state = evaluate(system, state)
        np.testing.assert_allclose(logits, theirs, atol=1e-3, rtol=0)


@pytest.mark.stress
@pytest.mark.parametrize("solver", [Jacobi(), Sequential(), GSJacobi(6), JacobiGS(17)], ids=str)
def test_densenets_solvers_give_their_feedforward_answer(solver):
    (model, params), data = loaded("densenet"), golden("densenet")
    system = model.system(params, data["x"].transpose(0, 2, 3, 1))
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_allclose(evaluate(system, solution.value)[0], data["ground_truth"], atol=1e-3)


def test_the_rnns_gradients_equal_theirs_after_any_iterations():
    data = golden("rnn")
    after, params = jax.jit(rnn.loss_and_gradients), {name: data[name] for name in ("W_h", "W_x", "b_h", "W_o", "b_o")}
    for prefix, iterations in {"grad_": None, **{f"jacobi{n}_grad_": n for n in (10, 20, 30, 50, 80)}}.items():
        loss, gradients = after(params, data["x"][None], iterations)
        np.testing.assert_allclose(loss, data["loss"][0], rtol=1e-5)
        for name, ours in gradients.items():
            theirs = data[prefix + name].reshape(ours.shape)
            assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), (prefix, name)
