"""Every kind of number, and every mode of JAX: the same certificate and the same bits."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from drafting import Mixture
from jax.sharding import PartitionSpec
from places import ROOT

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, Status, Tolerance, Trace, solve
from ffc.core.named import solver_by_name
from ffc.core.names import AUTO, FIXED
from ffc.core.system import block_agreement
from ffc.core.verify import verified

N = 12
SOLVERS = [Sequential(), Jacobi(), GSJacobi(5), JacobiGS(4)]


def bits(values) -> np.ndarray:
    values = np.asarray(values)
    return values.view(f"uint{8 * values.dtype.itemsize}")


# Numbers

STATES = {
    "int8": (jnp.array([[100, 100, -7, 3]], jnp.int8), zoo.add),
    "uint8": (jnp.array([[200, 100, 7, 3]], jnp.uint8), zoo.add),
    "int32": (jnp.array([[2**31 - 1, 5, -7, 3]], jnp.int32), zoo.add),
    "bool": (jnp.array([[True, True, False, True]]), jnp.logical_xor),
    "bfloat16": (jnp.array([[0.1, 0.7, -3, 30]], jnp.bfloat16), zoo.add),
    "float16": (jnp.array([[0.1, 0.7, -3, 300]], jnp.float16), zoo.add),
    "complex64": (jnp.array([[1 + 2j, -0.5j, 3, -0.1]], jnp.complex64), zoo.add),
}


@pytest.mark.parametrize("dtype", STATES)
def test_states_of_any_dtype_are_certified_traced_and_verified(dtype):
    u, step = STATES[dtype]
    system, blocks, discrete = zoo.Line(u, step), [jnp.zeros_like(u[:, 0])], not jnp.issubdtype(u.dtype, jnp.inexact)
    for i in range(4):
        blocks.append(step(u[:, i], blocks[-1]))
    answer = jnp.stack(blocks[1:], axis=1)
    guess = jnp.full_like(u, jnp.iinfo(u.dtype).min if discrete and u.dtype != bool else -3)
    solution = solve(system, Jacobi(), trace=Trace(answer, 4), guess=guess, verify=True)
    assert solution.exact
    np.testing.assert_array_equal(solution.value, answer)
    assert solution.verification.proven.all()
    wide = [np.asarray(x).astype(complex if u.dtype == jnp.complex64 else float) for x in (guess, answer)]
    apart = np.abs(wide[0] - wide[1])  # without an overflow
    np.testing.assert_allclose(solution.history.largest[0], apart.max(), rtol=1e-3)
    np.testing.assert_allclose(solution.history.l2[0], np.linalg.norm(apart), rtol=1e-2)
    assert solution.history.l2[-1] == solution.residual == 0
    found = verified(system, replace(solution, value=answer.at[0, 3].set(jnp.zeros((), u.dtype))))
    assert found.residual.dtype == jnp.float32
    assert found.verification.corrected.tolist() == [int(discrete)]
    assert jnp.all(found.value == answer) == discrete
    np.testing.assert_allclose(found.residual[0], 0 if discrete else np.abs(wide[1][0, 3]), rtol=0.01)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_every_solver_gives_the_same_bits_of_real_numbers_in_any_precision(dtype):
    single = zoo.tanh(3)
    system = jax.tree.map(lambda leaf: leaf.astype(dtype), single)
    answer = solve(system, Sequential())
    for solver in SOLVERS[1:]:
        solution = solve(system, solver)
        assert solution.exact
        assert solution.value.dtype == dtype
        np.testing.assert_array_equal(bits(solution.value), bits(answer.value))
    if dtype == jnp.float32:
        np.testing.assert_allclose(answer.value, zoo.in_order(single), atol=1e-6)


@pytest.mark.parametrize("zero", [0.0, 0j])
def test_minus_zero_is_not_zero_and_nan_equals_nothing(zero):
    plus, nan = (jnp.full((1, 1), value, jnp.result_type(zero)) for value in (zero, np.nan))
    minus = -plus
    assert block_agreement(plus, plus).all()
    assert block_agreement(minus, minus).all()
    assert not block_agreement(plus, minus).any()
    assert not block_agreement(nan, nan).any()


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
    for solver, guess in itertools.product(SOLVERS, (0.0, -0.0, 1e-45)):
        solution = solve(system, solver, guess=jnp.full((2, N), guess))
        assert solution.exact
        np.testing.assert_array_equal(bits(solution.value), answer)


def test_an_infinity_on_the_way_ends_a_parallel_solve_whose_answer_would_be_finite():
    """A guess of zeros is divided by: the sequential order never does. Another guess mends it."""
    system = zoo.Line(jnp.arange(2.0, 26.0).reshape(2, N), jnp.divide, first=1)
    answer, stopped = solve(system, Sequential()), solve(system, Jacobi())
    assert answer.exact
    assert set(stopped.status) == {Status.NOT_FINITE}
    for value, right, certified in zip(stopped.value, answer.value, stopped.certified, strict=True):
        np.testing.assert_array_equal(value[:certified], right[:certified])
    mended = solve(system, Jacobi(), guess=jnp.ones((2, N)))
    np.testing.assert_array_equal(bits(mended.value), bits(answer.value))


# Modes of JAX


def inside_jit(run, system):
    return jax.jit(run)(system)


def inside_vmap(run, system):
    """Each sample alone."""
    alone = jax.vmap(run)(jax.tree.map(lambda leaf: leaf[:, None], system))
    return jax.tree.map(lambda leaf: leaf[:, 0], alone)


def inside_shard_map(run, system):
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = PartitionSpec("samples")
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=part, out_specs=part))(system)


@pytest.mark.parametrize(
    ("mode", "solver", "options"),
    [
        (inside_jit, GSJacobi(8), {"guess": RowAbove(), "stop": Tolerance(1.0)}),
        (inside_vmap, GSJacobi(8), {"guess": RowAbove()}),
        (inside_vmap, Jacobi(draft=Mixture()), {}),
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


def test_tolerances_and_limits_may_be_traced():
    system = zoo.tanh(0)
    run = jax.jit(lambda tolerance, most: solve(system, Jacobi(), Tolerance(tolerance, most)).iterations)
    np.testing.assert_array_equal(run(1e-3, N), solve(system, Jacobi(), Tolerance(1e-3)).iterations)
    assert run(1e-3, 2).max() == 2


@pytest.mark.parametrize("shape", [(2, 0), (0, 5)], ids=["no blocks", "no samples"])
def test_nothing_to_solve_is_solved_by_any_solver_of_any_name(shape):
    batch, size = shape
    system = zoo.unconnected(batch, size)
    for name in (*FIXED, AUTO):
        solution = solve(system, solver_by_name(name, system), retire=name == "jacobi", verify=True)
        assert solution.exact
        assert solution.value.shape == shape
        assert solution.residual.shape == shape[:1]
        assert solution.evaluations == 0


#: Bits of every solver and model, by a process of its own.
PROGRAM = """
import sys
import jax, numpy as np, zoo
from ffc.core.keys import key_of
from ffc import GSJacobi, Jacobi, JacobiGS, Sequential, solve
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP

wide = sys.argv[1] == "float64"
up = (lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)) if wide else (lambda tree: tree)
made, pixel = MADE((3, 4, 1), hidden=(8, 8)), PixelCNNPP((4, 4, 1), filters=2, resnets=1, mixtures=2)
systems = [up(zoo.tanh(0)), up(zoo.whole_numbers(0))]
for model, options in ((made, {}), (pixel, {}), (pixel, {"quantize": "8bit", "coupling": "inverse_cdf"})):
    params = up(jax.jit(model.init)(key_of(0)))
    systems.append(model.system(params, up(model.noise(key_of(1), 2)), **options))
for system in systems:
    for solver in (Sequential(), Sequential(cached=True), Jacobi(), GSJacobi(4), JacobiGS(4)):
        solution = solve(system, solver)
        assert solution.exact
        assert solution.value.dtype == sys.argv[1], solution.value.dtype
        print(np.asarray(solution.value).tobytes().hex())
"""


def printed(dtype: str, x64: bool) -> list[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/helpers")])
    settings = os.environ | {"JAX_ENABLE_X64": str(int(x64)), "PYTHONPATH": path}
    run = subprocess.run([sys.executable, "-c", PROGRAM, dtype], env=settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.stress
def test_where_64_bits_are_enabled_float32_has_the_same_bits_and_float64_works():
    assert printed("float32", x64=True) == printed("float32", x64=False)
    assert len(printed("float64", x64=True)) == 25
