"""Tokens from a network of one's own: which tokens its rows may see, and logits that choose none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import FFCError, GSJacobi, Jacobi, Status, solve
from ffc.models import TokenSampling
from ffc.models.tokens import Choice

BATCH, N, VOCABULARY = 2, 20, 5
TABLE = jax.random.normal(jax.random.key(0), (VOCABULARY, VOCABULARY))
NOISE = jax.random.gumbel(jax.random.key(1), (BATCH, N, VOCABULARY))


def next_token(tokens):
    """Logits of token i + 1 in row i, from all tokens up to i, as language models have it."""
    age = jnp.arange(N)[:, None] - jnp.arange(N)
    return jnp.where(age >= 0, 0.7**age, 0) @ TABLE[tokens]


def test_a_network_that_predicts_the_next_token_is_refused_without_bos_and_exact_with_it():
    with pytest.raises(FFCError, match=r"network: .* give bos"):
        TokenSampling.of(next_token, NOISE)
    system = TokenSampling.of(next_token, NOISE, bos=2)
    solution = solve(system, Jacobi(), verify=True)
    assert solution.exact
    for noise, row in zip(NOISE, np.asarray(solution.value), strict=True):
        tokens = [2]
        for i in range(N):
            seen = jnp.asarray(tokens + [0] * (N - len(tokens)))
            tokens.append(int(jnp.argmax(next_token(seen)[i] + noise[i])))
        assert row.tolist() == tokens[1:]


@pytest.mark.parametrize("solver", [Jacobi(), GSJacobi(6)], ids=str)
def test_logits_that_are_not_numbers_choose_no_token(solver):
    system = TokenSampling.of(lambda tokens: next_token(tokens).at[1, 12, 3].set(jnp.nan), NOISE, bos=0)
    solution = solve(system, solver, verify=True)
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE]
    assert solution.certified[1] <= 12
    assert (solution.value >= 0).all()


def test_a_temperature_that_float32_cannot_hold_is_refused():
    with pytest.raises(FFCError, match="temperature"):
        Choice.of(VOCABULARY, 1e39)
