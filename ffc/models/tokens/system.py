"""Sampling tokens from a network as a triangular system: a block is a token, a function of the tokens before it.

The network is any function of tokens [batch, N] int32 that gives logits [batch, N, vocabulary], of which row i depends
on the tokens before i alone; or, with `bos`, on the tokens up to i, as in a language model that predicts the next one.
Weights that are to have derivatives are leaves of it: `jax.tree_util.Partial(f, weights)` of a plain function will do.
A network with a cache has two methods more:

    init_cache(batch, size) → cache                            for sequences of `size` tokens, leaves [batch, ...]
    extend(cache, before, start) → (logits, cache)             rows start … start + w − 1, at the cost of w tokens

`before` [batch, w] holds the token before each of these rows (−1 before row 0), and `start` [batch] each sample's own
first row. Rows before it were extended by tokens that stand; of later ones the cache may hold what is out of date.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.system import Cache, State, System, indices, missing, take_blocks
from ffc.models.tokens.choice import Choice
from ffc.models.tokens.drafts import Cheap, KeptOrGuessed, chain

#: Rounding errors of another order of summation, in logits.
TIE = 1e-4


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class TokenSampling(System):
    """State [batch, N] int32: tokens 0 … vocabulary − 1. Make it by `of`, which checks what it is given."""

    network: Any
    noise: jax.Array  # [batch, N, vocabulary]
    choice: Choice
    prompt: jax.Array  # [batch, N] int32: tokens of the prompt; −1 where the network chooses
    cheap: Cheap | None  # a cheap model: first guesses and drafts
    bos: int | None = field(metadata={"static": True}, default=None)  # the network sees it, and x[:-1]; None: x

    @classmethod
    def of(
        cls,
        network: Any,
        noise: ArrayLike,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prompt: ArrayLike | None = None,
        cheap: Cheap | None = None,
        bos: int | None = None,
        check: bool = True,
    ) -> "TokenSampling":
        """Return sampling from `network` by standard Gumbel `noise` [batch, N, vocabulary], which decides every token.

        `temperature`, `top_k` and `top_p` as `Choice` says. `prompt`: the first tokens, [length] or [batch, length].
        `cheap`: a model that guesses tokens faster than the network (`ffc.models.tokens.drafts`). `bos`: the token that
        sequences begin with, of a network whose row i sees the tokens up to i; such a row is the next token's.
        `check`: evaluate the network twice to see that its rows see no token of their own, or behind it.
        Raises `FFCError` where a number, the prompt or the network does not fit.
        """
        noise = jnp.asarray(noise)
        if noise.ndim != 3 or not noise.shape[2]:
            raise FFCError(f"noise: it has the shape {noise.shape}; give Gumbel noise [batch, N, vocabulary]")
        choice = Choice.of(noise.shape[2], temperature, top_k, top_p)
        if jax.tree_util.all_leaves([network]) and callable(network):
            network = jax.tree_util.Partial(network)
        if bos is not None:
            bos = int(checked_tokens("bos", bos, noise.shape[2]))
        network, cheap = jax.tree.map(jnp.asarray, (network, cheap))
        system = cls(network, noise, choice, _prompt_of(prompt, noise.shape), cheap, bos)
        actual = jax.eval_shape(lambda system: system.logits(system.initial()), system).shape
        if actual != noise.shape:
            raise FFCError(
                f"network: it gives logits of the shape {actual} for {noise.shape[1]} tokens; the noise is for "
                f"{noise.shape}: let the vocabularies and lengths agree"
            )
        if check and not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(system)):
            _check_causal(system)
        return system

    @property
    def size(self) -> int:
        return self.noise.shape[1]

    def logits(self, x: State) -> jax.Array:
        """Return the network's [batch, N, vocabulary], row i from the tokens of `x` before i."""
        return self.network(x if self.bos is None else tokens_before(x, self.bos))

    def initial(self) -> State:
        """Return the prompt, and what the cheap model goes on with; zeros without one."""
        free = jnp.maximum(self.prompt, 0)
        return free if self.cheap is None else chain(self.cheap, self.choice, self.noise, self.prompt)

    def example(self, key: jax.Array) -> State:
        """Any tokens of the vocabulary, each as likely."""
        return jax.random.randint(key, self.prompt.shape, 0, self.noise.shape[2], jnp.int32)

    def sweep(self, x: State) -> State:
        return self.sweep_outputs(x)[0]

    def sweep_outputs(self, x: State) -> tuple[State, jax.Array]:
        """Return the tokens and, as outputs, the logits."""
        logits = self.logits(x)
        return _chosen(self.choice, logits, self.noise, self.prompt), logits

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size and hasattr(self.network, "extend")

    def init_cache(self, x: State) -> Cache:
        return self.network.init_cache(*x.shape)

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        values, _, cache = self.window_outputs(cache, x, start, count)
        return values, cache

    def window_outputs(
        self, cache: Cache, x: State, start: jax.Array, count: int
    ) -> tuple[jax.Array, jax.Array, Cache]:
        """Return the tokens and, as outputs, the logits."""
        before = take_blocks(tokens_before(x, -1 if self.bos is None else self.bos), start, count)
        logits, cache = self.network.extend(cache, before, start)
        noise, prompt = (take_blocks(array, start, count) for array in (self.noise, self.prompt))
        return _chosen(self.choice, logits, noise, prompt), logits, cache

    def draft(self) -> KeptOrGuessed | None:
        """By the cheap model; None where there is none."""
        return None if self.cheap is None else KeptOrGuessed(self.cheap)

    def with_median_noise(self) -> System:
        """As much noise for every token: the likeliest is chosen."""
        return replace(self, noise=jnp.zeros_like(self.noise))

    def ties(self, x: State, tolerance: float = TIE) -> jax.Array:
        return self.choice.ties(self.logits(x), self.noise, tolerance) & (self.prompt < 0)


def tokens_before(x: jax.Array, first: int = -1) -> jax.Array:
    """Return the token before each of `x` [batch, N]; `first` before the first."""
    return jnp.pad(x[:, :-1], ((0, 0), (1, 0)), constant_values=first)


def checked_tokens(name: str, tokens: ArrayLike, vocabulary: int) -> np.ndarray:
    """`tokens` as int32, or `FFCError`, which calls them `name`, where they are none of the vocabulary's."""
    numbers = np.asarray(tokens)
    if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
        raise FFCError(f"{name}: it holds {numbers.dtype}; give tokens, whole numbers 0 … {vocabulary - 1}")
    if (outside := (numbers < 0) | (numbers >= vocabulary)).any():
        raise FFCError(f"{name}: {numbers[outside][0]} is no token of this vocabulary; tokens are 0 … {vocabulary - 1}")
    return numbers.astype(np.int32)


def _prompt_of(prompt: ArrayLike | None, shape: Sequence[int]) -> jax.Array:
    """[batch, N] int32: the prompt, and −1 behind it."""
    batch, size, vocabulary = shape
    tokens = checked_tokens("prompt", np.zeros(0, np.int32) if prompt is None else prompt, vocabulary)
    if tokens.ndim not in (1, 2) or (tokens.ndim == 2 and len(tokens) != batch):
        raise FFCError(f"prompt: it has the shape {tokens.shape}; give [length], or [{batch}, length] for this batch")
    if tokens.shape[-1] > size:
        raise FFCError(f"prompt: {tokens.shape[-1]} tokens are more than the context of {size}; give {size} at most")
    free = jnp.full((batch, size - tokens.shape[-1]), -1, jnp.int32)
    return jnp.concatenate([jnp.broadcast_to(tokens, (batch, tokens.shape[-1])), free], axis=1)


def _chosen(choice: Choice, logits: jax.Array, noise: jax.Array, prompt: jax.Array) -> jax.Array:
    """[...] the tokens; `missing` where no logit can be the best."""
    best = jnp.max(logits, axis=-1)  # NaN where one of them is
    tokens = jnp.where(jnp.isfinite(best), choice.tokens(logits, noise), missing(jnp.int32))
    return jnp.where(prompt >= 0, prompt, tokens)


def _check_causal(system: TokenSampling) -> None:
    """`FFCError` where a row of the logits changes with the tokens of its own place and behind it."""
    x, middle = system.example(key_of(0)), system.size // 2
    other = jnp.where(indices(system.size) < middle, x, (x + 1) % system.noise.shape[2])
    logits = jax.jit(lambda system, x: system.logits(x))
    rows, others = (np.asarray(logits(system, tokens)[:, : middle + 1]) for tokens in (x, other))
    if not np.allclose(rows, others, rtol=1e-2, atol=TIE, equal_nan=True):  # it sees, or is rounded otherwise
        raise FFCError(
            f"network: the logits up to row {middle} change with the tokens from {middle} on; let row i see the tokens "
            "before i alone. Of a language model, whose row i predicts token i + 1, give bos: the token that its "
            "sequences begin with"
        )
