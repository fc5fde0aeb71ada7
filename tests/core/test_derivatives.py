"""Derivatives through a solve are those of the sequential evaluation, whichever solver found the solution."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from jax.sharding import PartitionSpec
from smooth import Chain, Leaves, by_sweeps, chain_in_order, gru, gru_in_order

from ffc import Exact, FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, System, Tolerance, Trace, solve
from ffc.models.made import MADE
from ffc.recurrence import Recurrence


def made():
    model = MADE((3, 4, 1), hidden=(8, 8))
    return model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(1), 2))


def chain(batch=2, size=10):
    return Chain(jax.random.normal(jax.random.key(0), (batch, size)))


SYSTEMS = {
    "chain": (chain, chain_in_order),
    "gru": (gru, gru_in_order),
    "leaves": (lambda: Leaves(jnp.float32([0.4, -1.3])), by_sweeps),
    "tanh": (lambda: zoo.tanh(0), by_sweeps),
    "made": (made, by_sweeps),
}
SOLVERS = [Sequential(), Jacobi(), GSJacobi(4), JacobiGS(5)]


def floating(leaf):
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def random_like(tree):
    """Normal numbers in the shape of floating-point leaves."""
    draw = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), leaf.dtype), tree)


def derivatives(solution_of, system):
    """By JVP, the solution's along a random direction; by VJP, the system's from random cotangents."""
    leaves, tree = jax.tree.flatten(system)
    moving = {i: leaf for i, leaf in enumerate(leaves) if floating(leaf)}

    def of(moving):
        return solution_of(jax.tree.unflatten(tree, [moving.get(i, leaf) for i, leaf in enumerate(leaves)]))

    along, back = random_like(moving), random_like(jax.eval_shape(of, moving))
    return jax.jit(lambda moving: (jax.jvp(of, (moving,), (along,))[1], jax.vjp(of, moving)[1](back)))(moving)


def assert_close(found, expected, tolerance):
    """To `tolerance` of each array's largest entry."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("name", SYSTEMS)
def test_derivatives_are_those_of_the_sequential_evaluation(name):
    """Of one in double precision, to 1e-5 and, where the solve is as precise, to 1e-12."""
    build, in_order = SYSTEMS[name]
    single = build()
    with jax.enable_x64(True):
        system = jax.tree.map(lambda leaf: leaf.astype("float64") if floating(leaf) else leaf, single)
        expected = derivatives(in_order, system)
        assert_close(derivatives(lambda system: solve(system, Jacobi()).value, system), expected, 1e-12)
        assert_close(derivatives(lambda system: solve(system, Jacobi()).value, single), expected, 1e-5)


@pytest.mark.parametrize(
    "solvers",
    [*((solver, {}) for solver in SOLVERS), *((Jacobi(), {"adjoint": solver}) for solver in SOLVERS)],
    ids=str,
)
def test_any_solver_finds_the_solution_and_any_its_derivatives(solvers):
    """x_i = u_i + x_{i−1} / 2 near 0: block i moves by 2 − 2^−i where all u do."""
    solver, options = solvers
    zeros, ones, expected = jnp.zeros((1, 5)), jnp.ones((1, 5)), [[1, 1.5, 1.75, 1.875, 1.9375]]

    def of(u):
        return solve(Chain(u), solver, **options).value

    np.testing.assert_array_equal(jax.jvp(of, (zeros,), (ones,))[1], expected)
    np.testing.assert_array_equal(jax.vjp(of, zeros)[1](ones)[0], np.flip(expected))


def test_derivatives_of_derivatives_inside_jit_and_vmap():
    def hessians(way):
        return jax.jit(jax.vmap(jax.hessian(lambda u: jnp.sum(way(Chain(u[None])) ** 2))))(chain(size=5).u)

    assert_close(hessians(lambda system: solve(system, Jacobi()).value), hessians(chain_in_order), 1e-5)


def test_derivatives_inside_shard_map():
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = PartitionSpec("samples")

    def total(way, u):
        return jnp.sum(way(Chain(u)) ** 2)

    gradient = jax.grad(lambda u: total(lambda system: solve(system, Jacobi()).value, u))
    inside = jax.jit(jax.shard_map(gradient, mesh=mesh, in_specs=part, out_specs=part))(chain().u)
    assert_close(inside, jax.grad(lambda u: total(chain_in_order, u))(chain().u), 1e-5)


def compiled_bytes(way, size):
    """Memory for intermediate values, of a compiled gradient by a chain of `size` blocks."""
    return gradient_of(way).lower(chain(size=size).u).compile().memory_analysis().temp_size_in_bytes


def gradient_of(way):
    return jax.jit(jax.grad(lambda u: jnp.sum(way(Chain(u)) ** 2)))


def test_memory_does_not_grow_with_iterations():
    """Twice the blocks take twice the iterations at most. That sweeps are not kept shows against those that are."""

    def growth(way):
        return compiled_bytes(way, 2000) / compiled_bytes(way, 1000)

    assert growth(lambda system: solve(system, Jacobi()).value) < 2.5
    assert growth(by_sweeps) > 3.5


def test_nothing_but_the_system_has_a_derivative():
    """Neither the guess, nor a tolerance; nor have curves one, nor numbers that are counted."""
    system = chain()

    def run(u, guess, tolerance, reference):
        return solve(Chain(u), Jacobi(), Tolerance(tolerance), Trace(reference, 3), guess)

    given = (system.u, system.u, 1e-3, system.u)
    _, change = jax.jvp(run, given, (jnp.zeros_like(system.u), system.u, 1.0, system.u))
    assert not np.any(change.value)
    _, change = jax.jvp(run, given, (system.u, jnp.zeros_like(system.u), 0.0, system.u))
    assert np.any(change.value)
    assert not any(np.any(curve) for curve in change.history)
    assert change.iterations.dtype == change.certified.dtype == change.status_codes.dtype == jax.dtypes.float0


def test_a_derivative_is_as_exact_as_the_state_it_is_taken_at():
    u, ones = chain().u, jnp.ones((2, 10))
    answer = jax.jvp(lambda u: chain_in_order(Chain(u)), (u,), (ones,))[1]
    early = jax.jvp(lambda u: solve(Chain(u), Jacobi(), Exact(max_iterations=4)).value, (u,), (ones,))[1]
    np.testing.assert_allclose(early[:, :4], answer[:, :4], rtol=1e-6)
    error = np.abs(early - answer).max()
    near = jax.jvp(lambda u: solve(Chain(u), Jacobi(), Tolerance(1e-4)).value, (u,), (ones,))[1]
    assert 1e-4 < error < 1
    assert np.abs(near - answer).max() < 1e-3


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Breaking(zoo.Breaking):
    discrete = False  # as its weights are here


def test_what_is_not_finite_has_no_derivative_and_leaves_other_samples_alone():
    broken = Breaking(jnp.eye(12, k=-1), jnp.ones((2, 12)), breaks=jnp.array([5, -1]))

    def of(u):
        return solve(replace(broken, u=u), Sequential()).value

    _, change = jax.jvp(of, (broken.u,), (broken.u,))
    assert np.isnan(change[0, 5:]).all()
    assert np.isfinite(change[0, :5]).all()
    assert np.isfinite(change[1]).all()
    back = jax.vjp(of, broken.u)[1](jnp.ones((2, 12)))[0]
    assert np.isnan(back[0, :5]).all()
    assert np.isfinite(back[1]).all()


def times(weights, x, inputs):
    return weights * x + inputs


def test_a_derivative_that_overflows_is_no_number():
    """As in order, where it is 1e60; the states end at 1e30."""

    def last(start):
        return solve(Recurrence(times, jnp.float32(1e20), jnp.zeros((1, 3, 1)), start), Jacobi()).value[0, -1, 0]

    start = jnp.full((1, 1), 1e-30)
    assert last(start) > 1e29
    assert not np.isfinite(jax.grad(last)(start))
    assert not np.isfinite(jax.jvp(last, (start,), (jnp.ones((1, 1)),))[1])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tokens(System):
    """A table's best column for the token before."""

    table: jax.Array  # [tokens, tokens]
    size = 4

    def initial(self):
        return jnp.zeros((1, 4), jnp.int32)

    def sweep(self, x):
        return jnp.argmax(self.table[jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]], axis=-1).astype(jnp.int32)


def test_discrete_systems_are_refused_and_solved():
    table = jax.random.normal(jax.random.key(0), (3, 3))

    def of(table):
        return jnp.sum(table[solve(Tokens(table), Jacobi()).value])

    assert Tokens(table).discrete
    assert not chain().discrete
    jax.jit(jax.vmap(of))(table[None])
    for transform in (jax.grad(of), jax.grad(jax.jit(of)), lambda table: jax.jvp(of, (table,), (table,))):
        with pytest.raises(FFCError, match="the values of Tokens are rounded or whole numbers, which have no deriv"):
            transform(table)


def test_nothing_is_asked_of_a_system_that_is_constant():
    tokens = Tokens(jax.random.normal(jax.random.key(0), (3, 3)))
    found = solve(tokens, Jacobi()).value
    for system_of in (lambda table: tokens, lambda table: jax.lax.stop_gradient(Tokens(table))):
        of = jax.jit(lambda table, system_of=system_of: jnp.sum(table[solve(system_of(table), Jacobi()).value]))
        expected = jax.grad(lambda table: jnp.sum(table[found]))(tokens.table)
        np.testing.assert_array_equal(jax.grad(of)(tokens.table), expected)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rounding(Chain):
    discrete = True

    def sweep(self, x):
        return jnp.round(super().sweep(x))


def test_a_system_that_says_it_rounds_is_refused():
    with pytest.raises(FFCError, match="the values of Rounding are rounded"):
        jax.grad(lambda u: jnp.sum(solve(Rounding(u), Jacobi()).value))(chain().u)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Searching(Chain):
    def sweep(self, x):
        y = super().sweep(x)
        return jax.lax.while_loop(lambda y: jnp.any(y > 0.1), lambda y: y / 2, y)


def test_a_sweep_that_jax_cannot_transpose_is_named():
    assert solve(Searching(chain().u), Jacobi()).exact
    with pytest.raises(FFCError, match=r"sweep of Searching cannot be differentiated \(Reverse-mode"):
        jax.grad(lambda u: jnp.sum(solve(Searching(u), Jacobi()).value))(chain().u)


def test_samples_that_leave_the_batch_cannot_be_differentiated():
    with pytest.raises(FFCError, match="retire: not inside jit, vmap or grad"):
        jax.grad(lambda u: jnp.sum(solve(Chain(u), Jacobi(), retire=True).value))(chain().u)


def test_a_solver_of_adjoints_that_does_not_fit_is_refused():
    with pytest.raises(FFCError, match="JacobiGS: block is 3; it must be a divisor of 10"):
        solve(chain(), Jacobi(), adjoint=JacobiGS(3))
    with pytest.raises(FFCError, match="solver: 'jacobi' is no solver"):
        solve(chain(), Jacobi(), adjoint="jacobi")
