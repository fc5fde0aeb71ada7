"""What is compiled: once for all draws of a system, and for each class of its own."""

import jax
import jax.numpy as jnp
import zoo

from ffc import GSJacobi, Jacobi, Tolerance, check, solve
from ffc.core import programs
from ffc.core.system import count_ties


def classes(count):
    """Classes with the same field, which JAX may take for one: number i fills the state with i, and has i ties."""
    for i in range(count):
        members = {
            "sweep": lambda self, x, i=i: 0 * self.u + i,
            "ties": lambda self, x, i=i: jnp.arange(self.size)[None] < i,
            "example": lambda self, key, i=i: self.u + i + jax.random.uniform(key, self.u.shape),
        }
        yield zoo.variant(zoo.Line, **members)(jnp.ones((1, 40)), zoo.add)


def test_each_class_is_solved_verified_and_checked_by_its_own_methods():
    for i, system in enumerate(classes(3)):
        for solver in (Jacobi(), GSJacobi(2)):
            solution = solve(system, solver, verify=True)
            assert solution.value.min() == solution.value.max() == i
            assert solution.residual == 0
        check(system, blocks=[0], windows=[])


def test_of_many_classes_each_has_its_own_program():
    """JAX alone mixes some of them up."""
    assert [int(count_ties(system, system.initial())[0]) for system in classes(40)] == list(range(40))


def test_one_program_serves_all_draws_limits_and_tolerances():
    systems = [zoo.whole_numbers(seed) for seed in range(3)]
    solve(systems[0], GSJacobi(5), Tolerance(1.0))
    before = programs.advance.programs()
    for most, system in enumerate(systems, start=1):
        solve(system, GSJacobi(5), Tolerance(0.5 * most, most, relative=0.1 * most))
    assert programs.advance.programs() == before
