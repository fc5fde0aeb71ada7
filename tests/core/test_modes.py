"""Every kind of state, and every mode of JAX: the same certificate, and one sentence for each mistake."""

import os
import subprocess
import sys
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from jax.sharding import PartitionSpec
from places import ROOT

from ffc import GSJacobi, Jacobi, JacobiGS, Sequential, System, Tolerance, Trace, solve
from ffc.core.keys import key_of
from ffc.core.named import AUTO, FIXED, solver_by_name
from ffc.core.system import block_agreement, block_distance, l2_distance
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.models.transformer import Transformer

SOLVERS = [Sequential(), Jacobi(), GSJacobi(4), JacobiGS(3)]

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
pixels = [{"quantize": q, "coupling": c} for q in ("none", "8bit") for c in ("gumbel", "inverse_cdf")]
for model, options in ((made, {}), *((pixel, options) for options in pixels)):
    params = up(jax.jit(model.init)(key_of(0)))
    systems.append(model.system(params, up(model.noise(key_of(1), 2)), **options))
for system in systems:
    for solver in (Sequential(), Sequential(cached=True), Jacobi(), GSJacobi(4), JacobiGS(4)):
        solution = solve(system, solver)
        assert solution.exact
        assert solution.value.dtype == sys.argv[1], solution.value.dtype
        print(np.asarray(solution.value).tobytes().hex())
"""


def bits(dtype: str, x64: bool) -> list[str]:
    settings = {
        "JAX_ENABLE_X64": str(int(x64)),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/helpers")]),
    }
    command = [sys.executable, "-c", PROGRAM, dtype]
    run = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", ["made", "pixelcnnpp", "transformer"])
def test_a_window_keeps_its_types_where_64_bits_are_enabled(name, count):
    made, pixel = MADE((3, 4, 1), hidden=(8, 8)), PixelCNNPP((4, 4, 1), filters=2, resnets=1, mixtures=2)
    text = Transformer((1, 12, 1), levels=5, width=8, depth=1, heads=1, cheap=4)
    model = {"made": made, "pixelcnnpp": pixel, "transformer": text}[name]
    params, u = jax.jit(model.init)(key_of(0)), model.noise(key_of(1), 2)
    with jax.enable_x64(True):  # traced, and not run: an index of 64 bits is an error then
        system = model.system(params, u)
        drafted = GSJacobi(count, draft=system.draft()) if name == "transformer" else GSJacobi(count)
        solution = jax.eval_shape(lambda system: solve(system, drafted), system)
    assert solution.value.dtype == (np.int32 if name == "transformer" else np.float32)
    assert solution.iterations.dtype == np.int32


@pytest.mark.stress
def test_float32_has_the_same_bits_where_64_bits_are_enabled():
    assert bits("float32", x64=True) == bits("float32", x64=False)


@pytest.mark.stress
def test_float64_works_where_64_bits_are_enabled():
    assert len(bits("float64", x64=True)) == 35


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Any(System):
    """`x_i = f(u_i, x_{i−1})` in the dtype of `u`."""

    u: jax.Array  # [batch, N]
    f: object = field(metadata={"static": True})

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self.f(self.u, jnp.pad(x, ((0, 0), (1, 0)))[:, :-1])


def add(u, before):
    return u + before


def differ(u, before):
    return u ^ before


STATES = {
    "int8": (jnp.array([[100, 100, -7, 3]], jnp.int8), add),
    "uint8": (jnp.array([[200, 100, 7, 3]], jnp.uint8), add),
    "int32": (jnp.array([[2**31 - 1, 5, -7, 3]], jnp.int32), add),
    "bool": (jnp.array([[True, True, False, True]]), differ),
    "bfloat16": (jnp.array([[0.1, 0.7, -3, 30]], jnp.bfloat16), add),
    "float16": (jnp.array([[0.1, 0.7, -3, 300]], jnp.float16), add),
    "complex64": (jnp.array([[1 + 2j, -0.5j, 3, -0.1]], jnp.complex64), add),
}


@pytest.mark.parametrize("name", STATES)
def test_states_of_any_dtype_are_certified(name):
    u, f = STATES[name]
    expected, before = [], jnp.zeros_like(u[:, 0])
    for i in range(u.shape[1]):
        before = f(u[:, i], before)
        expected.append(before)
    for solver in (Sequential(), Jacobi(), GSJacobi(2)):
        solution = solve(Any(u, f), solver, trace=Trace(jnp.stack(expected, axis=1), 4))
        assert solution.exact
        np.testing.assert_array_equal(solution.value, jnp.stack(expected, axis=1))
        assert float(solution.history.l2[-1, 0]) == 0
        assert np.isfinite(np.asarray(solution.history.l2)).all()


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (np.uint8(3), np.uint8(5), 2),
        (np.int8(127), np.int8(-128), 255),
        (np.int32(2**31 - 1), np.int32(-(2**31)), 2.0**32),
        (np.bool_(True), np.bool_(False), 1),
        (np.complex64(3j), np.complex64(4), 5),
        (np.float32(1.5), np.float32(-1), 2.5),
    ],
)
def test_distances_are_right_for_every_dtype(a, b, distance):
    x, y = jnp.full((1, 1), a), jnp.full((1, 1), b)
    assert float(block_distance(x, y)[0, 0]) == float(l2_distance(x, y)[0]) == distance


def test_a_complex_minus_zero_is_not_zero():
    zero, minus = jnp.zeros((1, 1), jnp.complex64), jnp.full((1, 1), np.complex64(complex(0.0, -0.0)))
    assert not block_agreement(zero, minus).any()
    assert block_agreement(minus, minus).all()


def test_a_solution_leaves_jit_and_vmap():
    system = zoo.tanh(0)
    answer = solve(system, Jacobi())
    inside = jax.jit(lambda system: solve(system, Jacobi()))(system)
    assert inside.exact
    np.testing.assert_array_equal(inside.value, answer.value)
    each = jax.vmap(lambda u: solve(zoo.Tanh(system.weights, u[None]), Jacobi()))(system.u)
    assert each.exact
    np.testing.assert_allclose(each.value[:, 0], answer.value, atol=1e-6)


def test_tolerances_and_limits_may_be_traced():
    system = zoo.tanh(0)
    run = jax.jit(lambda tolerance, most: solve(system, Jacobi(), Tolerance(tolerance, most)).iterations)
    fixed = solve(system, Jacobi(), Tolerance(1e-3)).iterations
    np.testing.assert_array_equal(run(1e-3, 12), fixed)
    assert run(1e-3, 2).max() == 2


def test_a_relative_tolerance_counts_by_the_size_of_a_block():
    u = jnp.full((1, 4), 1000.0)
    system = Any(u, lambda u, before: u + 0.1 * before)
    absolute, relative = (solve(system, Jacobi(), stop) for stop in (Tolerance(1e-3), Tolerance(0.0, relative=0.5)))
    assert relative.iterations < absolute.iterations


def test_shard_map_works_with_its_defaults():
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))
    part = PartitionSpec("samples")
    for system, build in ((zoo.tanh(0), zoo.Tanh), (zoo.whole_numbers(0), zoo.WholeNumbers)):
        run = jax.shard_map(
            lambda u, build=build, weights=system.weights: solve(build(weights, u), GSJacobi(4)).value,
            mesh=mesh,
            in_specs=part,
            out_specs=part,
        )
        np.testing.assert_array_equal(jax.jit(run)(system.u), solve(system, GSJacobi(4)).value)


@pytest.mark.parametrize("retire", [False, True])
@pytest.mark.parametrize("shape", [(2, 0), (0, 5)], ids=["no blocks", "no samples"])
def test_nothing_to_solve_is_solved_by_any_solver_of_any_name(shape, retire):
    batch, size = shape
    system = zoo.unconnected(batch, size)
    for name in (*FIXED, AUTO):
        solution = solve(system, solver_by_name(name, system), retire=retire)
        assert solution.exact
        assert solution.value.shape == shape


@pytest.mark.parametrize("shape", [(2, 0), (0, 5)], ids=["no blocks", "no samples"])
def test_nothing_to_solve_is_solved(shape):
    for solver in (Sequential(), Jacobi()):
        solution = solve(Any(jnp.zeros(shape), add), solver)
        assert solution.exact
        assert solution.value.shape == shape
        assert solution.evaluations == 0
