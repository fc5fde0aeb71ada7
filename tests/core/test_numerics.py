"""The certificate at the edges of floating-point numbers, and against systems that break what it takes for granted."""

import itertools
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, Status, System, check, solve
from ffc.models import build

N = 12
SOLVERS = [Sequential(), Jacobi(), GSJacobi(5), JacobiGS(4)]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=str)


def bits(values) -> np.ndarray:
    values = np.asarray(values)
    return values.view(f"uint{8 * values.dtype.itemsize}")


def in_order(system: System) -> np.ndarray:
    """The solution by sweeps that keep one block each."""
    x = system.initial()
    for i in range(system.size):
        x = x.at[:, i].set(system.sweep(x)[:, i])
    return np.asarray(x)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Function(System):
    """`x_i = f(u_i, x_{i−1})`, where block −1 is one."""

    u: jax.Array
    f: object = field(metadata={"static": True})
    guess: float = field(metadata={"static": True}, default=0.0)

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.full_like(self.u, self.guess)

    def sweep(self, x):
        return self.f(self.u, jnp.pad(x, ((0, 0), (1, 0)), constant_values=1)[:, :-1])


@each_solver
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_every_solver_gives_the_same_bits_in_any_precision(solver, dtype):
    system = jax.tree.map(lambda leaf: leaf.astype(dtype), zoo.tanh(3))
    solution = solve(system, solver)
    assert solution.exact
    assert solution.value.dtype == dtype
    np.testing.assert_array_equal(bits(solution.value), bits(solve(system, Sequential()).value))


@each_solver
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["weights", "noise"])
def test_a_number_that_is_none_is_not_certified_and_what_stands_before_it_is_true(solver, value, place):
    sound = zoo.whole_numbers(1, density=1.0, has_windows=False)
    if place == "noise":
        broken = replace(sound, u=sound.u.at[1, 7].set(value))
    else:
        broken = replace(sound, weights=sound.weights.at[7, 6].set(value))
    solution, answer = solve(broken, solver), zoo.in_order(sound)
    assert solution.status[1] is Status.NOT_FINITE
    assert solution.status[0] is (Status.CERTIFIED if place == "noise" else Status.NOT_FINITE)
    for value, right, certified in zip(np.asarray(solution.value), answer, solution.certified, strict=True):
        np.testing.assert_array_equal(value[:certified], right[:certified])
    assert int(solution.certified[1]) <= 7


def test_an_infinity_on_the_way_ends_a_parallel_solve_whose_answer_would_be_finite():
    """A guess of zeros is divided by: the sequential order never does. Another guess mends it."""
    system = Function(jnp.arange(2.0, 26.0).reshape(2, N), lambda u, before: u / before)
    answer = solve(system, Sequential())
    assert answer.exact
    stopped = solve(system, Jacobi())
    assert set(stopped.status) == {Status.NOT_FINITE}
    for value, right, certified in zip(stopped.value, answer.value, stopped.certified, strict=True):
        np.testing.assert_array_equal(value[:certified], right[:certified])
    mended = solve(system, Jacobi(), guess=jnp.ones((2, N)))
    np.testing.assert_array_equal(bits(mended.value), bits(answer.value))


@each_solver
def test_numbers_next_to_zero_are_flushed_by_all_solvers_or_by_none(solver):
    """From 1e-30 down to 1e-41: below 1.2e-38 float32 has denormal numbers."""
    system = Function(jnp.full((2, N), 1e-30), lambda u, before: jnp.where(before == 1, u, before / 10))
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_array_equal(bits(solution.value), bits(solve(system, Sequential()).value))


@each_solver
@pytest.mark.parametrize("guess", [0.0, -0.0, 1e-45])
def test_a_zero_of_another_sign_is_another_number(solver, guess):
    """Block 0 is +0, every other tells the sign of the one before: a guess of −0 must not pass for settled."""

    def alternate(u, before):
        return jnp.where(before == 1, 0.0, jnp.where(jnp.signbit(before), 0.0, -0.0))

    system = Function(jnp.zeros((2, N)), alternate, guess)
    solution = solve(system, solver)
    assert solution.exact
    np.testing.assert_array_equal(bits(solution.value), bits(in_order(system)))


# What the certificate takes for granted, and who notices where it does not hold


SOUND = {
    "whole numbers": zoo.whole_numbers(1, density=1.0),
    "smooth": zoo.tanh(1),
    "several arrays": zoo.TwoLeaves(jnp.array([1.0, 2.0])),
    "not finite": zoo.Breaking(*jax.tree.leaves(zoo.whole_numbers(1)), breaks=jnp.array([3, -1, 5])),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_triangular_system_passes(name):
    check(SOUND[name])


def test_a_model_is_triangular():
    model = build({"kind": "made", "hidden": [8, 8]}, (3, 4, 1))
    check(model.system(jax.jit(model.init)(jax.random.key(0)), model.noise(jax.random.key(1), 2)))


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
    sound = zoo.whole_numbers(2)
    with pytest.raises(FFCError, match=expected):
        check(kind(sound.weights, sound.u, **options))


def test_the_certificate_alone_believes_a_system_that_peeks():
    """Why there is `check`: iterates of such a system settle too, at a fixed point that no order of blocks gives."""
    sound = zoo.unconnected()
    peeking = Peeking(sound.weights, sound.u)
    solution = solve(peeking, Jacobi())
    assert solution.exact
    assert not np.array_equal(solution.value, in_order(peeking))
