"""MADE's sampling as a triangular system (paper, section 4.3): whole sweeps, and windows of them."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.system import Cache, State, System, indices


class Known(NamedTuple):
    """What the entries before a window contribute to it."""

    entries: jax.Array  # [batch] how many they are: as many for every sample; −1 before the first window
    first: jax.Array  # [batch, hidden] the first layer before its ReLU
    complete: jax.Array  # [batch, hidden] the second layer's units that see no later entry; zero elsewhere
    second: jax.Array  # [batch, hidden] before its ReLU, for the units that the window completes
    mean: jax.Array  # [batch, D], for the entries of the window
    log_scale: jax.Array  # [batch, D], for the entries of the window


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MADESampling(System):
    """x_i = clip(mean_i(x_<i) + exp(log_scale_i(x_<i))·u_i), a system of D scalars.

    The units of a layer are sorted by the last entry that each sees. So the units that a run of entries
    completes are a run, too. A window evaluates only the units that it completes: its work falls with the
    square of its length. The contribution of the entries before the window is computed when it moves.
    """

    u: jax.Array  # [batch, D]
    limit: jax.Array  # scalar
    layers: tuple  # (weight [in, out], bias [out]) three times, masked
    last_seen: tuple[tuple[int, ...], ...] = field(metadata={"static": True})  # by each unit; −1: none
    row_length: int = field(metadata={"static": True})

    lockstep = True

    @property
    def size(self) -> int:
        return self.u.shape[1]

    def initial(self) -> State:
        return jnp.zeros_like(self.u)

    def sweep(self, x: State) -> State:
        mean, log_scale = jnp.split(output(self.layers, x), 2, axis=1)
        return self._sample(mean, log_scale, self.u)

    def select_samples(self, index: jax.Array) -> System:
        return replace(self, u=self.u[index])

    def with_median_noise(self) -> System:
        return replace(self, u=jnp.zeros_like(self.u))

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def init_cache(self, x: State) -> Cache:
        (_, b1), (_, b2), _ = self.layers
        first, nothing = jnp.broadcast_to(b1, (len(x), len(b1))), jnp.zeros((len(x), len(b2)), x.dtype)
        return Known(jnp.full(len(x), -1, jnp.int32), first, nothing, nothing, x, x)

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        if count == 1:
            return self._next(cache, x, start[0])
        begin, inside = start[0], count - 1  # nothing in the window sees its last entry
        at = jnp.clip(cache.entries[0], 0, self.size - count)
        recent = _cut(x, at, count)  # all of x that the loop needs: XLA would copy the whole
        known = jax.lax.while_loop(
            lambda known: known.entries[0] < begin, lambda known: self._advance(known, recent, at, begin), cache
        )
        (w1, _), (w2, _), (w3, _) = self.layers
        one, new1 = self._completed(0, begin, begin + inside, inside)
        two, new2 = self._completed(1, begin, begin + inside, inside)
        n1, n2 = len(new1), len(new2)
        first = _cut(known.first, one, n1) + _cut(x, begin, inside) @ _block(w1, begin, inside, one, n1)
        hidden = jnp.where(new1, jax.nn.relu(first), 0)
        second = _cut(known.second, two, n2) + hidden @ _block(w2, one, n1, two, n2)
        hidden = jnp.where(new2, jax.nn.relu(second), 0)
        mean, log_scale = (
            _cut(part, begin, count) + hidden @ _block(w3, two, n2, begin + side, count)
            for part, side in ((known.mean, 0), (known.log_scale, self.size))
        )
        return self._sample(mean, log_scale, _cut(self.u, begin, count)), known

    def _next(self, known: Known, x: jax.Array, entry: jax.Array) -> tuple[jax.Array, Known]:
        """The next entry alone. The entry before it enters the first layer; the units so completed enter the second."""
        (w1, _), (w2, b2), (w3, b3) = self.layers
        before = jnp.maximum(entry - 1, 0)
        first = known.first + jnp.where(entry > 0, _cut(x, before, 1), 0) * w1[before]
        ends = self._ends(1)
        begin, width = jnp.asarray(ends)[entry], int(np.diff(ends).max())
        # Units behind these are computed too early, but nothing sees them before they are computed again.
        new = jax.nn.relu(first) @ _cut(w2.T, begin, width, axis=0).T + _cut(b2, begin, width)
        complete = _put(known.complete, jax.nn.relu(new), begin)
        mean, log_scale = (complete @ w3.T[at] + b3[at] for at in (entry, entry + self.size))
        values = self._sample(mean[:, None], log_scale[:, None], _cut(self.u, entry, 1))
        return values, known._replace(first=first, complete=complete)

    def _advance(self, known: Known, recent: jax.Array, at: jax.Array, begin: jax.Array) -> Known:
        """Make half a window of entries known, or what is missing to `begin`; `recent` holds those from `at` on."""
        (w1, _), (w2, b2), (w3, b3) = self.layers
        count, before = recent.shape[1], known.entries[0]
        step = (count + 1) // 2
        entries = jnp.minimum(before + step, begin)
        here = jnp.clip(before, at, at + count - step)
        new = (here + indices(step) >= before) & (here + indices(step) < entries)
        first = known.first + jnp.where(new, _cut(recent, here - at, step), 0) @ _cut(w1, here, step, axis=0)
        seen = indices(len(w2)) < jnp.asarray(self._ends(0))[entries + 1]
        hidden = jnp.where(seen, jax.nn.relu(first), 0)

        def second(start, width):
            return hidden @ _cut(w2, start, width) + _cut(b2, start, width)

        two, new = self._completed(1, before, entries, step)
        completed = jnp.where(new, jax.nn.relu(second(two, len(new))), _cut(known.complete, two, len(new)))
        complete = _put(known.complete, completed, two)
        mean, log_scale = (
            _put(part, complete @ _cut(w3, entries + side, count) + _cut(b3, entries + side, count), entries)
            for part, side in ((known.mean, 0), (known.log_scale, self.size))
        )
        two, new = self._completed(1, entries, entries + count - 1, count - 1)
        inside = _put(known.second, second(two, len(new)), two)
        return Known(jnp.full_like(known.entries, entries), first, complete, inside, mean, log_scale)

    def _completed(self, layer: int, begin: jax.Array, end: jax.Array, entries: int) -> tuple[jax.Array, jax.Array]:
        """A run of units with those whose last entry is begin … end − 1 (at most `entries`), and which they are."""
        ends = self._ends(layer)
        width = int(np.max(ends[entries:] - ends[: len(ends) - entries]))
        first, last = (jnp.asarray(ends)[place + 1] for place in (begin, end))
        start = jnp.minimum(first, len(self.last_seen[layer]) - width)
        unit = start + indices(width)
        return start, (unit >= first) & (unit < last)

    def _ends(self, layer: int) -> np.ndarray:
        """At i + 1, the number of units that see no entry from i on; i = −1, 0 … D."""
        return np.searchsorted(self.last_seen[layer], np.arange(-1, self.size + 1)).astype(np.int32)

    def _sample(self, mean: jax.Array, log_scale: jax.Array, u: jax.Array) -> jax.Array:
        return jnp.clip(mean + jnp.exp(log_scale) * u, -self.limit, self.limit)


def output(layers: tuple, x: jax.Array) -> jax.Array:
    """[batch, 2·D] means and log-scales, from prepared layers."""
    (w1, b1), (w2, b2), (w3, b3) = layers
    return jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def _cut(x: jax.Array, start: jax.Array, width: int, axis: int = -1) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(x, start, width, axis)


def _block(weight: jax.Array, row: jax.Array, rows: int, column: jax.Array, columns: int) -> jax.Array:
    return jax.lax.dynamic_slice(weight, (row, column), (rows, columns))


def _put(x: jax.Array, values: jax.Array, start: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(x, values, start, axis=-1)
