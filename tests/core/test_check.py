"""`check`: sound systems of every kind pass, and each fault is found by every seed."""

import itertools
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import recurrences
import zoo

from ffc import FFCError, Jacobi, System, check, solve

SEEDS = [pytest.param(range(3), id="3 seeds"), pytest.param(range(40), id="40 seeds", marks=pytest.mark.stress)]
each_seed = pytest.mark.parametrize("seeds", SEEDS)

SOUND = {
    "whole numbers": zoo.whole_numbers(1, size=6, density=1.0),
    "smooth": zoo.tanh(1),
    "several arrays": zoo.TwoLeaves(jnp.array([1.0, 2.0])),
    "not finite": zoo.Breaking(*jax.tree.leaves(zoo.whole_numbers(1, size=6)), breaks=jnp.array([3, -1, 5])),
    "rows": zoo.whole_numbers(1, size=8, row_length=4),
    "in step": zoo.lockstep(1, size=6),
    "recurrence": replace(recurrences.gated(), inputs={"x": recurrences.gated().inputs["x"][:, :4]}),
    "no samples": zoo.unconnected(batch=0),
    "no blocks": zoo.unconnected(size=0),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_system_passes(name):
    check(SOUND[name])


# Sweeps that are not what the certificate takes them for


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Peeking(zoo.WholeNumbers):
    """Blocks from 5 on see themselves, or one block ahead."""

    ahead: int = field(metadata={"static": True}, default=0)

    def sweep(self, x):
        seen = jnp.roll(x, -self.ahead, axis=1)
        return super().sweep(x) + jnp.where(jnp.arange(self.size) >= 5, 1e-3 * seen, 0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mixing(zoo.WholeNumbers):
    """Block 4 of a sample sees the other samples."""

    def sweep(self, x):
        return super().sweep(x).at[:, 4].add(1e-3 * x[::-1, 3])


counter = itertools.count()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Compiled(zoo.WholeNumbers):
    """Block 2 hangs on how often the sweep was compiled."""

    def sweep(self, x):
        return super().sweep(x).at[:, 2].add(next(counter))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Counting(zoo.WholeNumbers):
    """Block 3 hangs on how often the sweep was called."""

    def sweep(self, x):
        count = jax.pure_callback(lambda x: np.float32(next(counter)), jax.ShapeDtypeStruct((), jnp.float32), x)
        return super().sweep(x).at[:, 3].add(count)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (Peeking, {}, r"block 5 of sample 0: it changes with blocks from 5 on"),
        (Peeking, {"ahead": 1}, r"block 5 of sample 0: it changes with blocks from 5 on"),
        (Mixing, {}, r"block 4 of sample 0: it changes with other samples"),
        (Compiled, {}, r"block 2 of sample 0: two sweeps of the same state differ"),
        (Counting, {}, r"block 3 of sample 0: two sweeps of the same state differ"),
    ],
)
def test_a_system_that_is_not_what_the_certificate_takes_it_for_is_named_by_its_first_block(kind, options, expected):
    sound = zoo.whole_numbers(2, size=8, has_windows=False)
    with pytest.raises(FFCError, match=expected):
        check(kind(sound.weights, sound.u, **options))


def test_the_certificate_alone_believes_a_system_that_peeks():
    """Why there is `check`: iterates of such a system settle too, at a fixed point that no order of blocks gives."""
    sound = zoo.unconnected()
    peeking = Peeking(sound.weights, sound.u)
    solution = solve(peeking, Jacobi())
    assert solution.exact
    in_order = peeking.initial()
    for i in range(peeking.size):
        in_order = in_order.at[:, i].set(peeking.sweep(in_order)[:, i])
    assert not np.array_equal(solution.value, in_order)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AnyDtype(System):
    """x_i from u_i and x_{i−1}; block `fault` sees itself, too."""

    u: jax.Array  # [batch, N]
    fault: int = field(metadata={"static": True}, default=-1)

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        combine = jnp.bitwise_xor if x.dtype == jnp.bool_ else jnp.add
        before = jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]
        seen = jnp.where(jnp.arange(self.size) == self.fault, x, jnp.zeros_like(x))
        return combine(combine(self.u, before), seen)


@each_seed
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.int8, jnp.bool_, jnp.bfloat16, jnp.complex64])
def test_a_fault_is_found_in_states_of_every_dtype_by_every_seed(dtype, seeds):
    u = jnp.arange(6).reshape(1, 6) % 3 > 0 if dtype == jnp.bool_ else jnp.arange(6).reshape(1, 6).astype(dtype)
    check(AnyDtype(u))
    for seed in seeds:
        with pytest.raises(FFCError, match="block 4 of sample 0: it changes with blocks from 4 on"):
            check(AnyDtype(u, fault=4), seed=seed)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tokens(System):
    """A token is the likeliest by the mean of the embeddings before it, masked: what is no token spoils the mean."""

    table: jax.Array  # [vocabulary, H]
    noise: jax.Array  # [batch, N, vocabulary]
    fault: bool = field(metadata={"static": True}, default=False)  # whether each token sees itself

    @property
    def size(self):
        return self.noise.shape[1]

    def initial(self):
        return jnp.zeros(self.noise.shape[:2], jnp.int32)

    def sweep(self, x):
        embedded = jnp.take(self.table, x, axis=0)
        mask = jnp.tri(self.size, k=0 if self.fault else -1)
        return jnp.argmax(jnp.einsum("ij,bjh->bih", mask, embedded) @ self.table.T + self.noise, axis=2).astype(
            jnp.int32
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Vocabulary(Tokens):
    def example(self, key):
        return jax.random.randint(key, self.noise.shape[:2], 0, len(self.table), jnp.int32)


def tokens(kind, **options):
    one, two = jax.random.split(jax.random.key(0))
    return kind(jax.random.normal(one, (5, 8)), jax.random.normal(two, (2, 7, 5)), **options)


@each_seed
def test_a_system_that_says_which_values_blocks_take_is_not_accused(seeds):
    with pytest.raises(FFCError, match="if its numbers are tokens, let example draw them"):
        check(tokens(Tokens))
    for seed in seeds:
        check(tokens(Vocabulary), seed=seed)
        with pytest.raises(FFCError, match=r"block \d of sample \d: it changes with blocks"):
            check(tokens(Vocabulary, fault=True), seed=seed)


# What check is given


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Constant(zoo.WholeNumbers):
    def example(self, key):
        return self.initial()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Misshapen(zoo.WholeNumbers):
    def example(self, key):
        return jnp.zeros(3)


WHOLE = zoo.whole_numbers(0, has_windows=False)


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        (WHOLE.u, {}, "system: .* is no System"),
        (WHOLE, {"blocks": [12]}, "blocks: 12 is no block of this system; give numbers from 0 to 11"),
        (WHOLE, {"windows": [(4, 1)]}, r"windows: \(4, 1\) is no window of this system"),
        (Constant(WHOLE.weights, WHOLE.u), {}, "example of Constant gives one state alone"),
        (
            Misshapen(WHOLE.weights, WHOLE.u),
            {},
            r"example of Misshapen gives float32\[3\]; a state has float32\[3, 12\]",
        ),
    ],
)
def test_a_mistake_is_one_sentence(system, options, message):
    with pytest.raises(FFCError, match=message):
        check(system, **options)


def test_check_runs_outside_jit():
    with pytest.raises(FFCError, match="check: not inside jit"):
        jax.jit(lambda u: check(replace(WHOLE, u=u)))(WHOLE.u)
