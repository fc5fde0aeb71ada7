"""Flows: forward and inverse, the likelihood, and sampling as a chain of triangular systems."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import Chained, FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, check, solve
from ffc.core.keys import key_of
from ffc.models import build
from ffc.models.flow import Flow

GRAY = Flow((4, 6, 1), patch=2, blocks=2, width=8, layers=2, heads=2)
COLOUR = Flow((4, 4, 3), patch=2, blocks=2, width=8, layers=1, heads=1)
SAMPLERS = {"gray": GRAY, "colour": COLOUR}


def weights(model, seed: int = 0):
    """Weights that are far from those of a start: every block moves and scales by about one."""
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda a: a + np.float32(0.2 * draw.normal(size=a.shape)), jax.jit(model.init)(key_of(seed)))


@pytest.fixture(scope="module", params=SAMPLERS)
def sampling(request):
    """A model, its weights, and noise for three samples."""
    model = SAMPLERS[request.param]
    return model, weights(model), model.noise(key_of(1), 3)


def patches(model, x):
    """The last row of a state."""
    return x[:, -model.sizes.patches :]


def test_inverse_and_forward_agree(sampling):
    model, params, u = sampling
    solution = solve(model.system(params, u, quantize="none"), Jacobi())
    assert solution.exact
    again, _ = jax.jit(model.forward)(params, patches(model, solution.value))
    np.testing.assert_allclose(again, u, atol=1e-4)


def test_fixed_point_numbers_change_a_sample_by_little(sampling):
    model, params, u = sampling
    rounded, real = (solve(model.system(params, u, quantize), Sequential()).value for quantize in ("12bit", "none"))
    np.testing.assert_array_equal(rounded * 2**12, np.round(rounded * 2**12))
    np.testing.assert_allclose(rounded, real, atol=0.02)


def test_no_block_depends_on_itself_or_a_later_one_and_windows_are_parts_of_sweeps():
    system = GRAY.system(weights(GRAY), GRAY.noise(key_of(1), 2), "none")
    length = system.row_length
    check(system, blocks=(0, 1, length - 1, length, system.size - 1), windows=[(2, 1), (length, 1)])
    check(system.link(1, system.u), blocks=(0, 1, length - 1), windows=[(3, 1)])


SOLVERS = {
    "cached": Sequential(cached=True),
    "jacobi": Jacobi(),
    "part of a row": GSJacobi(2),
    "a row": GSJacobi(6),
    "jacobi-gs": JacobiGS(6),
    "chained": Chained((Jacobi(), GSJacobi(2))),
}


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_draws_the_same_samples(solver):
    """Proven by plain sweeps: the same bits, though windows add up in another order."""
    system = GRAY.system(weights(GRAY), GRAY.noise(key_of(1), 3))
    answer = solve(system, Sequential()).value
    solution = solve(system, SOLVERS[solver], guess=RowAbove(), verify=True)
    assert solution.exact
    assert bool(solution.verification.proven.all())
    np.testing.assert_array_equal(solution.value, answer)


def test_finished_samples_leave_the_batch():
    system = GRAY.system(weights(GRAY), GRAY.noise(key_of(1), 3))
    solution = solve(system, Jacobi(), retire=True, verify=True)
    np.testing.assert_array_equal(solution.value, solve(system, Sequential()).value)


def test_the_log_likelihood_has_the_determinant_of_the_jacobian():
    model, params = GRAY, weights(GRAY)
    x = jax.random.normal(key_of(2), (1, *model.sizes[:2]))
    _, log_scale = jax.jit(model.forward)(params, x)
    jacobian = jax.jit(jax.jacobian(lambda x: model.forward(params, x)[0]))(x).reshape(x.size, x.size)
    sign, logarithm = np.linalg.slogdet(np.asarray(jacobian, np.float64))
    assert abs(sign) == 1
    assert -float(log_scale[0]) == pytest.approx(logarithm, abs=1e-3)


def test_a_fresh_flow_is_a_standard_normal_density():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 1), np.uint8)
    x = (images + 0.5) / 128 - 1
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    expected = np.mean(-np.log2(density / 128))
    assert float(GRAY.loss(GRAY.init(key_of(0)), jnp.asarray(images))) == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_loss_at_a_high_rate():
    """Images of one colour each, by steps of 0.001 times the sign of the gradient."""
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (16, 1, 1, 3), np.uint8))
    images = jnp.broadcast_to(images, (16, 4, 4, 3))

    @jax.jit
    def step(params, key):
        loss, gradient = jax.value_and_grad(COLOUR.loss)(params, images, None, key)
        return jax.tree.map(lambda p, g: p - 1e-3 * jnp.sign(g), params, gradient), loss

    params, losses = COLOUR.init(key_of(0)), []
    for key in jax.random.split(key_of(1), 100):
        params, loss = step(params, key)
        losses.append(float(loss))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 1
    system = COLOUR.system(params, COLOUR.noise(key_of(2), 2))
    assert solve(system, Jacobi()).exact


def test_samples_of_a_state_and_the_state_of_samples(sampling):
    model, params, u = sampling
    images = jax.random.uniform(key_of(3), (3, *model.shape), minval=-1)
    state = model.state(images)
    assert state.shape == model.system(params, u).initial().shape
    np.testing.assert_array_equal(model.samples(state), images)
    np.testing.assert_allclose(model.pictures(jnp.full((1, *model.shape), model.black)), 0)
    # Where blocks change nothing, the solution is the noise: in every row, in its order.
    still = solve(model.system(model.init(key_of(0)), u, "none"), Jacobi()).value
    np.testing.assert_array_equal(model.state(model.samples(still)), still)


def test_types_stay_where_64_bits_are_enabled():
    params, u = weights(GRAY), GRAY.noise(key_of(1), 2)
    with jax.enable_x64(True):
        for solver in (Sequential(cached=True), GSJacobi(2), GSJacobi(6), Chained((GSJacobi(2), Jacobi()))):
            solution = jax.eval_shape(lambda u, solver=solver: solve(GRAY.system(params, u), solver), u)
            assert solution.value.dtype == np.float32
            assert solution.iterations.dtype == np.int32


MISTAKES = {
    "shape": ({"shape": (4, 4)}, "expected (height, width, channels)"),
    "patch": ({"patch": 3}, "patches of 3×3 must divide images of 4×6, into two at least"),
    "one patch": ({"shape": (4, 4, 1), "patch": 4}, "patches of 4×4 must divide images of 4×4, into two at least"),
    "heads": ({"heads": 3}, "3 heads do not divide a width of 8"),
    "layers": ({"layers": 0}, "layers is 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_sizes_that_do_not_fit(mistake):
    sizes, message = MISTAKES[mistake]
    with pytest.raises(FFCError, match=re.escape(message)):
        Flow(**{"shape": (4, 6, 1), "patch": 2, "width": 8, "heads": 2} | sizes)


@pytest.mark.parametrize(
    ("u", "message"),
    [
        (np.zeros((2, 5, 4)), r"takes \(batch, 6, 4\)"),
        (np.full((2, 6, 4), np.nan), "finite"),
        (np.zeros((2, 6, 4), int), "floating-point"),
    ],
)
def test_noise_that_does_not_fit(u, message):
    with pytest.raises(FFCError, match=message):
        GRAY.check_noise(u)


def test_a_flow_is_found_by_its_kind():
    assert build({"kind": "flow", "patch": 2, "width": 16}, (8, 8, 1)) == Flow((8, 8, 1), patch=2, width=16)
