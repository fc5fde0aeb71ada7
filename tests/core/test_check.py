"""`check`: sound systems of every kind pass, and each fault of a sweep, a window or a cache is found by every seed."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sound
import zoo
from samplers import SAMPLERS

from ffc import FFCError, check
from ffc.core.check_windows import MOST, pairs_of, pairs_to_try
from ffc.models import rnn

each_seed = pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 20), marks=pytest.mark.stress)])
SHORT = zoo.whole_numbers(1, size=4, density=1.0)
SOUND = {
    "whole numbers": (SHORT, None),
    "smooth": (zoo.tanh(1, size=6), None),
    "several arrays": (zoo.Leaves(jnp.array([1.0, 2.0])), None),
    "not finite": (zoo.crowd().select_samples(jnp.arange(15, 20)), [(2, 1)]),
    "in step": (zoo.waiting(replace(SHORT, row_length=2), "half a window"), [(3, 1)]),
    "a row after the other": (
        zoo.waiting(zoo.whole_numbers(1, batch=24, size=40, density=1.0, row_length=20), "row"),
        [(3, 1)],
    ),
    "rows that are entered": (zoo.by_rows(replace(SHORT, row_length=2)), [(1, 1), (2, 1), (2, 2)]),
    "no samples": (zoo.unconnected(batch=0), None),
    "no blocks": (zoo.unconnected(size=0), None),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_system_passes(name):
    system, windows = SOUND[name]
    check(system, windows=windows)


# Sweeps that are not what the certificate takes them for


def faulty(fault, sound):
    """`sound`, to whose sweeps `fault` adds what it should not."""
    return zoo.like(replace(sound, has_windows=False), sweep=lambda self, x: zoo.Weighted.sweep(self, x) + fault(x))


def block(number, values):
    return jnp.where(jnp.arange(8) == number, values, 0)


counter = itertools.count()


def calls(x):
    return jax.pure_callback(lambda x: np.float32(next(counter)), jax.ShapeDtypeStruct((), jnp.float32), x)


FAULTS = {
    r"block 5 of sample 0: it changes with blocks from 5 on": lambda x: block(5, 1e-3 * x),
    r"block 6 of sample 0: it changes with blocks from 6 on": lambda x: block(6, 1e-3 * jnp.roll(x, -1, axis=1)),
    r"block 4 of sample 0: it changes with other samples": lambda x: block(4, 1e-3 * x[::-1, 3:4]),
    r"block 2 of sample 0: two sweeps of the same state differ": lambda x: block(2, next(counter)),
    r"block 3 of sample 0: two sweeps of the same state differ": lambda x: block(3, calls(x)),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_sweep_with_a_fault_is_named_by_its_first_block(message):
    with pytest.raises(FFCError, match=message):
        check(faulty(FAULTS[message], zoo.whole_numbers(2, size=8)))


def test_values_that_the_system_gives_are_tried_too():
    """Whole numbers near `initial()` would not show what happens to larger ones."""

    def sweep(self, x):
        return (3 * zoo.Line.sweep(self, x) + jnp.where(x > 40, x, 0)) % 100

    with pytest.raises(FFCError, match="it changes with blocks from"):
        check(zoo.variant(zoo.Line, sweep=sweep)(jax.random.randint(jax.random.key(0), (2, 12), 0, 100), zoo.add))


def seeing_itself(self, x):
    return self.step(zoo.Line.sweep(self, x), jnp.where(jnp.arange(6) == 4, x, jnp.zeros_like(x)))


@each_seed
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.bool_, jnp.bfloat16, jnp.complex64])
def test_a_fault_is_found_in_states_of_every_dtype(dtype, seeds):
    u = jnp.arange(6).reshape(1, 6) % 3 > 0 if dtype == jnp.bool_ else jnp.arange(6).reshape(1, 6).astype(dtype)
    step = jnp.logical_xor if dtype == jnp.bool_ else zoo.add
    check(zoo.Line(u, step))
    for seed in seeds:
        with pytest.raises(FFCError, match="block 4 of sample 0: it changes with blocks from 4 on"):
            check(zoo.variant(zoo.Line, sweep=seeing_itself)(u, step), seed=seed)


def tokens(sees_itself: bool = False, **members) -> zoo.Line:
    """Numbers from 0 to 4, each a sum of those before it by a table: what is no token spoils the sums of all."""

    def sweep(self, x):
        values = jnp.take(jnp.arange(5.0), x, mode="fill") @ jnp.tri(6, k=sees_itself - 1).T
        return jnp.int32(self.u + jnp.nan_to_num(values)) % 5

    return zoo.variant(zoo.Line, sweep=sweep, **members)(jnp.arange(12, dtype=jnp.int32).reshape(2, 6) % 5, zoo.add)


def token(self, key):
    return jax.random.randint(key, self.u.shape, 0, 5, jnp.int32)


@each_seed
def test_a_system_that_says_which_values_blocks_take_is_not_accused(seeds):
    with pytest.raises(FFCError, match="if its numbers are tokens, let example draw them"):
        check(tokens())
    for seed in seeds:
        check(tokens(example=token), seed=seed)
        with pytest.raises(FFCError, match=r"block \d of sample \d: it changes with blocks"):
            check(tokens(sees_itself=True, example=token), seed=seed)


# Windows


@each_seed
@pytest.mark.parametrize("fault", ["a shifted cache", "a stale cache", "one block off", "half a percent off"])
def test_a_window_that_is_no_part_of_the_sweep_is_found(fault, seeds):
    """By a single window, and its message names block and both values; in numbers that are whole, or rounded."""
    for seed in seeds:
        whole = jax.tree.map(jnp.int32, zoo.whole_numbers(seed, size=5, density=1))
        smooth = replace(zoo.tanh(seed, size=5), has_windows=True)
        system = zoo.flawed(whole if fault in ("a shifted cache", "one block off") else smooth, fault)
        with pytest.raises(FFCError, match=r"block \d of sample \d: a window of 2 .*mend the system's window"):
            check(system, blocks=(), windows=[(2, 1)], seed=seed)


def test_a_row_that_is_entered_too_late_is_found():
    late = zoo.by_rows(replace(SHORT, row_length=2), late=True)
    with pytest.raises(
        FFCError, match=r"a window of \d blocks, 1 apart, from block [23] on gives .*mend the system's w"
    ):
        check(late, blocks=(), windows=[(2, 1)])


def test_of_many_windows_some_are_tried_and_the_seed_decides_which():
    few, many = zoo.unconnected(size=4), zoo.unconnected(size=60, row_length=6)
    every = [(1, 1), (2, 1), (3, 1), (4, 1), (2, 2), (1, 4)]
    assert list(pairs_of(few)) == pairs_to_try(few, np.random.default_rng(0)) == every
    one, two = (pairs_to_try(many, np.random.default_rng(seed)) for seed in (0, 1))
    assert len(one) == len(two) == MOST
    assert one != two
    assert {(1, 1), (6, 1), (60, 1)} <= {*one} & {*two} <= {*pairs_of(many)}


def others(name):
    key, model = jax.random.key(1), sound.MODELS["densenet"]
    if name == "densenet":
        return model.system(sound.weights(model), jax.random.normal(key, (2, 16, 16, 3)))
    params, x = rnn.init(jax.random.key(0), 5, 0.3), jax.random.normal(key, (2, 12))
    return rnn.hidden_states(params, x) if "states" in name else rnn.adjoint_system(params, rnn.forward(params, x))


@pytest.mark.stress
@pytest.mark.parametrize("name", [*SAMPLERS, "densenet", "states of an rnn", "adjoints of an rnn"])
def test_every_model_passes_with_all_its_windows(name):
    """Pixels, which take long to compile, with those that the short tests of samplers leave out: one pixel and rows."""
    windows = [(1, 1), (8, 1)] if name == "pixels" else None
    check(SAMPLERS[name].system() if name in SAMPLERS else others(name), windows=windows)
