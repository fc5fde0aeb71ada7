"""MADE's sampling as a triangular system (paper, section 4.3): whole sweeps, and windows of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.system import Cache, State, System, indices

#: Parts of all entries for which the move of a window is compiled: it leaves out what is zero or complete there.
PARTS = 4


class Sums(NamedTuple):
    """What the entries before a window contribute to it."""

    entries: jax.Array  # [batch] how many they are: as many for every sample; −1 before the first window
    first: jax.Array  # [batch, hidden] the first layer before its ReLU
    second: jax.Array  # [batch, hidden] the second layer before its ReLU
    complete: jax.Array  # [batch, hidden] its units that see no later entry, after their ReLU; zero elsewhere
    mean: jax.Array  # [batch, D]; the entries of the window come first, and nothing else counts
    log_scale: jax.Array  # [batch, D], likewise


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MADESampling(System):
    """x_i = clip(mean_i(x_<i) + exp(log_scale_i(x_<i))·u_i), a system of D scalars.

    The units of a layer are sorted by the last entry that each sees. So the units that a run of entries
    completes are a run, too. A window evaluates only the units that it completes: its work falls with the
    square of its length. The contribution of the entries before the window is kept, and grows when it moves.
    """

    u: jax.Array  # [batch, D]
    limit: jax.Array  # scalar
    layers: tuple  # (weight [in, out], bias [out]) three times, masked
    last_seen: tuple[tuple[int, ...], ...] = field(metadata={"static": True})  # by each unit; −1: none
    row_length: int = field(metadata={"static": True})

    @property
    def size(self) -> int:
        return self.u.shape[1]

    def initial(self) -> State:
        return jnp.zeros_like(self.u)

    def sweep(self, x: State) -> State:
        mean, log_scale = jnp.split(output(self.layers, x), 2, axis=1)
        return self._sample(mean, log_scale, self.u)

    def with_median_noise(self) -> System:
        return replace(self, u=jnp.zeros_like(self.u))

    def supports_window(self, count: int, stride: int) -> bool:
        return stride == 1 and count < self.size

    def window_start(self, count: int, prefix: jax.Array, slowest: jax.Array) -> jax.Array:
        """Return where the slowest sample is, rounded down to half a window: what `_advance` makes known at once."""
        step = (count + 1) // 2
        return jnp.full_like(prefix, slowest // step * step)

    def init_cache(self, x: State) -> Cache:
        first, second, outputs = (jnp.broadcast_to(bias, (len(x), len(bias))) for _, bias in self.layers)
        mean, log_scale = jnp.split(outputs, 2, axis=1)
        return Sums(jnp.full(len(x), -1, jnp.int32), first, second, jnp.zeros_like(second), mean, log_scale)

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        if count == 1:
            return self._next(cache, x, start[0])
        begin = start[0]
        at = jnp.clip(cache.entries[0], 0, self.size - count)
        recent = _cut(x, at, count)  # all of x that the loop needs: XLA would copy the whole
        sums = jax.lax.while_loop(
            lambda sums: sums.entries[0] < begin, lambda sums: self._advance(sums, recent, at, begin), cache
        )
        (w1, _), (w2, _), _ = self.layers
        inside = count - 1  # nothing in the window sees its last entry
        one, new1 = self._completed(0, begin, begin + inside, inside)
        two, new2 = self._completed(1, begin, begin + inside, inside)
        n1, n2 = len(new1), len(new2)
        first = _cut(sums.first, one, n1) + _cut(x, begin, count) @ _block(w1, begin, count, one, n1)
        hidden = jnp.where(new1, jax.nn.relu(first), 0)
        second = _cut(sums.second, two, n2) + hidden @ _block(w2, one, n1, two, n2)
        hidden = jnp.where(new2, jax.nn.relu(second), 0)
        added = self._outputs(hidden, two, begin, count)
        mean, log_scale = (part[:, :count] + new for part, new in zip(sums[-2:], added, strict=True))
        return self._sample(mean, log_scale, _cut(self.u, begin, count)), sums

    def _next(self, sums: Sums, x: jax.Array, entry: jax.Array) -> tuple[jax.Array, Sums]:
        """Return the next entry alone. The one before enters the first layer; units so completed enter the second."""
        (w1, _), (w2, b2), (w3, b3) = self.layers
        before = jnp.maximum(entry - 1, 0)
        first = sums.first + jnp.where(entry > 0, _cut(x, before, 1), 0) * w1[before]
        ends = self._ends(1)
        begin, width = jnp.asarray(ends)[entry], int(np.diff(ends).max())
        # Units behind these are computed too early, but nothing sees them before they are computed again.
        new = jax.nn.relu(first) @ _cut(w2.T, begin, width, axis=0).T + _cut(b2, begin, width)
        complete = _put(sums.complete, jax.nn.relu(new), begin)
        mean, log_scale = (complete @ w3.T[at] + b3[at] for at in (entry, entry + self.size))
        values = self._sample(mean[:, None], log_scale[:, None], _cut(self.u, entry, 1))
        return values, sums._replace(first=first, complete=complete)

    def _advance(self, sums: Sums, recent: jax.Array, at: jax.Array, begin: jax.Array) -> Sums:
        """Make half a window of entries known, or what is missing to `begin`; `recent` holds those from `at` on."""
        count, before = recent.shape[1], sums.entries[0]
        step = (count + 1) // 2
        entries = jnp.minimum(before + step, begin)
        here = jnp.clip(before, at, at + count - step)
        new = (here + indices(step) >= before) & (here + indices(step) < entries)
        values = jnp.where(new, _cut(recent, here - at, step), 0)
        first = self._add(sums.first, 0, values, here, before)
        one, new = self._completed(0, before, entries, step)
        values = jnp.where(new, jax.nn.relu(_cut(first, one, len(new))), 0)
        second = self._add(sums.second, 1, values, one, before)
        two, new = self._completed(1, before, entries, step)
        values = jnp.where(new, jax.nn.relu(_cut(second, two, len(new))), 0)
        complete = _put(sums.complete, jnp.where(new, values, _cut(sums.complete, two, len(new))), two)
        # What both windows hold changes by the new units alone; what this one reaches first comes from all.
        both, fresh, moved = count - step, entries + count - step, entries - jnp.maximum(before, 0)
        added, reached = self._outputs(values, two, entries, both), self._reached(complete, fresh, step, before)
        mean, log_scale = (
            _put(_put(part, _cut(part, moved, both) + change, 0), whole, both)
            for part, change, whole in zip(sums[-2:], added, reached, strict=True)
        )
        return Sums(jnp.full_like(sums.entries, entries), first, second, complete, mean, log_scale)

    def _add(self, sums: jax.Array, layer: int, values: jax.Array, unit: jax.Array, entries: jax.Array) -> jax.Array:
        """Return `sums` [batch, hidden] of a layer, with what units from `unit` on, of these `values`, add to it."""
        weight = self.layers[layer][0]

        def case(part: int) -> jax.Array:
            done = int(self._ends(layer)[self._first_of(part) + 1]) if part else 0
            block = _block(weight[:, done:], unit, values.shape[1], 0, weight.shape[1] - done)
            return _put(sums, sums[:, done:] + values @ block, done)

        return self._by_part(entries, case)

    def _reached(self, complete: jax.Array, entry: jax.Array, count: int, entries: jax.Array) -> list[jax.Array]:
        """Means and log-scales [batch, count] from `entry` on, by what is complete now: `count` after `entries`."""
        bias = self.layers[2][1]

        def case(part: int) -> list[jax.Array]:
            units = self._ends(1)[min(self._first_of(part + 1) + count, self.size)]
            return self._outputs(complete[:, :units], 0, entry, count)

        sums = self._by_part(entries, case)
        return [part + _cut(bias, entry + side, count) for part, side in zip(sums, (0, self.size), strict=True)]

    def _by_part(self, entry: jax.Array, case: Callable[[int], Any]) -> Any:
        """`case(part)` for the part that `entry` lies in; −1 lies in the first."""
        part = jnp.clip(entry * PARTS // self.size, 0, PARTS - 1)
        return jax.lax.switch(part, [partial(case, part) for part in range(PARTS)])

    def _first_of(self, part: int) -> int:
        return -(-part * self.size // PARTS)

    def _outputs(self, hidden: jax.Array, unit: jax.Array | int, entry: jax.Array, count: int) -> list[jax.Array]:
        """Return what second-layer units from `unit` on add to means and log-scales [batch, count] from `entry` on."""
        weight, units = self.layers[2][0], hidden.shape[1]
        return [hidden @ _block(weight, unit, units, entry + side, count) for side in (0, self.size)]

    def _completed(self, layer: int, begin: jax.Array, end: jax.Array, entries: int) -> tuple[jax.Array, jax.Array]:
        """Return a run of units, and which of it have their last entry in begin … end − 1 (at most `entries`)."""
        ends = self._ends(layer)
        width = int(np.max(ends[entries:] - ends[: len(ends) - entries]))
        width = min(-(-width // 16) * 16, len(self.last_seen[layer]))  # whole vectors
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


def _block(weight: jax.Array, row: jax.Array | int, rows: int, column: jax.Array | int, columns: int) -> jax.Array:
    at = [jnp.asarray(place, jnp.int32) for place in (row, column)]  # a plain 0 is of 64 bits where those are enabled
    return jax.lax.dynamic_slice(weight, at, (rows, columns))


def _put(x: jax.Array, values: jax.Array, start: jax.Array | int) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(x, values, start, axis=-1)
