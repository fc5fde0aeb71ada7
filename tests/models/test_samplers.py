"""Laws of all samplers: triangular systems, one answer by every solver, samples of their own, and what is refused."""

import functools
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samplers import FLOW, GRAY, IMAGE, LONG, SAMPLERS, TEXT, in_order, select, sweep, weights

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, solve
from ffc.core.check_windows import check_windows
from ffc.core.examples import Examples
from ffc.core.keys import key_of
from ffc.core.verify import count_ties

CACHED = Sequential(cached=True)
MADE_GRAY = SAMPLERS["made gray"].model


EACH = [pytest.param(name, marks=[pytest.mark.stress] if name == LONG else []) for name in SAMPLERS]


@pytest.fixture(scope="module", params=EACH)
def small(request):
    return SAMPLERS[request.param]


def test_no_block_depends_on_itself_or_a_later_one(small):
    system = small.system()
    x, other = (np.asarray(system.example(key_of(seed))) for seed in (0, 1))
    place, before = np.arange(system.size).reshape(-1, *[1] * (x.ndim - 2)), np.asarray(sweep(system, x))
    for i in range(system.size):
        after = np.asarray(sweep(system, np.where(place < i, x, other)))
        np.testing.assert_array_equal(after[:, : i + 1], before[:, : i + 1])


def test_a_window_is_a_part_of_a_sweep(small):
    """Also one that meets a cache of blocks which have changed since, where each sample stands at its own block."""
    system = small.system()
    swept = functools.partial(sweep, system)
    check_windows(system, swept, Examples(system, 0, swept), system.initial(), small.windows, seed=0)


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


def test_samples_have_a_state_and_pictures_of_which_black_is_zero(small):
    model, x = small.model, small.system().example(key_of(0))
    samples = model.samples(x)
    state = model.state(samples)
    assert (state.shape, state.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(model.samples(state), samples)
    assert model.has_pictures == (model != TEXT)
    if model.has_pictures:
        assert model.pictures(samples).shape == (3, *model.shape)
        black = model.pictures(model.samples(jnp.full_like(x, model.black)))
        np.testing.assert_allclose(black, 0, atol=1e-6)


def test_noise_that_does_not_fit_is_refused(small):
    u = np.asarray(small.model.noise(key_of(0), 2))
    np.testing.assert_array_equal(small.model.check_noise(np.float64(u)), u)
    for mistake in (u[:, 1:], u * np.nan, np.int32(u)):
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


@pytest.mark.parametrize(("model", "sizes", "named"), SIZES, ids=repr)
def test_sizes_that_do_not_fit_are_refused(model, sizes, named):
    with pytest.raises(FFCError, match=re.escape(named)):
        replace(model, **sizes)


#: Options that a sampler does not take, and what the error says of them.
OPTIONS = [
    (GRAY, {"quantize": "4bit"}, "quantize: '4bit' is unknown; pixelcnnpp takes none, 8bit"),
    (GRAY, {"noise": "none"}, "noise: pixelcnnpp has none of that name; it has quantize"),
    (TEXT, {"top_k": 2.5}, "top_k: expected a whole number, not 2.5"),
    (TEXT, {"temperature": True}, "temperature: expected a number, not True"),
    (TEXT, {"prompt": 3}, "prompt: expected a text, not 3"),
]


def test_options_of_the_command_line_are_those_of_the_system_and_the_papers_are_the_default():
    for model, options, message in OPTIONS:
        with pytest.raises(FFCError, match=f"^system option {message}"):
            model.system_with(options, weights(model), model.noise(key_of(0), 1))
    system = TEXT.system_with({"temperature": "0.5", "top_k": 4, "top_p": 1}, weights(TEXT), TEXT.noise(key_of(1), 1))
    assert (float(system.choice.temperature), int(system.choice.top_k), system.choice.top_p) == (0.5, 4, None)
    papers = GRAY.system_with({}, weights(GRAY), GRAY.noise(key_of(1), 1)).coupling
    assert (type(papers).__name__, papers.steps) == ("Gumbel", None)
