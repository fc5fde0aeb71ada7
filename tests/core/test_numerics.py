"""The certificate at the edges of floating-point numbers, and against systems that break what it takes for granted."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import GSJacobi, Jacobi, JacobiGS, Sequential, Status, System, solve

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
