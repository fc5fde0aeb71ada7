"""Linear drafts: how the network's outputs for a pixel change with the pixels to its left.

    outputs'_i = outputs_i + Σ_{k = 1 … K} M_k (x'_{i−k} − x_{i−k}),     x'_i = couple(outputs'_i, noise_i)

Only the network is linearised; noise, argmax, quantile, channel order and rounding act exactly. The matrices M_k are
constants of the weights: the Jacobian of the outputs by pixels of the same row, averaged over rows of an image.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from ffc.core.compiled import standard_modes
from ffc.core.drafts import Draft, Evaluated
from ffc.core.errors import FFCError
from ffc.core.mesh import varying
from ffc.core.system import State, System, indices
from ffc.models.pixelcnnpp.coupling import Coupling, Gumbel
from ffc.models.pixelcnnpp.mixture import EIGHT_BIT

if TYPE_CHECKING:
    from ffc.models.pixelcnnpp.system import PixelSampling

#: Pixels to the left that a draft looks at, and rows that its matrices are averaged over.
NEIGHBOURS, ROWS = 4, 6
_LEVEL = 1 / 127.5
#: Columns that a draft's loop takes at a time.
_RUN = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class LinearOutputs(Draft):
    """The draft of `PixelSampling` for windows in a row or of whole rows: rows go on side by side."""

    left: jax.Array  # [K, channels, outputs]: M_k, transposed
    kernel: bool = field(metadata={"static": True}, default=False)  # as one kernel of a GPU, where there is one for it

    def __repr__(self) -> str:
        return f"{type(self).__name__}(neighbours={len(self.left)})"

    def redraft(self, system: System, evaluated: Evaluated) -> State:
        if not isinstance(evaluated.outputs, tuple) or len(evaluated.outputs) != 2:
            raise FFCError(f"draft: {type(self).__name__} is one for PixelCNN++, not for {type(system).__name__}")
        count = evaluated.after.shape[1]
        columns = min(count, system.row_length)
        rows = jax.tree.map(
            lambda leaf: leaf.reshape(-1, columns, *leaf.shape[2:]),
            _Rows(indices(count) <= evaluated.first[:, None], evaluated.before, evaluated.after, *evaluated.outputs),
        )
        if self.kernel and _has_kernel(rows.noise):
            drafted = self._by_kernel(rows)
        else:
            # Columns that every sample has settled did not change, but for the last of them.
            first = jnp.clip(jnp.min(evaluated.first), 0, columns - 1) if count == columns else 0
            drafted = self._by_loop(rows, first)
        return drafted.reshape(evaluated.after.shape)

    def _by_loop(self, rows: "_Rows", first: jax.Array | int) -> jax.Array:
        """Return the draft from column `first` on, a few columns in a turn."""

        def step(changes: jax.Array, pixel: _Rows) -> tuple[jax.Array, jax.Array]:
            """Draft the next pixel of each row; `changes` [rows, K, channels] of those to its left, nearest first."""
            moved = jnp.einsum("nkc,kco->no", changes, self.left)
            drafted = jnp.where(pixel.settled[:, None], pixel.y, pixel.noise.likely(pixel.outputs + moved))
            return jnp.concatenate([(drafted - pixel.x)[:, None], changes[:, :-1]], axis=1), drafted

        def some_columns(i, carry):
            changes, drafted = carry
            some = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, i * run, run), by_column)
            changes, values = jax.lax.scan(step, changes, some, unroll=True)
            return changes, jax.lax.dynamic_update_slice_in_dim(drafted, values, i * run, axis=0)

        count, columns, channels = rows.y.shape
        by_column = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, 0), rows)
        run = math.gcd(columns, _RUN)
        none = jnp.zeros((count, len(self.left), channels), rows.y.dtype)
        begun = varying((none, by_column.y), by_column)
        _, drafted = jax.lax.fori_loop(first // run, columns // run, some_columns, begun)
        return jnp.moveaxis(drafted, 0, 1)

    def _by_kernel(self, rows: "_Rows") -> jax.Array:
        """Return the draft in one launch."""
        from ffc.models.pixelcnnpp.draft_kernel import drafted_rows  # which takes a moment to import

        return drafted_rows(self.left, rows.outputs, rows.noise.gumbel, rows.noise.logistic, *rows[:3])


class _Rows(NamedTuple):
    """Hold rows of pixels, leaves [rows, columns, ...]."""

    settled: jax.Array  # bool: not to be drafted
    x: jax.Array  # before the evaluation, with channels
    y: jax.Array  # after it
    outputs: jax.Array  # of the network
    noise: Any  # a `Coupling`


def _has_kernel(coupling: Coupling) -> bool:
    return isinstance(coupling, Gumbel) and coupling.steps == EIGHT_BIT and coupling.gumbel.dtype == jnp.float32


@standard_modes()
@partial(jax.jit, static_argnames="neighbours")
def constants(system: "PixelSampling", image: jax.Array, rows: jax.Array, neighbours: int) -> LinearOutputs:
    """Return the draft of the network of `system`, averaged over `rows` of an `image` [1, height, width, channels].

    Every 2·`neighbours`-th pixel of a row is moved by a level at once, channel by channel: what is farther away is
    hardly felt, so that each of the outputs tells of one of them.
    """
    features, (width, channels), apart = system.features(image), image.shape[2:], 2 * neighbours
    columns = indices(width)

    def change(case):
        """[columns, outputs]: how the outputs of a row change with a channel of the pixels moved."""
        row, channel, phase = case
        moved = jnp.where(columns % apart == phase, _LEVEL, 0)[:, None] * (indices(channels) == channel)
        there, here = (system.row_outputs(features, image.at[:, row].add(by), row)[0] for by in (moved, 0 * moved))
        return (there - here) / _LEVEL

    cases = jnp.stack(jnp.meshgrid(rows, indices(channels), indices(apart), indexing="ij"), axis=-1)
    changes = jax.lax.map(change, cases.reshape(-1, 3)).reshape(*cases.shape[:-1], width, -1).mean(axis=0)
    left = [changes[:, (columns[k:] - k) % apart, columns[k:]].mean(axis=1) for k in range(1, neighbours + 1)]
    return LinearOutputs(jnp.stack(left), kernel=jax.default_backend() == "gpu")
