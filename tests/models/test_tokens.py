"""Tokens: a transformer and networks of one's own give the cached sequential sampler's tokens, by every solver."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, check, solve
from ffc.core.keys import key_of
from ffc.core.named import entry_of, solver_by_name
from ffc.core.tune import candidates
from ffc.models import build, kind_of
from ffc.models.tokens import Cheap, Choice, TokenSampling
from ffc.models.transformer import Transformer

TEXT = Transformer((1, 12, 1), levels=5, width=16, depth=1, heads=2, cheap=8)
IMAGE = Transformer((3, 4, 1), levels=4, width=8, depth=1, heads=1, positions="learned", cheap=8)


def weights(model, seed=0):
    """Three times as large as fresh ones, so that tokens hang on those before."""
    return jax.tree.map(lambda leaf: 3 * np.asarray(leaf), jax.jit(model.init)(key_of(seed)))


def system_of(model, batch=3, seed=1, **options):
    return model.system(weights(model), model.noise(key_of(seed), batch), **options)


def cheap_of(vocabulary, places=(1, 2), hidden=8):
    one, two = jax.random.split(key_of(7), 2)
    tables = jax.random.normal(one, (len(places), vocabulary + 1, hidden))
    return Cheap(tables, jnp.zeros(hidden), jax.random.normal(two, (hidden, vocabulary)), places)


@pytest.mark.parametrize("model", [replace(TEXT, depth=2), IMAGE], ids=["rotary", "learned"])
def test_the_system_is_triangular_and_its_windows_are_parts_of_its_sweep(model):
    check(system_of(model, batch=2), blocks=(0, 3, 7), windows=[(5, 1)])


OPTIONS = [{}, {"temperature": 0.5, "top_k": 3, "prompt": [1, 4, 0]}, {"temperature": 0}, {"top_p": 0.6}]


def test_every_solver_gives_the_cached_samplers_tokens():
    prompt = [1, 4, 0]
    system = system_of(TEXT, temperature=0.7, top_k=4, prompt=prompt)
    answer, draft = solve(system, Sequential(cached=True), verify=True).value, system.draft()
    for solver in (Jacobi(), Jacobi(draft=draft), GSJacobi(5, draft=draft)):
        solution = solve(system, solver, verify=True)
        assert solution.exact
        assert solution.verification.proven.all()
        np.testing.assert_array_equal(solution.value, answer)
    np.testing.assert_array_equal(answer[:, :3], [prompt] * 3)


@pytest.mark.stress
@pytest.mark.parametrize("model", [TEXT, IMAGE], ids=["rotary", "learned"])
def test_a_hundred_seeds_by_every_solver_window_and_draft(model):
    for options in OPTIONS if model is TEXT else ({}, {"temperature": 0.5}):
        draft = system_of(model).draft()
        solvers = [Sequential(), Jacobi(), JacobiGS(3), JacobiGS(4), *(GSJacobi(w) for w in (1, 2, 5, 8, 11))]
        solvers += [Jacobi(draft=draft), *(GSJacobi(w, draft=draft) for w in (2, 5, 8, 11))]
        for seed in range(2):
            system = system_of(model, batch=50, seed=seed, **options)
            answer = solve(system, Sequential(cached=True), verify=True)
            for solver in solvers:
                solution = solve(system, solver, verify=True)
                assert solution.exact
                assert solution.verification.proven.all()
                np.testing.assert_array_equal(solution.value, answer.value)


def test_samples_leave_the_batch():
    system = system_of(TEXT, batch=2, prompt=[[1], [3]])
    answer = solve(system, Sequential(cached=True)).value
    np.testing.assert_array_equal(solve(system, GSJacobi(4, draft=system.draft()), retire=True).value, answer)


def test_a_draft_by_the_network_itself_needs_no_second_look():
    """The cheap model is the network: its chain is the answer, which two iterations of Jacobi's confirm."""
    cheap = cheap_of(6)
    system = TokenSampling.of(jax.tree_util.Partial(Cheap.everywhere, cheap), _gumbel(2, 20, 6), cheap=cheap)
    assert solve(system, Jacobi()).iterations.max() == 1
    ignorant = replace(system, cheap=None)
    plain, drafted = solve(ignorant, Jacobi()), solve(ignorant, Jacobi(draft=system.draft()))
    np.testing.assert_array_equal(drafted.value, plain.value)
    assert drafted.iterations.max() <= 2 < plain.iterations.max()


def _gumbel(*shape):
    return jax.random.gumbel(key_of(3), shape)


def test_the_cheap_model_is_the_same_at_one_block_and_everywhere():
    cheap, x = cheap_of(5, places=(1, 3)), jax.random.randint(key_of(4), (4, 7), 0, 5)
    everywhere = cheap.everywhere(x)
    for i in range(7):
        np.testing.assert_allclose(cheap.at(x, jnp.full(4, i)), everywhere[:, i], atol=1e-5)
        moved = cheap.same(x, x.at[:, 2].add(1), jnp.full(4, i))
        np.testing.assert_array_equal(moved, [i not in (3, 5)] * 4)


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(1, 3, None), (0.5, None, 0.7), (2, 4, 0.5), (0, 2, 0.9)])
def test_tokens_are_chosen_as_the_definition_says(temperature, top_k, top_p):
    logits, noise = (np.asarray(3 * jax.random.normal(key_of(i), (200, 6))) for i in (1, 2))
    expected = []
    for row, u in zip(logits, noise, strict=True):
        left = list(np.argsort(-row))[:top_k]
        chances = np.exp((row - row.max()) / (temperature or 1))[left]
        together = np.cumsum(chances / chances.sum())
        left = left if top_p is None else left[: int(np.searchsorted(together, top_p)) + 1]
        expected.append(max(left, key=lambda token, row=row, u=u: row[token] + temperature * u[token]))
    np.testing.assert_array_equal(Choice.of(6, temperature, top_k, top_p).tokens(logits, noise), expected)


def test_a_tie_is_where_rounding_could_choose_another_token():
    logits = jnp.array([[1.0, 1 + 1e-6, 0], [1, 0.9, 0.9 - 1e-6], [1, 0.5, 0], [0, 1, 1 + 1e-6]])
    noise = jnp.zeros((4, 3)).at[1].set(jnp.array([0.0, 0, 5])).at[3].set(jnp.array([0.0, 5, 0]))
    for choice, expected in ((Choice.of(3), [1, 0, 0, 0]), (Choice.of(3, top_k=2), [1, 1, 0, 0])):
        np.testing.assert_array_equal(choice.ties(logits, noise, 1e-5), np.array(expected, bool))
    near = Choice.of(3, top_p=float(jax.nn.softmax(logits[2])[0]) + 1e-7).ties(
        logits[2:3], jnp.array([[0.0, 5, 0]]), 1e-5
    )
    assert near.all()


def test_the_likelihoods_of_all_texts_sum_to_one():
    model = Transformer((1, 4, 1), levels=3, width=8, depth=1, heads=2)
    texts = np.array(list(itertools.product(range(3), repeat=4)), np.uint8).reshape(-1, 1, 1, 4, 1)
    params = weights(model)
    bits = jax.jit(jax.vmap(lambda text: model.loss(params, text)))(texts)
    assert float(jnp.exp2(-4 * bits).sum()) == pytest.approx(1, abs=1e-4)


def test_an_image_of_few_levels_costs_the_bits_within_them():
    """An untrained network of one level more than another has its bits less: both spread 8 bits alike."""
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 4, 1), np.uint8)
    for levels in (2, 16):
        model = replace(IMAGE, levels=levels)
        flat = jax.tree.map(jnp.zeros_like, jax.jit(model.init)(key_of(0)))
        assert float(jax.jit(model.loss)(flat, images)) == pytest.approx(8, abs=1e-4)


def test_training_teaches_the_cheap_model_and_tells_of_the_network():
    images, params = np.zeros((2, *TEXT.shape), np.uint8), weights(TEXT)
    told, gradient = jax.jit(jax.value_and_grad(TEXT.loss))(params, images, None, key_of(0))
    assert float(told) == pytest.approx(float(jax.jit(TEXT.loss)(params, images)))
    assert float(jnp.abs(gradient["cheap"]["out"]).max()) > 0


def test_images_and_texts_come_out_as_such():
    levels = IMAGE.samples(solve(system_of(IMAGE), Jacobi()).value)
    assert levels.shape == (3, 3, 4, 1)
    assert IMAGE.has_pictures
    assert float(IMAGE.pictures(levels).max()) <= 1
    np.testing.assert_array_equal(IMAGE.tokens(jnp.uint8(levels * 64 + 5)), IMAGE.state(levels))
    ascii = replace(TEXT, levels=128)
    assert not ascii.has_pictures
    assert ascii.text(np.frombuffer(b"twelve bytes", np.uint8)) == ["twelve bytes"]
    given = system_of(ascii, prompt="To").initial()
    assert ascii.text(given)[0].startswith("To")


def test_names_find_the_model_and_its_solvers():
    model = build({"kind": "transformer", "width": 8, "heads": 2}, (1, 40, 1))
    assert kind_of(model) == "transformer"
    system = model.system_with(
        {"temperature": "0.5", "top_k": 7, "top_p": 1}, weights(model), model.noise(key_of(1), 1)
    )
    assert float(system.choice.temperature) == 0.5
    assert {getattr(solver, "window", None) for solver in candidates(system) if getattr(solver, "draft", None)} >= {
        4,
        8,
    }
    solver = solver_by_name("gs_jacobi", system, draft=True)
    assert entry_of(solver, system) == {"solver": "gs_jacobi", "window": 8, "draft": True}


def test_any_function_of_tokens_is_a_network():
    """Without a cache windows are parts of sweeps."""
    table = 3 * jax.random.normal(key_of(5), (4, 4))
    network = jax.tree_util.Partial(lambda table, x: table[jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]], table)
    system = TokenSampling.of(network, _gumbel(2, 30, 4), temperature=0.7)
    check(system, blocks=range(0, 30, 7))
    x = [0, 0]
    expected = []
    for noise in np.moveaxis(np.asarray(system.noise), 1, 0):
        x = [int(np.argmax(np.float32(table[a]) + np.float32(0.7) * u)) for a, u in zip(x, noise, strict=True)]
        expected.append(x)
    for solver in (Sequential(cached=True), Jacobi(), GSJacobi(8)):
        np.testing.assert_array_equal(solve(system, solver).value.T, expected)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"prompt": [0] * 13}, "prompt: 13 tokens are more than the context of 12; give 12 at most"),
        ({"prompt": [1, 5]}, "prompt: 5 is no token of this vocabulary; tokens are 0 … 4"),
        ({"prompt": [0.5]}, "prompt: it holds float64; give tokens"),
        ({"prompt": [[0]] * 2}, r"prompt: it has the shape \(2, 1\); give \[length\], or \[3, length\]"),
        ({"prompt": "a"}, "prompt: 'a' has bytes that are none of the 5 tokens"),
        ({"temperature": -1}, "temperature: -1; give a finite number"),
        ({"temperature": float("nan")}, "temperature: nan; give"),
        ({"top_p": 0}, "top_p: 0; give a probability above 0, at most 1"),
        ({"top_p": 1.5}, "top_p: 1.5; give"),
        ({"top_k": 0}, "top_k: 0 of 5 tokens cannot be left; give 1 … 5"),
        ({"top_k": 6}, "top_k: 6 of 5 tokens cannot be left"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(options, complaint):
    with pytest.raises(FFCError, match=complaint):
        system_of(TEXT, **options)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"top_k": "many"}, "system option top_k: expected a whole number, not 'many'"),
        ({"top_k": 2.5}, "system option top_k: expected a whole number, not 2.5"),
        ({"temperature": True}, "system option temperature: expected a number, not True"),
        ({"coupling": "gumbel"}, "system option coupling: transformer has none of that name; it has temperature"),
    ],
)
def test_options_are_numbers(options, complaint):
    with pytest.raises(FFCError, match=complaint):
        TEXT.system_with(options, weights(TEXT), TEXT.noise(key_of(0), 1))


def test_weights_of_another_vocabulary_are_refused():
    with pytest.raises(FFCError, match="these weights are for a vocabulary of 5 tokens; the model has levels=9"):
        replace(TEXT, levels=9).check(weights(TEXT))
    with pytest.raises(FFCError, match=r"network: it gives logits of the shape \(2, 12, 5\) for 12 tokens"):
        TokenSampling.of(system_of(TEXT).network, _gumbel(2, 12, 9))


def test_a_text_with_other_bytes_is_not_trained_on():
    with pytest.raises(FFCError, match="the text has the byte 9; levels is 5: give 10 or more"):
        TEXT.check_images(np.full((1, 1, 12, 1), 9, np.uint8))


@pytest.mark.parametrize("sizes", [{"levels": 257}, {"width": 6}, {"positions": "none"}, {"shape": (1, 1, 1)}])
def test_sizes_out_of_range_are_refused(sizes):
    with pytest.raises(FFCError, match=r"^Transformer: .* expected"):
        replace(TEXT, **sizes)


def test_noise_of_another_shape_is_refused():
    with pytest.raises(FFCError, match=r"noise u has the shape \(2, 12\); this transformer takes \(batch, 12, 5\)"):
        TEXT.check_noise(np.zeros((2, 12)))
    with pytest.raises(FFCError, match="finite"):
        TEXT.check_noise(np.full((2, 12, 5), np.nan))
