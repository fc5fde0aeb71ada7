"""What is compiled: once for all draws of a system, and for each class of its own."""

import jax.numpy as jnp
import zoo

from ffc import GSJacobi, Jacobi, solve
from ffc.core import programs
from ffc.core.compiled import compiled
from ffc.core.verify import count_ties


def test_each_class_is_solved_verified_and_counted_by_its_own_methods():
    """Number i of these fills the state with i, and has i ties. JAX alone takes some of them for one."""
    sweep = compiled()(lambda system, x: system.sweep(x))
    for i in range(40):
        members = {
            "sweep": lambda self, x, i=i: jnp.full_like(x, i),
            "ties": lambda self, x, i=i: jnp.broadcast_to(jnp.arange(40) < i, x.shape),
        }
        system = zoo.variant(zoo.Line, **members)(jnp.ones((1, 40)), zoo.add)
        assert sweep(system, system.u)[0, 0] == i
        if i < 2:
            solution = solve(system, Jacobi(), verify=True)
            assert solution.value.min() == solution.value.max() == i
            assert (solution.residual, count_ties(system, system.u)) == (0, i)


def test_one_program_serves_all_draws_limits_and_tolerances():
    systems = [zoo.whole_numbers(seed) for seed in range(3)]
    solve(systems[0], GSJacobi(5), atol=1.0)
    before = programs.advance.programs()
    for most, system in enumerate(systems, start=1):
        solve(system, GSJacobi(5), atol=0.5 * most, rtol=0.1 * most, max_iterations=most)
    assert programs.advance.programs() == before
