"""Nothing wrong comes out in silence: refuted answers, derivatives that are missing, JAX's strict modes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, Sequential, Status, System, Tolerance, check, solve


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Counter(System):
    """x_i = 3 x_{i−1} + u_i modulo 100; a block that is more than `blind` also sees itself."""

    u: jax.Array  # [batch, N]
    blind: jax.Array | int = 100

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        before = jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]
        return (3 * before + self.u + jnp.where(x > self.blind, x, 0)) % 100


U = jax.random.randint(jax.random.key(0), (2, 12), 0, 100)


def test_an_answer_that_plain_sweeps_refute_is_not_exact():
    """N finite sweeps settle every triangular system: where they do not, there is no sequential answer."""
    wrong, right = (solve(Counter(U, blind), Sequential(), verify=True) for blind in (-1, 100))
    assert right.exact
    assert not wrong.exact
    assert wrong.status == [Status.REFUTED] * 2
    assert wrong.certified.tolist() == [0, 0]
    assert "ffc.check" in wrong.message


@pytest.mark.parametrize("seed", range(4))
def test_check_also_tries_values_that_the_system_gives(seed):
    """Whole numbers near `initial()` would not show what happens to larger ones."""
    check(Counter(U), seed=seed)
    with pytest.raises(FFCError, match="it changes with blocks from"):
        check(Counter(U, 40), seed=seed)


@pytest.mark.parametrize("transform", [jax.grad, lambda f: jax.grad(jax.jit(f))], ids=["grad", "grad of jit"])
def test_a_derivative_by_what_is_no_field_is_refused(transform):
    """The answer is right, and a derivative of 0 would not be."""
    system = zoo.tanh(0, size=4)

    def loss(weight):
        @jax.tree_util.register_dataclass
        @dataclass(frozen=True)
        class Closure(zoo.Tanh):
            def sweep(self, x):
                return weight * super().sweep(x)

        return jnp.sum(solve(Closure(system.weights, system.u), Jacobi()).value)

    np.testing.assert_allclose(loss(jnp.float32(1)), zoo.tanh_in_order(system).sum(), rtol=1e-5)
    with pytest.raises(FFCError, match="make the value a field"):
        transform(loss)(jnp.float32(1))


@pytest.mark.parametrize(
    "mode",
    [
        lambda: jax.numpy_rank_promotion("raise"),
        lambda: jax.numpy_dtype_promotion("strict"),
        lambda: jax.transfer_guard("disallow"),
    ],
    ids=["rank", "dtype", "transfer"],
)
def test_strict_modes_of_jax_change_nothing(mode):
    system, smooth = zoo.whole_numbers(0), zoo.tanh(0)
    with mode():
        for solver in (GSJacobi(5), JacobiGS(3)):
            np.testing.assert_array_equal(solve(system, solver, verify=True).value, zoo.in_order(system))
        near = solve(smooth, Jacobi(), Tolerance(1e-3, relative=1e-3))
        np.testing.assert_allclose(near.value, zoo.tanh_in_order(smooth), atol=1e-2)


def test_whole_numbers_that_are_missing_end_their_sample():
    """The smallest whole number is for what NaN is for in real numbers."""

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Missing(Counter):
        def sweep(self, x):
            return super().sweep(x).at[1, 5].set(jnp.iinfo(jnp.int32).min)

    solution = solve(Missing(U), Sequential(), verify=True)
    assert solution.status == [Status.CERTIFIED, Status.NOT_FINITE]
    assert solution.certified.tolist() == [12, 5]
