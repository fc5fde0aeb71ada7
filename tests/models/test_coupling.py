"""PixelCNN++ with 8-bit images and other couplings: the distribution is the model's, and solvers agree in every bit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from places import GOLDEN

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, solve
from ffc.core.system import count_ties
from ffc.core.verify import verified
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP, mixture
from ffc.models.pixelcnnpp.coupling import Gumbel, InverseCDF
from ffc.store import checkpoints

LEVELS = mixture.level(jnp.arange(256), mixture.EIGHT_BIT)


def shares(probabilities):
    """[n] where each level's share of the uniforms begins, and where it ends."""
    ends = np.cumsum(np.asarray(probabilities, np.float64))
    return np.concatenate([[0.0], ends[:-1]]) / ends[-1], ends / ends[-1]


def just_inside(probabilities, margin=1e-5):
    """Uniforms at both ends of the shares of all levels that are wide enough, and the levels' numbers."""
    begin, end = shares(probabilities)
    wide = np.flatnonzero(end - begin > 3 * margin)
    return np.concatenate([begin[wide] + margin, end[wide] - margin]), np.concatenate([wide, wide])


def draw(cls, outputs, *uniforms):
    """Numbers [n, channels] of the 8-bit pixels that the channels' uniforms (numbers or [n]) give for `outputs`."""
    uniforms = jnp.stack(jnp.broadcast_arrays(*(jnp.atleast_1d(jnp.float32(u)) for u in uniforms)), axis=1)
    choice = jnp.full((len(uniforms), len(outputs) // {1: 3, 3: 10}[uniforms.shape[1]]), 0.5)
    pixels = cls.of(choice, uniforms, eight_bit=True).pixels(jnp.broadcast_to(outputs, (len(uniforms), len(outputs))))
    return np.round((np.asarray(pixels) + 1) * 127.5).astype(int)


@pytest.mark.parametrize(("cls", "mixtures"), [(InverseCDF, 3), (InverseCDF, 1), (Gumbel, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_the_uniforms_that_give_a_gray_level_have_its_probability(cls, mixtures, seed):
    outputs = jax.random.normal(jax.random.key(seed), (3 * mixtures,))
    uniforms, numbers = just_inside(jnp.exp(mixture.log_likelihood(outputs, LEVELS[:, None])))
    assert len(numbers) > 250
    np.testing.assert_array_equal(draw(cls, outputs, uniforms)[:, 0], numbers)


@pytest.mark.parametrize(("cls", "mixtures"), [(InverseCDF, 3), (Gumbel, 1)])
@pytest.mark.parametrize("red_uniform", [0.03, 0.5, 0.9])
def test_green_and_blue_are_drawn_given_the_channels_before_them(cls, mixtures, red_uniform):
    outputs = jax.random.normal(jax.random.key(4), (10 * mixtures,))
    red = draw(cls, outputs, red_uniform, 0.5, 0.5)[0, 0]
    pixels = jnp.stack(jnp.broadcast_arrays(LEVELS[red], LEVELS[:, None], LEVELS), axis=-1)
    joint = np.exp(mixture.log_likelihood(outputs, pixels))  # [green, blue]

    uniforms, numbers = just_inside(joint.sum(axis=1), margin=1e-4)
    drawn = draw(cls, outputs, red_uniform, uniforms, 0.5)
    assert np.all(drawn[:, 0] == red)
    np.testing.assert_array_equal(drawn[:, 1], numbers)

    green = numbers[len(numbers) // 3]
    middle = np.mean([end[green] for end in shares(joint.sum(axis=1))])
    uniforms, numbers = just_inside(joint[green], margin=1e-4)
    drawn = draw(cls, outputs, red_uniform, middle, uniforms)
    assert np.all(drawn[:, 1] == green)
    np.testing.assert_array_equal(drawn[:, 2], numbers)


def test_a_continuous_inverse_cdf_solves_its_equation():
    """Against the mixture's cumulative in double precision, with weights by Bayes' rule channel after channel."""
    outputs, uniform = jax.random.normal(jax.random.key(1), (200, 30)), jax.random.uniform(jax.random.key(2), (200, 3))
    pixels = np.asarray(InverseCDF.of(jnp.zeros((200, 3)), uniform, eight_bit=False).pixels(outputs), np.float64)
    parameters = mixture.Mixture(*(np.asarray(p, np.float64) for p in mixture.read(outputs, 3)))
    weights = np.exp(parameters.logits)
    for channel in range(3):
        x = pixels[:, channel, None]
        scale = np.exp(parameters.log_scales[channel])
        mean = parameters.mean(channel, [pixels[:, before, None] for before in range(channel)])
        below = 1 / (1 + np.exp(-(x - mean) / scale))
        weights /= weights.sum(axis=1, keepdims=True)
        error = np.sum(weights * below, axis=1) - uniform[:, channel]
        assert np.all(np.abs(error[np.abs(x[:, 0]) < 1]) < 1e-5)
        assert np.all(error[x[:, 0] == -1] >= -1e-5)
        assert np.all(error[x[:, 0] == 1] <= 1e-5)
        weights *= np.where(x == -1, below, np.where(x == 1, 1 - below, below * (1 - below) / scale))
    assert np.mean(np.abs(pixels) < 1) > 0.3
    assert np.mean(pixels == 1) > 0.05


@pytest.mark.parametrize("cls", [Gumbel, InverseCDF])
def test_a_tie_is_a_pixel_that_rounding_errors_could_move(cls):
    outputs = jnp.array([0.0, 0.1, -1.0])  # one logistic around 0.1
    _, end = shares(jnp.exp(mixture.log_likelihood(outputs, LEVELS[:, None])))
    uniforms = np.float32([end[100] - 1e-4, end[100] - 1e-7, end[100] + 1e-7, end[100] + 1e-4])[:, None]
    coupling = cls.of(jnp.full((4, 1), 0.5), jnp.asarray(uniforms), eight_bit=True)
    tied = coupling.ties(jnp.broadcast_to(outputs, (4, 3)), 1e-5)
    assert tied.tolist() == [False, True, True, False]


def test_a_component_nearly_chosen_is_a_tie():
    outputs = jnp.array([[1.0, 1.0, -0.5, 0.5, -3.0, -3.0]])  # two components, far apart
    for lead, expected in ((1e-6, True), (1e-3, False)):
        coupling = Gumbel(jnp.array([[0.0, lead]]), jnp.zeros((1, 1)))
        assert coupling.ties(outputs, 1e-5).tolist() == [expected]


@pytest.mark.parametrize("cls", [Gumbel, InverseCDF])
@pytest.mark.parametrize("eight_bit", [False, True])
def test_outputs_that_are_not_numbers_give_none(cls, eight_bit):
    coupling = cls.of(jnp.full((1, 3), 0.5), jnp.full((1, 1), 0.5), eight_bit)
    assert np.isnan(coupling.pixels(jnp.full((1, 9), jnp.nan))).all()


def small_system(name, coupling, batch=2, extent=(12, 16), seed=0):
    """8-bit sampling with golden weights, of images smaller than those that they were trained on."""
    checkpoint = checkpoints.load(GOLDEN / f"pixelcnnpp_{name}.flax", shape=extent)
    noise = checkpoint.model.noise(jax.random.key(seed), batch)
    return checkpoint.model.system(checkpoint.params, noise, quantize="8bit", coupling=coupling)


@pytest.mark.parametrize("eight_bit", [True, False])
@pytest.mark.parametrize("cls", [Gumbel, InverseCDF])
def test_a_coupling_keeps_its_dtype_and_its_bits_where_64_bits_are_enabled(cls, eight_bit):
    draws = np.random.default_rng(0)
    outputs, *uniforms = draws.normal(size=(50, 30)), *(draws.uniform(0.01, 0.99, (50, 3)) for _ in range(2))

    def pixels(dtype):
        noise, values = cls.of(*(jnp.asarray(u, dtype) for u in uniforms), eight_bit), jnp.asarray(outputs, dtype)
        return jax.jit(lambda noise, values: (noise.pixels(values), noise.ties(values, 1e-5)))(noise, values)

    here = pixels(jnp.float32)
    with jax.enable_x64(True):
        there, wide = pixels(jnp.float32), pixels(jnp.float64)
    assert wide[0].dtype == jnp.float64
    for one, two in zip(here, there, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


_ties = jax.jit(lambda system, x: system.ties(x))
_sweep = jax.jit(lambda system, x: system.sweep(x))


def assert_equal_up_to_a_tie(system, value, answer):
    """Samples are equal bit for bit, or from a tie on they are not."""
    ties = np.asarray(_ties(system, answer))
    for tied, differs in zip(ties, np.any(np.asarray(value) != np.asarray(answer), axis=2), strict=True):
        assert not differs.any() or tied[np.argmax(differs)]


@pytest.mark.stress
@pytest.mark.parametrize(("name", "coupling"), [("gray28", "gumbel"), ("rgb32", "inverse_cdf")])
def test_every_evaluation_order_gives_the_same_8_bit_images(name, coupling):
    system = small_system(name, coupling)
    row = system.row_length
    answer = solve(system, Sequential(cached=True))
    levels = np.round((np.asarray(answer.value) + 1) * 127.5)
    np.testing.assert_array_equal(answer.value, mixture.level(levels, 255))
    for solver in (Jacobi(), GSJacobi(3 * row), JacobiGS(row)):
        solution = solve(system, solver)
        assert solution.exact
        assert_equal_up_to_a_tie(system, solution.value, answer.value)


OTHERS = (Sequential(cached=True), Jacobi(), GSJacobi(8), GSJacobi(3), JacobiGS(8))


@pytest.mark.parametrize(
    ("coupling", "images", "solvers"),
    [
        ("gumbel", 40, (GSJacobi(3),)),
        pytest.param("gumbel", 1000, OTHERS, marks=pytest.mark.stress),
        pytest.param("inverse_cdf", 1000, OTHERS, marks=pytest.mark.stress),
    ],
)
def test_verified_8_bit_images_are_the_plain_sequential_ones_by_every_solver(coupling, images, solvers):
    """Bit for bit, past ties too, for one batch: in a batch of another size, bits may differ from a tie on."""
    system = small_system("rgb32", coupling, batch=images, extent=(4, 8))
    plain = solve(system, Sequential(), verify=True)
    assert plain.verification.proven.all()
    for solver in solvers:
        found = solve(system, solver)
        assert_equal_up_to_a_tie(system, found.value, plain.value)
        solution = verified(system, found)
        assert solution.verification.proven.all()
        np.testing.assert_array_equal(solution.value, plain.value)
        changed = np.any(np.asarray(found.value) != np.asarray(plain.value), axis=2)
        np.testing.assert_array_equal(solution.verification.corrected, changed.sum(axis=1))
    share = min(images, 100)
    for first in range(0, images, share):
        part = system.select_samples(jnp.arange(first, first + share))
        assert_equal_up_to_a_tie(part, solve(part, GSJacobi(3)).value, plain.value[first : first + share])


@pytest.mark.stress
def test_what_cached_sampling_made_of_a_tie_is_corrected():
    """Where this seed was found, the cached sampler has a pixel on the other side of an edge."""
    system = small_system("rgb32", "inverse_cdf", batch=4, extent=(32, 32), seed=5)
    cached, plain = solve(system, Sequential(cached=True)), solve(system, Sequential(), verify=True)
    assert_equal_up_to_a_tie(system, cached.value, plain.value)
    solution = verified(system, cached)
    assert solution.verification.proven.all()
    np.testing.assert_array_equal(solution.value, plain.value)


def test_a_tie_that_fell_otherwise_is_corrected_with_all_that_followed_it():
    system = small_system("rgb32", "gumbel", batch=40, extent=(4, 8))
    plain = solve(system, Jacobi(), verify=True)
    levels = jnp.round((plain.value[1, 3] + 1) * 127.5)
    other = plain.value.at[1, 3].set(mixture.level(jnp.mod(levels + 1, 256), mixture.EIGHT_BIT))
    for _ in range(system.size):  # what follows from there, as a sampler would find it
        other = jnp.where(jnp.arange(system.size)[:, None] > 3, _sweep(system, other), other)
    changed = np.any(np.asarray(other) != np.asarray(plain.value), axis=2).sum(axis=1)
    assert changed[1] > 1
    solution = verified(system, replace(plain, value=other))
    assert solution.verification.proven.all()
    np.testing.assert_array_equal(solution.value, plain.value)
    np.testing.assert_array_equal(solution.verification.corrected, changed)


def test_images_of_real_numbers_are_measured():
    checkpoint = checkpoints.load(GOLDEN / "pixelcnnpp_rgb32.flax", shape=(4, 8))
    system = checkpoint.model.system(checkpoint.params, checkpoint.model.noise(jax.random.key(0), 2))
    found, solution = solve(system, GSJacobi(3)), solve(system, GSJacobi(3), verify=True)
    np.testing.assert_array_equal(solution.value, found.value)
    assert solution.verification.sweeps.tolist() == [1, 1]
    assert np.all(np.asarray(solution.residual) < 1e-5)


@pytest.mark.stress
@pytest.mark.parametrize("solver", [Sequential(cached=True), Jacobi()], ids=str)
def test_an_8_bit_image_does_not_depend_on_its_batch(solver):
    system = small_system("rgb32", "gumbel", extent=(8, 8), batch=5)
    together = solve(system, solver)
    index = jnp.array([4, 0, 3])
    part = system.select_samples(index)
    assert_equal_up_to_a_tie(part, solve(part, solver).value, together.value[index])


@pytest.mark.stress
def test_8_bit_images_need_fewer_iterations_than_the_last_bits_of_real_numbers():
    checkpoint = checkpoints.load(GOLDEN / "pixelcnnpp_rgb32.flax", shape=(12, 16))
    noise = checkpoint.model.noise(jax.random.key(0), 2)
    real, eight_bit = (
        solve(checkpoint.model.system(checkpoint.params, noise, quantize=quantize), Jacobi()).iterations
        for quantize in ("none", "8bit")
    )
    assert np.all(np.asarray(eight_bit) < np.asarray(real))


def test_the_papers_system_is_the_default():
    model = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=3)
    params, noise = model.init(jax.random.key(0)), model.noise(jax.random.key(1), 2)
    default = model.system(params, noise)
    assert isinstance(default.coupling, Gumbel)
    assert default.coupling.steps is None
    same = model.system_with({"quantize": "none", "coupling": "gumbel"}, params, noise)
    assert jax.tree.structure(same) == jax.tree.structure(default)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (MADE((2, 2, 1), hidden=(4, 4)), {"quantize": "8bit"}, "option quantize: made has none of that name"),
        (PixelCNNPP((4, 4, 1)), {"quantize": "4bit"}, "quantize: '4bit' is unknown; pixelcnnpp takes none, 8bit"),
        (PixelCNNPP((4, 4, 1)), {"noise": "none"}, "noise: pixelcnnpp has none of that name; it has quantize"),
    ],
)
def test_options_that_a_model_does_not_have_are_refused(model, options, message):
    with pytest.raises(FFCError, match=message):
        model.system_with(options, {}, jnp.zeros((1, 4)))


def test_a_system_without_jumps_has_no_ties():
    model = MADE((2, 2, 1), hidden=(4, 4))
    system = model.system(model.init(jax.random.key(0)), jnp.zeros((3, 4)))
    assert count_ties(system, system.initial()).tolist() == [0, 0, 0]
