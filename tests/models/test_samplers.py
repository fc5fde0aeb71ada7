"""Laws of all samplers: triangular systems, one answer by every solver, samples of their own, and what is refused."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samplers import FLOW, GRAY, IMAGE, SAMPLERS, TEXT, in_order, select, sweep, weights

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, check, solve
from ffc.core.keys import key_of
from ffc.core.verify import count_ties
from ffc.models.guess import NAMES, guess_by_name

CACHED = Sequential(cached=True)
MADE_GRAY = SAMPLERS["made gray"].model


@pytest.fixture(scope="module", params=SAMPLERS)
def small(request):
    return SAMPLERS[request.param]


def test_a_sampler_is_a_triangular_system_and_its_windows_are_parts_of_its_sweep(small):
    """Also windows that meet a cache of blocks which have changed since, where each sample stands at its own block."""
    check(small.system(), windows=small.windows)


#: How each sampler is solved here, drafted where it offers a draft, and other options of its system.
SOLVED = [
    ("made gray", [CACHED, GSJacobi(5)], {}),
    ("made colour", [GSJacobi(11)], {}),
    ("tokens of a text", [GSJacobi(5)], {}),
    ("tokens of an image", [GSJacobi(5)], {}),
    ("flow", [GSJacobi(2)], {}),
]
SOLVED_LONG = [
    ("tokens of a text", [CACHED, JacobiGS(3), *map(GSJacobi, (1, 2, 8, 11))], {"batch": 100, "prompt": None}),
    ("tokens of a text", [Jacobi(), GSJacobi(8)], {"batch": 100, "top_p": 0.6}),
    ("tokens of a text", [CACHED, Jacobi()], {}),
    ("tokens of an image", [Jacobi(), GSJacobi(2)], {"batch": 100, "temperature": 0, "prompt": None}),
    ("flow", [CACHED, GSJacobi(6), JacobiGS(6)], {}),
    ("flow", [GSJacobi(4)], {"quantize": "none"}),
    ("made colour", [CACHED, GSJacobi(2), GSJacobi(7)], {}),
]
SOLVED += [pytest.param(*case, marks=pytest.mark.stress) for case in SOLVED_LONG]


@pytest.mark.parametrize(("name", "solvers", "options"), SOLVED)
def test_every_solver_gives_the_answer_in_order(name, solvers, options):
    """Discrete values to the bit, proven by plain sweeps; others to the last digits, as the plain sweep measures."""
    system = SAMPLERS[name].system(**options)
    answer, draft = in_order(system), system.draft()
    for solver in solvers:
        solution = solve(system, replace(solver, draft=draft) if hasattr(solver, "draft") else solver, verify=True)
        assert solution.exact
        if system.discrete:
            assert solution.verification.proven.all()
            np.testing.assert_array_equal(solution.value, answer)
        else:
            assert solution.residual.max() < 1e-5
            np.testing.assert_allclose(solution.value, answer, atol=1e-5)
    prompt = (SAMPLERS[name].options | options).get("prompt")
    assert prompt is None or (np.asarray(answer)[:, : np.shape(prompt)[-1]] == prompt).all()


def test_every_named_guess_leads_to_the_same_bits_and_mean_is_what_the_model_expects():
    system = SAMPLERS["made gray"].system()
    guesses, answer = [guess_by_name(name, MADE_GRAY, system) for name in NAMES], solve(system, GSJacobi(8))
    for guess in (*guesses, answer.value):
        solution = solve(system, GSJacobi(8), x0=guess)
        assert solution.exact
        np.testing.assert_array_equal(solution.value, answer.value)
    zeros = jnp.zeros_like(answer.value)
    expected = MADE_GRAY.mean_and_log_scale(weights(MADE_GRAY), zeros)[:, : system.size]
    np.testing.assert_allclose(guesses[NAMES.index("mean")], expected, atol=1e-6)
    with pytest.raises(FFCError, match="guess 'white': expected one of zeros, black, mean, row_above"):
        guess_by_name("white", MADE_GRAY, system)


def test_a_sample_is_its_own_and_the_median_noise_is_everybodys(small):
    system, other = small.system(), small.system(seed=2)
    x, order = system.example(key_of(3)), jnp.array([2, 0, 1])
    np.testing.assert_array_equal(sweep(select(system, order), x[order]), sweep(system, x)[order])
    medians = [sweep(one.with_median_noise(), x) for one in (system, other)]
    np.testing.assert_array_equal(*medians)
    assert np.any(np.asarray(medians[0]) != np.asarray(sweep(system, x)))
    assert "made" not in small.model.kind or count_ties(system, x).tolist() == [0, 0, 0]  # it has no jumps


def test_types_stay_where_64_bits_are_enabled(small):
    """Traced, and not run: an index of 64 bits is an error then."""
    system = small.system()
    dtype, draft = system.initial().dtype, system.draft() if small.model in (TEXT, IMAGE) else None
    with jax.enable_x64(True):
        for count in (count for count, stride in small.windows if stride == 1):
            solution = jax.eval_shape(lambda system, w=count: solve(system, GSJacobi(w, draft=draft)), system)
            assert (solution.value.dtype, solution.iterations.dtype) == (dtype, np.int32)


def test_samples_have_pictures_which_the_guess_black_makes_black(small):
    model, system = small.model, small.system()
    samples = model.samples(system.example(key_of(0)))
    assert model.has_pictures == (model != TEXT)
    if model.has_pictures:
        assert model.pictures(samples).shape == (3, *model.shape)
        black = guess_by_name("black", model, system)
        np.testing.assert_allclose(model.pictures(model.samples(black)), 0, atol=1e-6)


def test_noise_that_does_not_fit_is_refused(small):
    u = np.asarray(small.model.noise(key_of(0), 2))
    np.testing.assert_array_equal(small.model.check_noise(np.float64(u)), u)
    for mistake in (u[:, 1:], u[0], u * np.nan, np.int32(u)):
        with pytest.raises(FFCError, match="noise u "):
            small.model.check_noise(mistake)


#: A sampler, what is wrong with its sizes, and what the error names.
SIZES = [
    (FLOW, {"shape": (4, 4)}, "(height, width, channels)"),
    (FLOW, {"patch": 3}, "patches of 3×3"),
    (FLOW, {"shape": (4, 4, 1), "patch": 4}, "two at least"),
    (FLOW, {"heads": 3}, "3 heads"),
    (FLOW, {"layers": 0}, "layers is 0"),
    (TEXT, {"levels": 257}, "levels is 257"),
    (TEXT, {"width": 6}, "width 6"),
    (TEXT, {"positions": "none"}, "positions is 'none'"),
    (TEXT, {"shape": (1, 1, 1)}, "shape is (1, 1, 1)"),
    (MADE_GRAY, {"hidden": (4,)}, "hidden is (4,)"),
    (MADE_GRAY, {"trunc_lambda": 0.5}, "trunc_lambda is 0.5"),
    (GRAY, {"shape": (8, 6, 1)}, "(8, 6, 1)"),
]
#: Options that a sampler does not take, and what the error says of them.
OPTIONS = [
    (GRAY, {"quantize": "4bit"}, "quantize: '4bit' is unknown; pixelcnnpp takes none, 8bit"),
    (GRAY, {"noise": "none"}, "noise: pixelcnnpp has none of that name; it has quantize"),
    (TEXT, {"top_k": 2.5}, "top_k: expected a whole number, not 2.5"),
    (TEXT, {"temperature": True}, "temperature: expected a number, not True"),
    (TEXT, {"prompt": 3}, "prompt: expected a text, not 3"),
]


def system_with(model, options):
    return model.system_with(options, weights(model), model.noise(key_of(1), 1))


def test_sizes_and_options_that_do_not_fit_are_refused():
    for model, sizes, message in SIZES:
        with pytest.raises(FFCError, match=re.escape(message)):
            replace(model, **sizes)
    for model, options, message in OPTIONS:
        with pytest.raises(FFCError, match=f"^system option {message}"):
            system_with(model, options)


def test_options_of_the_command_line_are_those_of_the_system_and_the_papers_are_the_default():
    choice = system_with(TEXT, {"temperature": "0.5", "top_k": 4, "top_p": 1}).choice
    assert (float(choice.temperature), int(choice.top_k), choice.top_p) == (0.5, 4, None)
    papers = system_with(GRAY, {}).coupling
    assert (type(papers).__name__, papers.steps) == ("Gumbel", None)
