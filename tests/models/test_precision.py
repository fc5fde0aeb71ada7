"""Solves multiply float32 in full: a GPU's default would give each evaluation order an image of its own."""

import jax
import jax.numpy as jnp
import pytest
from samplers import SAMPLERS

from ffc import GSJacobi, Jacobi, JacobiGS, solve
from ffc.models.densenet import DenseNet
from ffc.recurrence import Newton, Recurrence

FULL = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


def products(jaxpr) -> list:
    """Return the precision of each product and convolution of a program, those of its loops and branches included."""
    precisions = []
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            precisions.append(equation.params["precision"])
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            if hasattr(inner := getattr(inner, "jaxpr", inner), "eqns"):
                precisions += products(inner)
    return precisions


def solved(system):
    """The system solved by every kind of window, one of them drafted, and verified."""
    row = system.row_length if system.row_length > 1 else 4
    solvers = [GSJacobi(row // 2), JacobiGS(row), GSJacobi(row, draft=system.draft())]
    return [solve(system, solver, verify=solver == solvers[0]).value for solver in solvers]


@pytest.mark.parametrize("name", ["pixels", "tokens of a text", "flow"])
def test_every_product_of_a_sampler_is_full(name):
    precisions = products(jax.make_jaxpr(solved)(SAMPLERS[name].system(batch=2)).jaxpr)
    assert len(precisions) > 10
    assert set(precisions) == {FULL}


def test_derivatives_and_recurrences_are_full():
    def loss(weights):
        recurrence = Recurrence(lambda w, h, x: jnp.tanh(h @ w + x), weights, jnp.ones((2, 6, 3)), jnp.ones((2, 3)))
        by_newton, by_loop = (solve(recurrence, Jacobi(draft=draft)).value for draft in (Newton(), None))
        return jnp.sum(by_newton + by_loop)

    precisions = products(jax.make_jaxpr(jax.grad(loss))(jnp.eye(3)).jaxpr)
    assert len(precisions) > 4
    assert set(precisions) == {FULL}


def test_densenets_sweep_is_full_and_who_chooses_a_precision_gets_it():
    model = DenseNet(classes=3, growth=4, blocks=(2, 1), features=8)
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)

    def precisions():
        program = jax.make_jaxpr(lambda params, images: solve(model.system(params, images), Jacobi()).value)
        return set(products(program(model.shapes(), images).jaxpr))

    assert precisions() == {FULL}
    with jax.default_matmul_precision("tensorfloat32"):
        assert FULL not in precisions()
