"""Derivatives through a solve are those of the sequential evaluation, whichever solver found the solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from jax.sharding import PartitionSpec
from recurrences import cells
from zoo import assert_close

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, solve
from ffc.recurrence import Newton

#: A system, its solver and the options of the solve.
SYSTEMS = {
    "cells": (cells(), Jacobi(draft=Newton()), {}),  # of which tokens and a key have no derivatives
    "leaves": (zoo.Leaves(jnp.float32([0.4, -1.3])), Jacobi(), {}),
    "weighted": (zoo.tanh(0), GSJacobi(5), {"adjoint": JacobiGS(4)}),
}


def by(solver, **options):
    return lambda system: solve(system, solver, **options).value


by_jacobi = by(Jacobi())


def by_sweeps(system):
    """The solution by sweeps, that JAX differentiates one by one: N reach it, and N more its derivatives there."""
    return jax.lax.scan(lambda x, _: (system.sweep(x), None), system.initial(), length=2 * system.size)[0]


def of_u(way, step=zoo.half_tanh):
    """What `way` makes of a line, as a function of its u."""
    return lambda u: way(zoo.Line(u, step))


def floating(leaf):
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def random_like(tree):
    draw = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), leaf.dtype), tree)


def both(of, at, along, back):
    """The derivative of a function by JVP along a direction, and by VJP from cotangents."""
    return jax.jit(lambda at: (jax.jvp(of, (at,), (along,))[1], jax.vjp(of, at)[1](back)[0]))(at)


def derivatives(solution_of, system):
    """The solution's along a random direction, and the system's from random cotangents."""
    leaves, tree = jax.tree.flatten(system)
    moving = {i: leaf for i, leaf in enumerate(leaves) if floating(leaf)}

    def of(moving):
        return solution_of(jax.tree.unflatten(tree, [moving.get(i, leaf) for i, leaf in enumerate(leaves)]))

    return both(of, moving, random_like(moving), random_like(jax.eval_shape(of, moving)))


@pytest.mark.parametrize("name", SYSTEMS)
def test_derivatives_are_those_of_the_sequential_evaluation(name):
    """Of one in double precision, to 1e-12, and to 1e-5 in single precision; whichever solver finds them."""
    single, solver, options = SYSTEMS[name]
    with jax.enable_x64(True):
        system = jax.tree.map(lambda leaf: leaf.astype("float64") if floating(leaf) else leaf, single)
        expected = derivatives(by_sweeps, system)
        assert_close(derivatives(by(solver, **options), system), expected, 1e-12)
        if name == "leaves":
            assert_close(derivatives(by(solver), single), expected, 1e-5)


def test_derivatives_of_derivatives_inside_jit_vmap_and_shard_map():
    def of(way):
        return lambda u: jnp.sum(of_u(way)(jnp.atleast_2d(u)) ** 2)

    u = zoo.line(size=5).u
    assert_close(*(jax.jit(jax.vmap(jax.hessian(of(way))))(u) for way in (by_jacobi, by_sweeps)), 1e-5)
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = PartitionSpec("samples")
    inside = jax.jit(jax.shard_map(jax.grad(of(by_jacobi)), mesh=mesh, in_specs=part, out_specs=part))(u)
    assert_close(inside, jax.jit(jax.grad(of(by_sweeps)))(u), 1e-5)


def test_memory_does_not_grow_with_iterations():
    """Sweeps that are kept take hundreds of times as much."""

    def memory(way):
        gradient = jax.jit(jax.grad(lambda u: jnp.sum(of_u(way)(u) ** 2)))
        return gradient.lower(zoo.line(size=1000).u).compile().memory_analysis().temp_size_in_bytes

    assert 100 * memory(by_jacobi) < memory(by_sweeps)


def test_nothing_but_the_system_has_a_derivative_and_a_verification_changes_none():
    """Neither has the guess, nor a tolerance; nor have numbers that are counted."""
    u = zoo.line().u

    @jax.jit
    def change(du, guess, tolerance):
        def run(u, guess, tolerance):
            solution = solve(zoo.Line(u, zoo.half_tanh), Jacobi(), guess, atol=tolerance, verify=True)
            return solution.value, solution.iterations

        return jax.jvp(run, (u, u, 1e-3), (du, guess, tolerance))[1]

    moved, count = change(jnp.zeros_like(u), u, 1.0)
    assert not np.any(moved)
    assert count.dtype == jax.dtypes.float0
    moved, _ = change(u, jnp.zeros_like(u), 0.0)
    np.testing.assert_allclose(moved, jax.jvp(of_u(by_sweeps), (u,), (u,))[1], atol=1e-2)


def test_what_is_not_finite_has_no_derivative_and_leaves_other_samples_alone():
    """Block 5 of the first sample is no number; and in order, the second system overflows, where states do not."""
    u, ones = jnp.ones((2, 12)).at[0, 5].set(5), jnp.ones((2, 12))
    broken = of_u(by(Sequential()), lambda u, before: jnp.where(u == 5, jnp.nan, u + before))
    change, back = both(broken, u, u, ones)
    np.testing.assert_array_equal(np.isnan(change), np.arange(12) >= [[5], [12]])
    assert np.isnan(back[0, :5]).all()
    assert np.isfinite(back[1]).all()
    u, of = jnp.array([[1e-30, 0, 0]]), of_u(by_jacobi, lambda u, before: 1e20 * before + u)
    assert of(u)[0, -1] > 9e9
    for derivative in both(of, u, jnp.ones((1, 3)), jnp.eye(3)[2:]):
        assert not np.isfinite(derivative).all()


# What has no derivative


def sign(self, x):
    return jnp.int32(zoo.Line.sweep(self, x.astype(self.u.dtype)) > 0)


Signs = zoo.variant(zoo.Line, sweep=sign, initial=lambda self: jnp.zeros(self.u.shape, jnp.int32))


def searching(u, before):
    return jax.lax.while_loop(lambda y: jnp.any(y > 0.1), lambda y: y / 2, u + before)


def test_what_cannot_be_differentiated_is_named_and_nothing_is_asked_of_a_constant():
    u = zoo.line().u
    for of, message in (
        (lambda u: Signs(u, zoo.add), "the values of Variant are rounded or whole numbers"),
        (lambda u: zoo.Weighted(jnp.eye(10, k=-1), u), "the values of Weighted are rounded or whole numbers"),
        (lambda u: zoo.Line(u, searching), r"sweep of Line cannot be differentiated \(Reverse"),
    ):
        with pytest.raises(FFCError, match=message):
            jax.grad(lambda u, of=of: jnp.sum(by_jacobi(of(u)).astype(float)))(u)
    gradient = jax.grad(lambda u: jnp.sum(u * by_jacobi(jax.lax.stop_gradient(Signs(u, zoo.add)))))(u)
    np.testing.assert_array_equal(gradient, by_jacobi(Signs(u, zoo.add)))


def test_a_derivative_by_what_is_no_field_is_refused():
    """The answer is right, and a derivative of 0 would not be."""
    system = zoo.tanh(0, size=4)

    def loss(weight):
        closure = zoo.like(system, sweep=lambda self, x: weight * zoo.Weighted.sweep(self, x))
        return jnp.sum(solve(closure, Jacobi()).value)

    np.testing.assert_allclose(loss(jnp.float32(1)), zoo.in_order(system).sum(), rtol=1e-5)
    for transform in (jax.grad, lambda f: jax.grad(jax.jit(f))):
        with pytest.raises(FFCError, match="make the value a field"):
            transform(loss)(jnp.float32(1))
