"""Tokens: networks of one's own, how a token is chosen and when it is a tie, drafts, and what cannot be sampled."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sound
from samplers import IMAGE, SAMPLERS, TEXT, weights

from ffc import FFCError, GSJacobi, Jacobi, Status, solve
from ffc.core.keys import key_of
from ffc.core.named import entry_of, solver_by_name
from ffc.core.tune import candidates
from ffc.models.tokens import Cheap, Choice, TokenSampling

TABLE, NOISE = jax.random.normal(key_of(0), (5, 5)), jax.random.gumbel(key_of(1), (2, 20, 5))


def next_token(tokens):
    """Logits of token i + 1 in row i, from all tokens up to i, as language models have it."""
    age = jnp.arange(20)[:, None] - jnp.arange(20)
    return jnp.where(age >= 0, 0.7**age, 0) @ TABLE[tokens]


def test_a_network_that_predicts_the_next_token_is_refused_without_bos_and_exact_with_it():
    with pytest.raises(FFCError, match=r"network: .* give bos"):
        TokenSampling.of(next_token, NOISE)
    system = TokenSampling.of(next_token, NOISE, bos=2, temperature=0.7)
    answer, logits = solve(system, Jacobi(), verify=True), jax.jit(next_token)
    assert answer.exact
    for noise, row in zip(np.asarray(NOISE), answer.value, strict=True):
        tokens = [2]
        for i in range(20):
            filled = np.asarray(tokens + [0] * (20 - len(tokens)))
            tokens.append(int(np.argmax(logits(filled)[i] + 0.7 * noise[i])))
        assert row.tolist() == tokens[1:]


def test_logits_that_are_not_numbers_choose_no_token():
    system = TokenSampling.of(lambda tokens: next_token(tokens).at[1, 12, 3].set(jnp.nan), NOISE, bos=0)
    solution = solve(system, GSJacobi(6), verify=True)
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE]
    assert solution.certified[1] <= 12
    assert (solution.value >= 0).all()


def cheap_of(vocabulary, places=(1, 2), hidden=8):
    one, two = jax.random.split(key_of(7), 2)
    tables = jax.random.normal(one, (len(places), vocabulary + 1, hidden))
    return Cheap(tables, jnp.zeros(hidden), jax.random.normal(two, (hidden, vocabulary)), places)


def gumbel(*shape):
    return jax.random.gumbel(key_of(3), shape)


def test_a_draft_by_the_network_itself_needs_no_second_look():
    """The cheap model is the network: its chain is the answer, which two iterations of Jacobi's confirm.

    It would choose other tokens than the prompt's, of which the guess knows nothing, and leaves those as they are.
    """
    cheap, network = cheap_of(6), jax.tree_util.Partial(Cheap.everywhere, cheap_of(6))
    system = TokenSampling.of(network, gumbel(2, 20, 6), cheap=cheap, prompt=[5, 0, 4, 1, 3, 2])
    assert solve(system, Jacobi()).iterations.max() == 1
    ignorant, solvers = replace(system, cheap=None), (Jacobi(), Jacobi(draft=system.draft()))
    plain, drafted = (solve(ignorant, solver, x0=jnp.ones((2, 20), jnp.int32)) for solver in solvers)
    np.testing.assert_array_equal(drafted.value, plain.value)
    assert drafted.iterations.max() <= 2 < plain.iterations.max()


def test_a_draft_keeps_a_token_where_the_cheap_model_looks_at_the_same():
    cheap, x = cheap_of(5, places=(1, 3)), jnp.zeros((2, 7), jnp.int32)
    same = jax.jit(jax.vmap(lambda i: cheap.same(x, x.at[:, 2].add(1), jnp.full(2, i))))(jnp.arange(7))
    assert same.tolist() == [[i not in (3, 5)] * 2 for i in range(7)]


def test_tokens_are_chosen_as_the_definition_says():
    logits, noise = (np.asarray(3 * jax.random.normal(key_of(i), (200, 6))) for i in (1, 2))
    choose = jax.jit(lambda choice: choice.tokens(logits, noise))
    for temperature, top_k, top_p in ((1, 3, None), (0.5, None, 0.7), (2, 4, 0.5), (0, 2, 0.9)):
        expected = []
        for row, u in zip(logits, noise, strict=True):
            left = list(np.argsort(-row))[:top_k]
            chances = np.exp((row - row.max()) / (temperature or 1))[left]
            together = np.cumsum(chances / chances.sum())
            left = left if top_p is None else left[: int(np.searchsorted(together, top_p)) + 1]
            expected.append(max(left, key=lambda token, row=row, u=u, t=temperature: row[token] + t * u[token]))
        np.testing.assert_array_equal(choose(Choice.of(6, temperature, top_k, top_p)), expected)


def test_a_tie_is_where_rounding_could_choose_another_token():
    """Between the two best; or between the last one that is left and the next, where the noise prefers that."""
    ties = jax.jit(lambda choice, logits, noise: choice.ties(logits, noise, 1e-5))
    logits = jnp.array([[1.0, 1 + 1e-6, 0], [1, 0.9, 0.9 - 1e-6], [1, 0.5, 0], [0, 1, 1 + 1e-6]])
    noise = jnp.zeros((4, 3)).at[1].set(jnp.array([0.0, 0, 5])).at[3].set(jnp.array([0.0, 5, 0]))
    for choice, expected in ((Choice.of(3), [1, 0, 0, 0]), (Choice.of(3, top_k=2), [1, 1, 0, 0])):
        np.testing.assert_array_equal(ties(choice, logits, noise), np.array(expected, bool))
    near = Choice.of(3, top_p=float(jax.nn.softmax(logits[2])[0]) + 1e-7)
    assert ties(near, logits, noise.at[2].set(jnp.array([0.0, 5, 0])))[2]


def test_images_and_texts_are_tokens_and_a_prompt_begins_a_text():
    levels = IMAGE.samples(SAMPLERS["tokens of an image"].system().example(key_of(0)))
    assert float(IMAGE.pictures(levels).max()) == 1
    np.testing.assert_array_equal(IMAGE.tokens(jnp.uint8(levels * 64 + 5)), levels.reshape(-1, IMAGE.size))
    ascii = replace(TEXT, levels=128)
    assert ascii.text(np.frombuffer(b"twelve bytes", np.uint8)) == ["twelve bytes"]
    prompted = ascii.system(sound.weights(ascii), np.zeros((1, 12, 128), np.float32), prompt="To")
    assert ascii.text(prompted.prompt)[0].startswith("To")


def test_names_and_races_know_drafts():
    """No windows of all samples together: tokens lie in no rows."""
    model = replace(TEXT, shape=(1, 40, 1))
    system = model.system(weights(model), model.noise(key_of(1), 2))
    drafted = [solver for solver in candidates(system) if isinstance(solver, GSJacobi) and solver.draft]
    assert {(solver.window, solver.together) for solver in drafted} == {(size, False) for size in (4, 8, 16, 32)}
    solver = solver_by_name("gs_jacobi", system, draft=True)
    assert entry_of(solver, system) == {"solver": "gs_jacobi", "window": 8, "draft": True}


#: Options that cannot be sampled by, and what the error says of them.
MISTAKES = [
    ({"prompt": [0] * 13}, "prompt: 13 tokens are more than the context of 12; give 12 at most"),
    ({"prompt": [1, 5]}, "prompt: 5 is no token of this vocabulary; tokens are 0 … 4"),
    ({"prompt": [0.5]}, "prompt: it holds float64; give tokens"),
    ({"prompt": [[0]] * 2}, "prompt: it has the shape (2, 1); give [length], or [3, length]"),
    ({"prompt": "a"}, "prompt: 'a' has bytes that are none of the 5 tokens"),
    ({"temperature": -1}, "temperature: -1; give 0"),
    ({"temperature": 1e39}, "temperature: 1e+39"),  # more than float32 holds
    ({"top_p": 0}, "top_p: 0; give a probability above 0, at most 1"),
    ({"top_k": 0}, "top_k: 0 of 5 tokens cannot be left; give 1 … 5"),
]


def test_what_cannot_be_sampled_is_one_sentence():
    for options, message in MISTAKES:
        with pytest.raises(FFCError, match=f"^{re.escape(message)}"):
            SAMPLERS["tokens of a text"].system(**options)
    with pytest.raises(FFCError, match="prompt: this transformer draws images"):
        SAMPLERS["tokens of an image"].system(prompt="To")


def test_what_belongs_to_another_vocabulary_is_refused():
    with pytest.raises(FFCError, match="these weights are for a vocabulary of 5 tokens; the model has levels=9"):
        replace(TEXT, levels=9).check(weights(TEXT))
    with pytest.raises(FFCError, match=r"network: it gives logits of the shape \(2, 12, 5\) for 12 tokens"):
        TokenSampling.of(SAMPLERS["tokens of a text"].system().network, gumbel(2, 12, 9))
    with pytest.raises(FFCError, match="the text has the byte 9; levels is 5: give 10 or more"):
        TEXT.check_images(np.full((1, 1, 12, 1), 9, np.uint8))
