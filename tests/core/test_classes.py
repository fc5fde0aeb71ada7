"""Classes with the same fields, which JAX may take for one: each has its own programs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest

from ffc import GSJacobi, Jacobi, Sequential, System, check, solve
from ffc.core.compiled import compiled
from ffc.core.system import count_ties

COUNT = 40


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chain(System):
    u: jax.Array  # [batch, N]

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)


def classes():
    """Subclasses of Chain that have the same field: number i fills the state with i, and has i ties."""
    for i in range(COUNT):
        members = {
            "sweep": lambda self, x, i=i: 0 * self.u + i,
            "ties": lambda self, x, i=i: jnp.arange(self.size)[None] < i,
            "example": lambda self, key, i=i: self.u + i + jax.random.uniform(key, self.u.shape),
        }
        build = type(f"Constant{i}", (Chain,), members)
        yield jax.tree_util.register_dataclass(dataclass(frozen=True)(build))(jnp.ones((1, COUNT)))


@pytest.mark.parametrize("solver", [Sequential(), Jacobi(), GSJacobi(2)], ids=str)
def test_each_is_solved_and_verified_by_its_own_sweep(solver):
    solutions = [solve(system, solver, verify=True) for system in classes()]
    assert [int(solution.value[0, 0]) for solution in solutions] == list(range(COUNT))
    assert max(float(solution.residual[0]) for solution in solutions) == 0


def test_each_has_its_own_ties():
    assert [int(count_ties(system, system.initial())[0]) for system in classes()] == list(range(COUNT))


def test_each_is_checked_on_its_own_examples():
    for system in classes():
        check(system, blocks=[0], windows=[])


def test_a_function_has_static_arguments_by_their_numbers():
    @compiled(1)
    def plus(x, many, system):
        return x + many * system.size

    system = next(classes())
    assert plus(jnp.zeros(3), 2, system).tolist() == [2 * COUNT] * 3
    plus(jnp.ones(3), 2, system)
    assert plus.programs() == 1
