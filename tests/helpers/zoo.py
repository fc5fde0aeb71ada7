"""A zoo of small triangular systems, each with its sequential answer, worked out block after block.

Most hold whole numbers modulo 7: their arithmetic is exact in every order of summation, so windows, sweeps and NumPy
must agree in every bit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np

from ffc import System

STATIC = {"static": True}


def variant(base: type, **members) -> type:
    """A class like `base`, but for some members."""
    return jax.tree_util.register_dataclass(dataclass(frozen=True)(type("Variant", (base,), members)))


def modulo(total):
    """Discontinuous, so that nothing converges before it is right."""
    return jnp.abs(jnp.mod(total, 7))  # never −0


def eighths(total):
    return jnp.round(8 * jnp.tanh(total)) / 8


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Weighted(System):
    """`x_i = function(u_i + Σ_{j<i} w_ij x_j)`. A window has the blocks before it from a cache."""

    weights: jax.Array  # [N, N], or of each sample [batch, N, N]; strictly lower triangular
    u: jax.Array  # [batch, N]
    has_windows: bool = field(metadata=STATIC, default=True)
    row_length: int = field(metadata=STATIC, default=1)
    mirrored: bool = field(metadata=STATIC, default=False)
    shared: bool = field(metadata=STATIC, default=False)  # windows are where the first sample's is
    function: Callable = field(metadata=STATIC, default=modulo)
    waits = None  # samples for the slowest: see `waiting`

    @property
    def discrete(self):
        return self.function is not jnp.tanh

    def values(self, total, index):
        return self.function(total)

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self.sweep_outputs(x)[0]

    def sweep_outputs(self, x):
        total = self.u + jnp.sum(self.weights * self.read(x)[:, None, :], axis=2)
        return self.values(total, jnp.arange(self.size)[None]), total

    def select_samples(self, index):
        weights = self.weights if self.weights.ndim == 2 else self.weights[index]
        return replace(self, u=self.u[index], weights=weights)

    def supports_window(self, count, stride):
        return self.has_windows

    def in_step(self):
        return replace(self, shared=True)

    def init_cache(self, x):
        return jnp.full_like(x, -1), self.u

    def window(self, cache, x, start, count, stride):
        values, _, cache = self.window_outputs(cache, x, start, count, stride)
        return values, cache

    def window_outputs(self, cache, x, start, count, stride=1):
        kept, u = cache
        if self.waits == "half a window" or self.shared:
            start = jnp.full_like(start, start[0])
        index = start[:, None] + stride * jnp.arange(count)
        if stride == 1:
            kept = self.keep(kept, x, start[:, None], count)
            x = jnp.where(jnp.arange(self.size) < start[:, None] + count, kept, x)
        weights = jnp.broadcast_to(self.weights, (len(x), self.size, self.size))
        rows = jnp.take_along_axis(weights, index[:, :, None], axis=1)
        total = jnp.take_along_axis(u, index, axis=1) + jnp.sum(rows * self.read(x)[:, None, :], axis=2)
        return self.values(total, index), total, (kept, u)

    def keep(self, kept, x, start, count):
        """The cache with what may have changed since the window before: blocks of it, and those that it was behind."""
        block = jnp.arange(self.size)
        return jnp.where((block >= start - count) & (block < start + count), x, kept)

    def read(self, x):
        return x


def like(system, **members):
    """`system`, but for some members of its class."""
    return variant(type(system), **members)(**vars(system))


def by_rows(system, late=False):
    """`system`, but a window has the rows before its own from what `enter` kept; `late`, a row too few."""

    def before(self, start):
        return jnp.arange(self.size) < start[:, None] // self.row_length * self.row_length

    def enter(self, cache, x, start, count, stride):
        return jnp.where(before(self, start - late), x, -1), self.u

    def keep(self, kept, x, start, count):
        return jnp.where(before(self, start[:, 0]), kept, x)

    return like(system, enter=enter, keep=keep)


def waiting(system, waits):
    """`system`, but samples wait: windows begin where the slowest is, to "half a window", or lie in its "row"."""

    def halves(self, count, prefix, slowest):
        step = -(-count // 2)
        return jnp.full_like(prefix, slowest // step * step)

    def rows(self, count, prefix, slowest):
        last = slowest // self.row_length * self.row_length + self.row_length - 1
        return System.window_start(self, count, jnp.minimum(prefix, last), slowest)

    return like(system, window_start={"half a window": halves, "row": rows}[waits], waits=waits)


def whole_numbers(seed: int, batch: int = 3, size: int = 12, density: float = 0.3, **options) -> Weighted:
    """Random whole numbers; `density` is the share of weights that are not zero."""
    draw = np.random.default_rng(seed)
    weights = draw.integers(-3, 4, (size, size)) * (draw.random((size, size)) < density)
    u = draw.integers(0, 7, (batch, size))
    return Weighted(jnp.asarray(np.tril(weights, -1), jnp.float32), jnp.asarray(u, jnp.float32), **options)


def in_order(system: System) -> np.ndarray:
    """The solution of a `Weighted` system, one block after the other in float64: [batch, N]."""
    weights, u = (np.asarray(array, np.float64) for array in (system.weights, system.u))
    x, plain = np.zeros_like(u), np.tanh if system.function is jnp.tanh else lambda total: np.mod(total, 7)
    for i in range(system.size):
        x[:, i] = plain(u[:, i] + np.sum(weights[..., i, :] * x, axis=1))
    return x.astype(np.float32)


def assert_close(values, expected, share: float = 1e-5) -> None:
    """To a share of the largest entry of each array."""
    for one, other in zip(jax.tree.leaves(values), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=share * np.abs(other).max())


def chain(batch: int = 2, size: int = 12, **options) -> Weighted:
    """Each block needs the one before it, and no guess helps: the worst case of every parallel schedule."""
    return Weighted(jnp.eye(size, k=-1), jnp.ones((batch, size)), **options)


def unconnected(batch: int = 2, size: int = 12, **options) -> Weighted:
    """No block needs another: the best case."""
    return Weighted(jnp.zeros((size, size)), jnp.full((batch, size), 3.0), **options)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fragile(Weighted):
    """Whole numbers whose block `breaks[b]` is `bad[b]` in sample b; and what overflows in one block spoils all."""

    breaks: jax.Array = None  # [batch] int32, negative: none
    bad: jax.Array = None  # [batch] NaN or an infinity

    def select_samples(self, index):
        return replace(super().select_samples(index), breaks=self.breaks[index], bad=self.bad[index])

    def read(self, x):
        return x + 0 * jnp.sum(x * x * x, axis=1, keepdims=True)

    def values(self, total, index):
        return jnp.where(index == self.breaks[:, None], self.bad[:, None], super().values(total, index))


def crowd(**options) -> Fragile:
    """Systems of all kinds in one batch of 24: worst, best, solved by the guess, random ones; the last six break."""
    draw, size = np.random.default_rng(0), 12
    random = [draw.integers(-3, 4, (size, size)) * (draw.random((size, size)) < share) for share in draw.random(21)]
    weights = np.tril([np.eye(size, k=-1), np.zeros((size, size)), np.zeros((size, size)), *random], -1)
    u = draw.integers(0, 7, (24, size)) * (np.arange(24) != 2)[:, None]
    breaks, bad = np.full(24, -1), np.full(24, np.nan)
    breaks[18:], bad[18:] = (0, 5, 7, 11, 3, 8), (np.nan, np.inf, -np.inf) * 2
    weights, u, bad = (jnp.asarray(array, jnp.float32) for array in (weights, u, bad))
    return Fragile(weights, u, breaks=jnp.asarray(breaks, jnp.int32), bad=bad, **options)


def tanh(seed: int, batch: int = 3, size: int = 12) -> Weighted:
    """Smooth, so that iterates settle before they are exact."""
    draw = np.random.default_rng(seed)
    weights, u = np.tril(draw.normal(0, 0.3, (size, size)), -1), draw.normal(size=(batch, size))
    return Weighted(jnp.asarray(weights, jnp.float32), jnp.asarray(u, jnp.float32), False, function=jnp.tanh)


def flawed(system, fault):
    """`system` with a fault of its windows, of what they keep, or of its sweep."""
    base = type(system)

    def window(self, cache, x, start, count, stride):
        start = jnp.minimum(start + (fault == "one block off"), self.size - count)
        values, cache = base.window(self, cache, x, start, count, stride)
        return {"a wrong value": values + 0.125, "half a percent off": 1.005 * values}.get(fault, values), cache

    def keep(self, kept, x, start, count):
        after = base.keep(self, kept, jnp.roll(x, fault == "a shifted cache", axis=1), start, count)
        return jnp.where(kept == -1, after, kept) if fault == "a stale cache" else after

    def sweep(self, x):
        return base.sweep(self, x).at[:, 4].set(jnp.inf) if fault == "an infinite sweep" else base.sweep(self, x)

    return like(system, window=window, keep=keep, sweep=sweep)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Line(System):
    """`x_i = step(u_i, x_{i−1})`, in the dtype of `u`; block −1 is `first`."""

    u: jax.Array  # [batch, N, ...]
    step: Callable = field(metadata=STATIC)
    first: float = field(metadata=STATIC, default=0)

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self.step(self.u, jnp.pad(x, ((0, 0), (1, 0)), constant_values=self.first)[:, :-1])


def add(u, before):
    return u + before


def half_tanh(u, before):
    return jnp.tanh(u + 0.5 * before)


def line(batch: int = 2, size: int = 10) -> Line:
    """The README's example."""
    return Line(jax.random.normal(jax.random.key(0), (batch, size)), half_tanh)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Leaves(System):
    """A state of two arrays: blocks 0 and 1 hold three numbers, 2 and 3 one. Whole numbers of u give whole numbers."""

    u: jax.Array  # [batch]
    size = 4

    def initial(self):
        return {"a": jnp.zeros((len(self.u), 2, 3), self.u.dtype), "b": (jnp.zeros((len(self.u), 2), self.u.dtype),)}

    def sweep(self, x):
        a, (b,), u = x["a"], x["b"], self.u[:, None]
        first = u * jnp.arange(1, 4, dtype=u.dtype)
        third = a[:, 0, 1] * a[:, 1, 2]
        fourth = b[:, 0] * a[:, 0, 0] + a[:, 1, 1]
        return {"a": jnp.stack([first, 2 * a[:, 0] + u * u], axis=1), "b": (jnp.stack([third, fourth], axis=1),)}
