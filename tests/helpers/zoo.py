"""A zoo of tiny triangular systems whose solutions plain Python works out, block after block.

Most hold small whole numbers as float32: their arithmetic is exact in every order of summation, so windows,
sweeps and Python must agree in every bit.
"""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.system import System


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WholeNumbers(System):
    """`x_i = (u_i + Σ_{j<i} w_ij x_j) mod 7`: discontinuous, so nothing converges before it is right."""

    weights: jnp.ndarray  # [N, N] strictly lower triangular whole numbers
    u: jnp.ndarray  # [batch, N] whole numbers
    has_windows: bool = field(metadata={"static": True}, default=True)
    row_length: int = field(metadata={"static": True}, default=1)

    discrete = True

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return jnp.mod(self.u + jnp.einsum("ij,bj->bi", self.weights, x), 7)

    def select_samples(self, index):
        return replace(self, u=self.u[index])

    def supports_window(self, count, stride):
        return self.has_windows

    def init_cache(self, x):
        return jnp.zeros(len(x), jnp.int32)  # how often each sample was asked for

    def window(self, cache, x, start, count, stride):
        index = start[:, None] + stride * jnp.arange(count)
        u = jnp.take_along_axis(self.u, index, axis=1)
        return jnp.mod(u + jnp.einsum("bij,bj->bi", self.weights[index], x), 7), cache + 1


def whole_numbers(seed: int, batch: int = 3, size: int = 12, density: float = 0.3, **options) -> WholeNumbers:
    """A random `WholeNumbers`; `density` is the share of weights that are not zero."""
    draw = np.random.default_rng(seed)
    weights = draw.integers(-3, 4, (size, size)) * (draw.random((size, size)) < density)
    u = draw.integers(0, 7, (batch, size))
    return WholeNumbers(jnp.asarray(np.tril(weights, -1), jnp.float32), jnp.asarray(u, jnp.float32), **options)


def in_order(system: WholeNumbers) -> np.ndarray:
    """The solution of `WholeNumbers` in Python's integers, one block after the other: [batch, N]."""
    weights, u = np.asarray(system.weights).astype(int).tolist(), np.asarray(system.u).astype(int).tolist()
    samples = []
    for row in u:
        x: list[int] = []
        for i, noise in enumerate(row):
            x.append((noise + sum(weights[i][j] * x[j] for j in range(i))) % 7)
        samples.append(x)
    return np.array(samples, np.float32)


def chain(batch: int = 2, size: int = 12, **options) -> WholeNumbers:
    """Each block needs the one before it, and no guess helps: the worst case of every parallel schedule."""
    return WholeNumbers(jnp.eye(size, k=-1), jnp.ones((batch, size)), **options)


def unconnected(batch: int = 2, size: int = 12, **options) -> WholeNumbers:
    """No block needs another: the best case."""
    return WholeNumbers(jnp.zeros((size, size)), jnp.full((batch, size), 3.0), **options)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lockstep(WholeNumbers):
    """`WholeNumbers` whose windows are those of the first sample, whatever the others ask for."""

    lockstep = True

    def window(self, cache, x, start, count, stride):
        return super().window(cache, x, jnp.full_like(start, start[0]), count, stride)


def lockstep(seed: int, **options) -> Lockstep:
    system = whole_numbers(seed, **options)
    return Lockstep(system.weights, system.u)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tanh(System):
    """`x_i = tanh(u_i + Σ_{j<i} w_ij x_j)`: smooth, so that iterates settle before they are exact."""

    weights: jnp.ndarray
    u: jnp.ndarray

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return jnp.tanh(self.u + jnp.sum(self.weights * x[:, None, :], axis=2))


def tanh(seed: int, batch: int = 3, size: int = 12) -> Tanh:
    draw = np.random.default_rng(seed)
    weights = np.tril(draw.normal(0, 0.3, (size, size)), -1)
    return Tanh(jnp.asarray(weights, jnp.float32), jnp.asarray(draw.normal(size=(batch, size)), jnp.float32))


def tanh_in_order(system: Tanh) -> np.ndarray:
    """The solution of `Tanh` in double precision: [batch, N]."""
    weights, u = np.asarray(system.weights, np.float64), np.asarray(system.u, np.float64)
    x = np.zeros_like(u)
    for i in range(u.shape[1]):
        x[:, i] = np.tanh(u[:, i] + x @ weights[i])
    return x


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TwoLeaves(System):
    """A state of two arrays with blocks of different shape: blocks 0, 1 hold three numbers, 2 … 4 hold one."""

    u: jnp.ndarray  # [batch]

    size = 5

    def initial(self):
        return {"a": jnp.zeros((len(self.u), 2, 3)), "b": jnp.zeros((len(self.u), 3))}

    def sweep(self, x):
        a, b = x["a"], x["b"]
        first = self.u[:, None] + jnp.arange(3.0)
        total = a[:, 1].sum(axis=1)
        return {
            "a": jnp.stack([first, a[:, 0] * 2 + 1], axis=1),
            "b": jnp.stack([total, total - b[:, 0] + a[:, 0, 2], b[:, 1] - b[:, 0]], axis=1),
        }


def two_leaves_in_order(u: float) -> dict[str, np.ndarray]:
    """The solution of `TwoLeaves` for one sample."""
    first = [u, u + 1, u + 2]
    second = [2 * value + 1 for value in first]
    b0 = sum(second)
    b1 = sum(second) - b0 + first[2]
    return {"a": np.array([first, second], np.float32), "b": np.array([b0, b1, b1 - b0], np.float32)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Breaking(WholeNumbers):
    """`WholeNumbers` whose block `breaks[b]` is not a number in sample b (none where it is negative)."""

    breaks: jnp.ndarray = None  # [batch] int32

    def select_samples(self, index):
        return replace(super().select_samples(index), breaks=self.breaks[index])

    def sweep(self, x):
        return jnp.where(jnp.arange(self.size) == self.breaks[:, None], jnp.nan, super().sweep(x))

    def window(self, cache, x, start, count, stride):
        values, cache = super().window(cache, x, start, count, stride)
        index = start[:, None] + stride * jnp.arange(count)
        return jnp.where(index == self.breaks[:, None], jnp.nan, values), cache
