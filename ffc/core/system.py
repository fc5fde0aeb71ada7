"""What a triangular system is: N blocks, each a function of the blocks before it.

    s_i = f_i(s_0 ... s_{i-1}),   i = 0 ... N-1                                   (paper, eq. 1)

A *state* is a pytree whose leaves have the shape [batch, blocks, ...]. The blocks of a state are those
of its first leaf, then those of the second, and so on: most systems use a single array, DenseNet one
leaf for each resolution.
"""

import itertools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from ffc.core.drafts import Draft
    from ffc.core.linear import Linear

State = Any
Cache = Any


class System:
    """A lower-triangular system of `size` blocks, for a batch of independent samples.

    A subclass is a frozen dataclass registered as a pytree (`jax.tree_util.register_dataclass`): its arrays are
    the prepared weights and the noise, so that one compilation serves every draw. It must give `initial` and
    `sweep`; `supports_window`, `init_cache` and `window` are worth writing where part of a sweep costs less than all
    (`enter`, too, where blocks of a row share some of it), and `example` where blocks take certain values alone.
    `ffc.check` tries all of them.
    """

    if TYPE_CHECKING:  # a field or a property, as the subclass likes

        @property
        def size(self) -> int: ...

        @property
        def row_length(self) -> int: ...

    else:
        #: Number of blocks N.
        size: int
        #: Blocks in a row (of an image, say). Windows of whole rows begin with one; shorter ones lie inside one.
        row_length: int = 1
    #: Whether `Solution.outputs` has what the last sweep found (`sweep_outputs`); for systems without windows.
    returns_outputs: bool = False
    #: Whether each row has the order of the one before reversed: `RowAbove` then begins with that.
    mirrored: bool = False

    def initial(self) -> State:
        """Return the first guess of the fixed-point iteration, with the shape and dtype of every iterate."""
        raise NotImplementedError(f"{type(self).__name__} has no initial()")

    def sweep(self, x: State) -> State:
        """One Jacobi update, all blocks at once: `x'[i] = f_i(x[<i])`. No bit of block i may depend on `x[>=i]`."""
        raise NotImplementedError(f"{type(self).__name__} has no sweep()")

    @property
    def discrete(self) -> bool:
        """Return whether values are rounded or whole numbers: by their dtype, where a system says nothing else; static.

        Such values have no derivative, and a verification goes on until a sweep changes none (`ffc.core.verify`).
        """
        return any(
            not jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(jax.eval_shape(self.initial))
        )

    def example(self, key: jax.Array) -> State:
        """Return a random state whose blocks have values that they may take: what `ffc.check` tries a system on.

        As it is, `initial()` with all numbers moved by about their own size, or by about one, and truth values at
        random. Where a block takes certain values alone (the tokens of a vocabulary, say), draw among them here. As
        many blocks as can should differ between two keys.
        """
        return _moved(key, self.initial())

    def supports_window(self, count: int, stride: int) -> bool:
        """Whether `window` can evaluate `count` blocks, `stride` apart, for less than a whole sweep."""
        return False

    def init_cache(self, x: State) -> Cache:
        """Return what `window` keeps between calls (activations, say), for the first guess `x`; leaves [batch, ...]."""
        return ()

    def window_start(self, count: int, prefix: jax.Array, slowest: jax.Array) -> jax.Array:
        """Return [batch] int32, where windows of `count` blocks begin: at each sample's `prefix`, or before it.

        As it is, windows of whole rows begin with one, and shorter ones lie inside one. `slowest` is the least prefix
        of a sample that still runs: where windows share something, samples may wait for it. The solver moves a window
        that would end behind the last block.
        """
        row = self.row_length
        if count % row == 0:
            return prefix // row * row
        return jnp.minimum(prefix, prefix // row * row + row - count) if count < row else prefix

    def enter(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> Cache:
        """Return the cache for windows of rows other than before, with what their blocks have in common.

        Called before the first `window` in a row, of any sample, and before the `stride` windows of an iteration; and
        once more inside a row where a loop goes on after a stop.
        """
        return cache

    def window(self, cache: Cache, x: State, start: jax.Array, count: int, stride: int) -> tuple[jax.Array, Cache]:
        """Blocks `start + stride·[0 … count)` of `sweep(x)`: values [batch, count, ...] and the next cache.

        Only for systems whose state is one array. `start` [batch] int32 is each sample's own; `count` and
        `stride` are static and such that `supports_window(count, stride)` holds. With stride 1, the blocks before
        `start` are solved and were inside an earlier window; all others may have changed since. Where `count` is 1,
        samples that still run begin at the same block. With a larger stride, `start` runs through 0 … stride−1 in
        turn, the same for every sample, and `x` holds this iteration's newer values. A run of `stride` blocks must
        see those of its own; of the other runs it may see those with which the iteration began.
        """
        raise NotImplementedError(f"{type(self).__name__} has no window()")

    def sweep_outputs(self, x: State) -> tuple[State, Any]:
        """`sweep(x)`, and what a draft may ask for: what was found on the way, leaves [batch, N, ...]."""
        return self.sweep(x), ()

    def window_outputs(self, cache: Cache, x: State, start: jax.Array, count: int) -> tuple[jax.Array, Any, Cache]:
        """`window` with stride 1, and between its values and its cache the outputs, leaves [batch, count, ...]."""
        values, cache = self.window(cache, x, start, count, 1)
        return values, (), cache

    def in_step(self) -> "System":
        """Return the same system for windows that begin at one block for all samples, where that costs less."""
        return self

    def linear(self, x: State) -> "Linear | None":
        """Return the linear systems of derivatives at the solution `x`, where they have a form of their own."""
        return None

    def draft(self) -> "Draft | None":
        """Return what a solver may draft this system by (`ffc.core.drafts`), for its weights; None: nothing."""
        return None

    def ties(self, x: State) -> jax.Array:
        """[batch, N] bool: rounding errors could give block i of the solution `x` quite another value.

        None, unless the system has jumps (rounding, an argmax). Evaluation orders agree up to the first tie.
        """
        return jnp.zeros((batch_size(x), self.size), bool)


def indices(count: int) -> jax.Array:
    """0 … count − 1, int32 in every mode of JAX."""
    return jnp.arange(count, dtype=jnp.int32)


def block_agreement(x: State, y: State) -> jax.Array:
    """[batch, N] bool: block i of `x` and `y` is the same, bit for bit (−0 is not 0; NaN equals nothing).

    Any dtype: floating-point and complex numbers by their bits, whole numbers and truth values as they are.
    """
    return _per_block(_same, jnp.all, x, y)


def block_finite(x: State) -> jax.Array:
    """[batch, N] bool: block i of `x` holds no NaN, no infinity, and no whole number that is `missing`."""
    return _per_block(lambda leaf: jnp.isfinite(leaf) & (leaf != missing(leaf.dtype)), jnp.all, x)


def missing(dtype: Any) -> Any:
    """Return the value for a block whose evaluation is not finite: NaN, or the least of signed whole numbers.

    A whole number hides what it was chosen by: the argmax of logits that are NaN is a token like any other. A system
    gives this value in its place, and the sample ends there. Unsigned numbers and truth values have none: NaN.
    """
    return jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.signedinteger) else jnp.nan


def block_distance(x: State, y: State) -> jax.Array:
    """[batch, N] largest absolute difference in each block, as floating-point numbers; 1 where truth values differ."""
    return _per_block(_difference, jnp.max, x, y)


def block_size(x: State) -> jax.Array:
    """[batch, N] largest absolute value in each block, as floating-point numbers."""
    return block_distance(x, jax.tree.map(jnp.zeros_like, x))


def select_blocks(mask: jax.Array, x: State, y: State) -> State:
    """Return the state with the blocks of `x` where `mask` [batch, N] holds and those of `y` elsewhere."""
    leaves, tree = jax.tree.flatten(x)
    ends = itertools.accumulate(leaf.shape[1] for leaf in leaves[:-1])
    masks = jnp.split(mask, list(ends), axis=1)
    chosen = [
        jnp.where(own.reshape(*own.shape, *[1] * (leaf.ndim - 2)), leaf, other)
        for own, leaf, other in zip(masks, leaves, jax.tree.leaves(y), strict=True)
    ]
    return jax.tree.unflatten(tree, chosen)


def select_samples(mask: jax.Array, x: Any, y: Any) -> Any:
    """Return the samples of `x` where `mask` [batch] holds and those of `y` elsewhere; leaves [batch, ...]."""
    return jax.tree.map(lambda a, b: jnp.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b), x, y)


def prefix_length(mask: jax.Array) -> jax.Array:
    """[batch] int32: how many leading entries of `mask` [batch, N] hold."""
    length = mask.shape[1]
    return jnp.min(jnp.where(mask, jnp.int32(length), indices(length)), axis=1, initial=length)


def batch_size(x: State) -> int:
    """Return the number of samples in a state."""
    return jax.tree.leaves(x)[0].shape[0]


def block_count(x: State) -> int:
    """Return the number of blocks in a state, or in a window of one."""
    return sum(leaf.shape[1] for leaf in jax.tree.leaves(x))


def l2_distance(x: State, y: State) -> jax.Array:
    """[batch] Euclidean norm of `x − y` over all blocks, as floating-point numbers."""
    squares = jax.tree.map(lambda a, b: jnp.sum(_difference(a, b) ** 2, axis=tuple(range(1, a.ndim))), x, y)
    return jnp.sqrt(sum(jax.tree.leaves(squares)))


def _moved(key: jax.Array, x: State) -> State:
    """`x` with all numbers moved by about their own size, or by about one."""
    leaves, tree = jax.tree.flatten(x)
    keys = jax.random.split(key, len(leaves)) if len(leaves) > 1 else [key]
    return jax.tree.unflatten(tree, [_moved_leaf(*pair) for pair in zip(keys, map(jnp.asarray, leaves), strict=True)])


def _moved_leaf(key: jax.Array, values: jax.Array) -> jax.Array:
    dtype = values.dtype
    if dtype == jnp.bool_:
        return jax.random.bits(key, values.shape, jnp.uint8) < 128
    if jnp.issubdtype(dtype, jnp.complexfloating):
        one, two = jax.random.split(key)
        return jax.lax.complex(_moved_leaf(one, values.real), _moved_leaf(two, values.imag))
    noise = jax.random.normal(key, values.shape, jnp.float32)
    if jnp.issubdtype(dtype, jnp.integer):  # by 4 on average, for steps below one half would be lost
        most = float(2 ** min(jnp.iinfo(dtype).bits - 2, 24))
        steps = jnp.clip(jnp.round(4 * noise * (1 + jnp.abs(values.astype(jnp.float32)))), -most, most)
        return values + (jnp.abs(steps) if jnp.issubdtype(dtype, jnp.unsignedinteger) else steps).astype(dtype)
    return values + noise.astype(dtype) * (1 + jnp.abs(values))


def described(state: State) -> str:
    """Return dtypes and shapes of a state, for a message."""
    return str(jax.tree.map(lambda leaf: f"{jnp.result_type(leaf)}{list(jnp.shape(leaf))}", state))


def take_blocks(x: jax.Array, start: jax.Array, width: int) -> jax.Array:
    """[batch, width, ...]: the blocks of `x` from each sample's `start` [batch] on."""
    if width == x.shape[1]:
        return x
    return jax.vmap(lambda row, s: jax.lax.dynamic_slice_in_dim(row, s, width))(x, start)


def put_blocks(x: jax.Array, values: jax.Array, start: jax.Array) -> jax.Array:
    """`x` with `values` [batch, width, ...] from each sample's `start` [batch] on."""
    if values.shape[1] == x.shape[1]:
        return values
    return jax.vmap(lambda row, new, s: jax.lax.dynamic_update_slice_in_dim(row, new, s, axis=0))(x, values, start)


def _same(a: jax.Array, b: jax.Array) -> jax.Array:
    # Bits, as `==` takes −0 for 0, and may take numbers near zero for it; a function may tell them apart.
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        return _same(a.real, b.real) & _same(a.imag, b.imag)
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return a == b
    bits = jnp.dtype(f"uint{8 * a.dtype.itemsize}")
    return (jax.lax.bitcast_convert_type(a, bits) == jax.lax.bitcast_convert_type(b, bits)) & ~jnp.isnan(a)


def _difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return |a − b| in float32, or in float64 for wider numbers where JAX has them."""
    dtype = a.dtype
    wide = jnp.promote_types(jnp.finfo(dtype).dtype if jnp.issubdtype(dtype, jnp.inexact) else dtype, jnp.float32)
    if dtype == jnp.bool_:
        return (a != b).astype(jnp.float32)
    if jnp.issubdtype(dtype, jnp.integer):  # the larger less the smaller fits the unsigned type, and nothing else does
        high, low = (part.astype(f"uint{8 * dtype.itemsize}") for part in (jnp.maximum(a, b), jnp.minimum(a, b)))
        return (high - low).astype(jnp.float32)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return jnp.abs(a - b)
    return jnp.abs(a.astype(wide) - b.astype(wide))


def _per_block(entry: Any, reduce: Any, *states: State) -> jax.Array:
    def leaf(*arrays):
        values = entry(*arrays)
        flat = values.reshape(*values.shape[:2], math.prod(values.shape[2:]))
        return reduce(flat, axis=2)

    return jnp.concatenate([leaf(*arrays) for arrays in zip(*map(jax.tree.leaves, states), strict=True)], axis=1)
