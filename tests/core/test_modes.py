"""Every kind of number, and every mode of JAX: the same certificate and the same bits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from drafting import Mixture
from jax.sharding import PartitionSpec

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, history_of, solve
from ffc.core.keys import key_of
from ffc.core.named import solver_by_name
from ffc.core.names import AUTO
from ffc.core.solvers import CLASSES
from ffc.core.system import block_agreement
from ffc.core.verify import verified
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.recurrence import Picard

N = 12


def bits(values) -> np.ndarray:
    values = np.asarray(values)
    return values.view(f"uint{8 * values.dtype.itemsize}")


# Numbers

STATES = {
    "int8": (jnp.array([[100, 100, -7, 3]], jnp.int8), zoo.add),
    "bool": (jnp.array([[True, True, False, True]]), jnp.logical_xor),
    "bfloat16": (jnp.array([[0.1, 0.7, -3, 30]], jnp.bfloat16), zoo.add),
    "complex64": (jnp.array([[1 + 2j, -0.5j, 3, -0.1]], jnp.complex64), zoo.add),
}


@pytest.mark.parametrize("dtype", STATES)
def test_states_of_any_dtype_are_certified_traced_and_verified(dtype):
    """A sweep leads a last block that is wrong to the answer where values are discrete, and measures it elsewhere."""
    u, step = STATES[dtype]
    system, blocks, discrete = zoo.Line(u, step), [jnp.zeros_like(u[:, 0])], not jnp.issubdtype(u.dtype, jnp.inexact)
    for i in range(4):
        blocks.append(step(u[:, i], blocks[-1]))
    answer = jnp.stack(blocks[1:], axis=1)
    guess = jnp.full_like(u, jnp.iinfo(u.dtype).min if discrete and u.dtype != bool else -3)
    solution = solve(system, Jacobi(), x0=guess, verify=True)
    assert solution.exact
    assert solution.verification.proven.all()
    np.testing.assert_array_equal(solution.value, answer)
    history = history_of(system, Jacobi(), solution, x0=guess)
    wide = [np.asarray(x).astype(complex if u.dtype == jnp.complex64 else float) for x in (guess, answer)]
    apart = np.abs(wide[0] - wide[1])  # without an overflow
    np.testing.assert_allclose(history.largest[0], apart.max(), rtol=1e-2)
    np.testing.assert_allclose(history.l2[0], np.linalg.norm(apart), rtol=1e-2)
    assert history.l2[-1] == solution.residual == 0
    wrong = verified(system, replace(solution, value=answer.at[0, 3].set(jnp.zeros((), u.dtype))))
    assert wrong.residual.dtype == jnp.float32
    assert wrong.verification.corrected == jnp.all(wrong.value == answer) == discrete
    np.testing.assert_allclose(wrong.residual, 0 if discrete else np.abs(wide[1][0, 3]), rtol=0.01)
    assert discrete or not block_agreement(0 * u, -(0 * u)).any(), "the bits of −0 are others"


@pytest.mark.parametrize("solver", [JacobiGS(2), Jacobi(draft=Picard())], ids=str)
def test_a_state_may_be_several_arrays(solver):
    system = zoo.Leaves(jnp.array([1.0, 3.0]))
    answer, solution = system.initial(), solve(system, solver, verify=True)
    for _ in range(system.size):
        answer = system.sweep(answer)
    jax.tree.map(np.testing.assert_array_equal, solution.value, answer)
    assert solution.exact


@pytest.mark.stress  # programs that are not optimised differ in the last bits
def test_every_solver_gives_the_same_bits_of_real_numbers():
    system = zoo.tanh(3)
    answer = solve(system, Sequential()).value
    np.testing.assert_allclose(answer, zoo.in_order(system), atol=1e-6)
    for solver in (Jacobi(), GSJacobi(5), JacobiGS(4)):
        solution = solve(system, solver)
        assert solution.exact
        np.testing.assert_array_equal(bits(solution.value), bits(answer))


def alternate(u, before):
    """+0 after one, then zeros of the other sign in turn."""
    return jnp.where(before == 1, 0.0, jnp.where(jnp.signbit(before), 0.0, -0.0))


def tenth(u, before):
    """From 1e-30 down to 1e-41: below 1.2e-38 float32 has denormal numbers, which all solvers flush, or none."""
    return jnp.where(before == 1, 1e-30, before / 10)


@pytest.mark.parametrize("step", [alternate, tenth])
def test_zeros_of_another_sign_and_numbers_next_to_zero_do_not_pass_for_settled(step):
    system = zoo.Line(jnp.zeros((2, N)), step, first=1)
    answer = bits(solve(system, Sequential()).value)
    assert step is tenth or answer.tolist() == [[0, 2**31] * (N // 2)] * 2
    for guess in (0.0, -0.0, 1e-45):
        solution = solve(system, Jacobi(), x0=jnp.full((2, N), guess))
        assert solution.exact
        np.testing.assert_array_equal(bits(solution.value), answer)


# Modes of JAX


def inside_vmap(run, system):
    """Each sample alone."""
    return jax.tree.map(lambda leaf: leaf[:, 0], jax.vmap(run)(jax.tree.map(lambda leaf: leaf[:, None], system)))


def inside_shard_map(run, system):
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = PartitionSpec("samples")
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=part, out_specs=part))(system)


@pytest.mark.parametrize(
    ("mode", "solver", "options"),
    [
        (lambda run, system: jax.jit(run)(system), GSJacobi(8), {"x0": RowAbove(), "atol": 1.0}),
        (inside_vmap, GSJacobi(8, draft=Mixture()), {"x0": RowAbove()}),
        (inside_shard_map, GSJacobi(5, draft=Mixture()), {}),
    ],
)
def test_a_solve_inside_is_that_outside_and_a_sample_knows_nothing_of_its_batch(mode, solver, options):
    system = zoo.crowd(row_length=4)

    def run(system):
        return solve(system, solver, verify=True, **options)

    inside, outside = mode(run, system), run(system)
    jax.tree.map(np.testing.assert_array_equal, inside, outside)
    assert inside.message == outside.message


def test_strict_modes_of_jax_change_nothing():
    system, smooth = zoo.whole_numbers(0), zoo.tanh(0)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"), jax.transfer_guard("disallow"):
        np.testing.assert_array_equal(solve(system, GSJacobi(5), verify=True).value, zoo.in_order(system))
        near = solve(smooth, Jacobi(), atol=1e-3, rtol=1e-3)
        np.testing.assert_allclose(near.value, zoo.in_order(smooth), atol=1e-2)


@pytest.mark.parametrize("shape", [(2, 0), (0, 5)], ids=["no blocks", "no samples"])
def test_nothing_to_solve_is_solved_by_any_solver_of_any_name(shape):
    batch, size = shape
    system = zoo.unconnected(batch, size)
    for name in (*CLASSES, AUTO) if size == 0 else ("cached", "jacobi_gs", AUTO):
        solution = solve(system, solver_by_name(name, system), verify=True)
        assert solution.exact
        assert (solution.value.shape, solution.residual.shape, solution.evaluations) == (shape, shape[:1], 0)


SMALL = MADE((3, 4, 1), hidden=(8, 8)), PixelCNNPP((4, 4, 1), filters=2, resnets=0, mixtures=1)
SOLVERS = [(None, Jacobi()), (None, JacobiGS(4)), *((model, GSJacobi(4)) for model in SMALL), (SMALL[1], JacobiGS(4))]


@pytest.mark.stress
@pytest.mark.parametrize(("model", "solver"), SOLVERS)
def test_where_64_bits_are_enabled_float32_has_the_same_bits_and_float64_works(model, solver):
    """Weights and noise, too; of whole sweeps, windows, and columns."""

    def run(dtype):
        arrays = (jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)) if model else zoo.tanh(0)
        arrays = jax.tree.map(lambda leaf: leaf.astype(dtype) if dtype else leaf, arrays)
        solution = solve(model.system(*arrays) if model else arrays, solver)
        assert solution.exact
        return solution.value

    answer = run(None)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(bits(run(None)), bits(answer))
        assert run("float64").dtype == np.float64
