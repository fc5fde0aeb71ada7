"""The recurrent network in parallel over time, forwards and backwards: the same answers as in order, or it says so."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc import Jacobi, JacobiGS, solve
from ffc.core.errors import FFCError
from ffc.core.solution import Status
from ffc.data import Dataset
from ffc.models import rnn
from ffc.models.rnn.parallel import TOLERANCE
from ffc.paper.experiments import rnn_scaling

HIDDEN, LENGTH = 5, 12
CHUNKS = (1, 5, 40)  # one does divide the length, five does not, and forty is longer


def network(seed=0, scale=0.3, length=LENGTH, batch=2):
    weights, pixels = jax.random.split(jax.random.key(seed))
    return rnn.init(weights, HIDDEN, scale), jax.random.uniform(pixels, (batch, length))


forward = jax.jit(rnn.forward)
newton = jax.jit(rnn.forward_by_newton, static_argnames=("diagonal", "chunk", "max_iterations"))
forward_by_chunks = jax.jit(rnn.forward_by_chunks, static_argnames=("chunk", "warmup"))
adjoint_by_chunks = jax.jit(rnn.adjoint_by_chunks, static_argnames=("chunk", "warmup"))
in_order = jax.jit(rnn.adjoint_in_order)


def assert_close(ours, theirs, share=1e-5):
    """To a share of the largest entry of each array."""
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=share * np.abs(other).max())


@pytest.mark.parametrize(("diagonal", "chunk"), [(False, None), (False, 5), (True, None)])
def test_newtons_states_are_those_in_order(diagonal, chunk):
    for seed in range(5):
        params, x = network(seed)
        passed = newton(params, x, diagonal, chunk)
        assert not passed.in_order
        assert set(np.asarray(passed.status)) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
        assert 1 <= passed.iterations <= LENGTH
        assert_close(passed.run, forward(params, x))


@pytest.mark.parametrize("diagonal", [False, True])
def test_where_newton_fails_the_pass_in_order_is_returned_and_the_status_says_so(diagonal):
    params, x = network(scale=2.0, length=60)
    passed = newton(params, x, diagonal, max_iterations=3)
    assert passed.in_order
    assert set(np.asarray(passed.status)) <= {Status.NOT_FINITE, Status.ITERATION_LIMIT}
    np.testing.assert_allclose(passed.run.hidden, forward(params, x).hidden, rtol=1e-5)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_states_and_adjoints_in_chunks_are_those_in_order(chunk):
    """Also where the network does not forget (scale 1), so that the guesses from two steps are wrong."""
    for scale in (0.3, 1.0):
        params, x = network(scale=scale)
        run = forward(params, x)
        passed = forward_by_chunks(params, x, chunk, 2)
        assert scale == 1 or not passed.in_order
        assert_close(passed.run, run)
        adjoints = adjoint_by_chunks(params, run, chunk, 2)
        assert (np.asarray(adjoints.residual) <= TOLERANCE).all()
        assert_close(adjoints.value[:, ::-1], in_order(params, run))


def test_gradients_by_order_or_scan_are_those_of_automatic_differentiation():
    params, x = network(scale=0.5, length=20)
    loss, expected = jax.jit(jax.value_and_grad(lambda params: rnn.forward(params, x).loss))(params)
    run = forward(params, x)
    assert float(jax.jit(rnn.loss_and_gradients)(params, x)[0]) == pytest.approx(float(loss))
    scans = [jax.jit(functools.partial(rnn.adjoint_by_scan, chunk=chunk)) for chunk in (None, 1, 7)]
    for way in (in_order, *scans):
        assert_close(rnn.gradients(x, run, way(params, run)), expected, 1e-4)


def test_a_wrong_guess_costs_runs_through_the_chunks_and_no_neighbour_none():
    """One chunk has no neighbour, and a network without memory passes nothing on: both are certified."""
    params, x = network(scale=0.1, length=60)
    run = forward(params, x)
    passes = [int(adjoint_by_chunks(params, run, 20, warmup).iterations.max()) for warmup in (0, 20)]
    assert passes[0] > passes[1] == 1
    forgetful = params | {"W_h": jnp.zeros_like(params["W_h"])}
    for adjoints in (adjoint_by_chunks(params, run, 60, 1), adjoint_by_chunks(forgetful, forward(forgetful, x), 20, 1)):
        assert set(adjoints.status) == {Status.CERTIFIED}
        assert (np.asarray(adjoints.residual) == 0).all()


def test_chunks_are_jacobi_gs_on_the_adjoints_and_states_are_a_system():
    params, x = network()
    run = forward(params, x)
    solution, states = (
        solve(rnn.adjoint_system(params, run), JacobiGS(4)),
        solve(rnn.hidden_states(params, x), Jacobi()),
    )
    assert solution.exact
    assert states.exact
    np.testing.assert_allclose(adjoint_by_chunks(params, run, 4, 0).value, solution.value, atol=1e-6)
    np.testing.assert_allclose(states.value[:, :-1], run.hidden[:, 1:], atol=1e-6)


def test_both_passes_are_timed_in_every_way_and_agree(tmp_path):
    """Sequences are no longer than the data: twelve images of 4×4 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    Dataset("small", "small noise", images, images).to_record().save(tmp_path / "data.npz")
    time = functools.partial(rnn_scaling.run, data=tmp_path / "data.npz", seed=0, repeats=2)
    record = time({"hidden": HIDDEN, "scale": 0.3, "lengths": [6]})
    parallel = ("deer", "quasi_deer", "forward_chunks", "jacobi", "chunks", "scan")
    for way in ("sequential", "backpropagation", *parallel):
        assert record[f"{way}_seconds"].shape == (1, 2)
        assert (record[f"{way}_difference"] < 1e-5).all()
    assert all(record[f"{way}_parallel"].all() for way in parallel)
    assert record["jacobi_iterations"][0] <= 6
    assert record["lengths"].tolist() == record["sequential_iterations"].tolist() == [6]
    with pytest.raises(FFCError, match=r"tasks\.rnn\.lengths: 200; the data has 192 pixels"):
        time({"hidden": HIDDEN, "scale": 0.3, "lengths": [200]})
