"""The recurrent network in parallel over time, forwards and backwards: the same answers as in order, or it says so."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffc import Jacobi, JacobiGS, solve
from ffc.core.errors import FFCError
from ffc.core.solution import Status
from ffc.data import Dataset
from ffc.models import rnn
from ffc.models.rnn.parallel import TOLERANCE
from ffc.paper.experiments import rnn_scaling

HIDDEN, LENGTH = 5, 12
small = functools.partial(settings, max_examples=5, deadline=None, derandomize=True)
seeds = st.integers(0, 1000)


def network(seed=0, scale=0.3, length=LENGTH, batch=2):
    weights, pixels = jax.random.split(jax.random.key(seed))
    return rnn.init(weights, HIDDEN, scale), jax.random.uniform(pixels, (batch, length))


forward = jax.jit(rnn.forward)
newton = jax.jit(rnn.forward_by_newton, static_argnames=("diagonal", "chunk", "max_iterations"))
forward_by_chunks = jax.jit(rnn.forward_by_chunks, static_argnames=("chunk", "warmup"))
adjoint_by_chunks = jax.jit(rnn.adjoint_by_chunks, static_argnames=("chunk", "warmup"))


def assert_same_pass(found, run):
    for one, other in zip(found, run, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("chunk", [None, 5])
@small()
@given(seed=seeds)
def test_newtons_states_are_those_in_order(diagonal, chunk, seed):
    params, x = network(seed)
    found = newton(params, x, diagonal, chunk)
    assert not found.in_order
    assert set(np.asarray(found.status)) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    assert 1 <= found.iterations <= LENGTH
    assert_same_pass(found.run, forward(params, x))


@pytest.mark.parametrize("diagonal", [False, True])
def test_where_newton_fails_the_pass_in_order_is_returned_and_the_status_says_so(diagonal):
    params, x = network(scale=2.0, length=60)
    found = newton(params, x, diagonal, max_iterations=3)
    assert found.in_order
    assert set(np.asarray(found.status)) <= {Status.NOT_FINITE, Status.ITERATION_LIMIT}
    np.testing.assert_allclose(found.run.hidden, forward(params, x).hidden, rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3, 5, 12, 40])
def test_states_in_chunks_are_those_in_order(chunk):
    """Three does divide the length, five does not, and forty is longer."""
    params, x = network()
    found = forward_by_chunks(params, x, chunk, 2)
    assert not found.in_order
    assert_same_pass(found.run, forward(params, x))


@pytest.mark.parametrize("chunk", [None, 1, 3, 5, 40])
def test_adjoints_by_scan_are_those_of_backpropagation_for_every_chunk(chunk):
    params, x = network()
    run = forward(params, x)
    exact = rnn.gradients(x, run, rnn.adjoint_in_order(params, run))
    found = rnn.gradients(x, run, rnn.adjoint_by_scan(params, run, chunk))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, exact)


@pytest.mark.parametrize("chunk", [1, 3, 5, 12, 40])
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_adjoints_in_chunks_are_those_of_backpropagation(chunk, scale):
    """Also where the network does not forget (scale 1), so that the guesses from two steps are wrong."""
    params, x = network(scale=scale)
    run = forward(params, x)
    exact, found = rnn.adjoint_in_order(params, run), adjoint_by_chunks(params, run, chunk, 2)
    assert (np.asarray(found.residual) <= TOLERANCE).all()
    np.testing.assert_allclose(found.value[:, ::-1], exact, atol=1e-5 * np.abs(exact).max())


def test_a_wrong_guess_costs_runs_through_the_chunks_and_a_true_one_does_not():
    params, x = network(scale=0.1, length=60)
    run = forward(params, x)
    passes = [int(adjoint_by_chunks(params, run, 20, warmup).iterations.max()) for warmup in (0, 20)]
    assert passes[0] > passes[1] == 1


def test_a_chunk_that_starts_from_what_its_neighbour_ended_with_is_certified():
    """One chunk has no neighbour, and a network without memory passes nothing on."""
    params, x = network()
    run = forward(params, x)
    assert set(adjoint_by_chunks(params, run, LENGTH, 1).status) == {Status.CERTIFIED}
    params = params | {"W_h": jnp.zeros_like(params["W_h"])}
    found = adjoint_by_chunks(params, forward(params, x), 4, 1)
    assert set(found.status) == {Status.CERTIFIED}
    assert (np.asarray(found.residual) == 0).all()


def test_chunks_are_jacobi_gs_on_the_adjoints():
    params, x = network()
    run = forward(params, x)
    solution = solve(rnn.adjoint_system(params, run), JacobiGS(4))
    assert solution.exact
    found = adjoint_by_chunks(params, run, 4, 0)
    np.testing.assert_allclose(found.value, solution.value, atol=1e-6)


def test_a_hidden_system_is_solved_by_jacobi_alone():
    params, x = network()
    solution = solve(rnn.hidden_states(params, x), Jacobi())
    assert solution.exact
    np.testing.assert_allclose(solution.value[:, :-1], forward(params, x).hidden[:, 1:], atol=1e-6)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve images of 4×4 pixels."""
    path = tmp_path_factory.mktemp("scaling") / "data.npz"
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    Dataset("small", "small noise", images, images).to_record().save(path)
    return path


def test_both_passes_are_timed_in_every_way_and_agree(data):
    options = {"hidden": HIDDEN, "scale": 0.3, "lengths": [6]}
    record = rnn_scaling.run(options, data=data, seed=0, repeats=2)
    ways = ("sequential", "deer", "quasi_deer", "forward_chunks", "backpropagation", "jacobi", "chunks", "scan")
    np.testing.assert_array_equal(record["lengths"], [6])
    for way in ways:
        assert record[f"{way}_seconds"].shape == (1, 2)
        assert (record[f"{way}_difference"] < 1e-5).all()
    assert all(record[f"{way}_parallel"].all() for way in ways if way not in ("sequential", "backpropagation"))
    assert record["jacobi_iterations"][0] <= 6
    np.testing.assert_array_equal(record["sequential_iterations"], [6])


def test_a_length_beyond_the_data_is_refused(data):
    options = {"hidden": HIDDEN, "scale": 0.3, "lengths": [200]}
    with pytest.raises(FFCError, match=r"tasks\.rnn\.lengths: 200; the data has 192 pixels"):
        rnn_scaling.run(options, data=data, seed=0, repeats=1)
