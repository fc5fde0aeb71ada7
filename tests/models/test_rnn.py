"""The recurrent network in parallel over time, forwards and backwards: the same answers as in order, or it says so."""

import functools

import jax
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.core.solution import Status
from ffc.data import Dataset
from ffc.models import rnn
from ffc.paper.experiments import rnn_scaling


def network(scale=0.3, length=12):
    weights, pixels = jax.random.split(jax.random.key(0))
    return rnn.init(weights, 5, scale), jax.random.uniform(pixels, (2, length))


forward = jax.jit(rnn.forward)
newton = jax.jit(rnn.forward_by_newton, static_argnames=("chunk", "max_iterations"))
forward_by_chunks = jax.jit(rnn.forward_by_chunks, static_argnames=("chunk", "warmup"))
adjoint_by_chunks = jax.jit(rnn.adjoint_by_chunks, static_argnames=("chunk", "warmup"))
in_order = jax.jit(rnn.adjoint_in_order)


def assert_close(ours, theirs, share=1e-5):
    """To a share of the largest entry of each array."""
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=share * np.abs(other).max())


def test_newtons_states_are_those_in_order():
    params, x = network()
    passed = newton(params, x, chunk=5)
    assert not passed.in_order
    assert set(np.asarray(passed.status)) <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    assert 1 <= passed.iterations <= 12
    assert_close(passed.run, forward(params, x))
    spoiled = newton(params, x.at[0].set(np.inf), chunk=5)
    assert spoiled.in_order, "one sample of the batch has no states"
    assert spoiled.status[0] == Status.NOT_FINITE != spoiled.status[1]


def test_where_newton_fails_the_pass_in_order_is_returned_and_the_status_says_so():
    params, x = network(scale=2.0, length=60)
    passed = newton(params, x, max_iterations=3)
    assert passed.in_order
    assert set(np.asarray(passed.status)) <= {Status.NOT_FINITE, Status.ITERATION_LIMIT}
    np.testing.assert_allclose(passed.run.hidden, forward(params, x).hidden, rtol=1e-5)


@pytest.mark.parametrize("chunk", [5, 40])  # one does not divide the length, one is longer
def test_states_and_adjoints_in_chunks_are_those_in_order(chunk):
    """Also where the network does not forget (scale 1), so that the guesses from two steps are wrong."""
    for scale in (0.3, 1.0):
        params, x = network(scale=scale)
        run = forward(params, x)
        passed = forward_by_chunks(params, x, chunk, 2)
        assert scale == 1 or not passed.in_order
        assert_close(passed.run, run)
        assert_close(adjoint_by_chunks(params, run, chunk, 2)[0], in_order(params, run))


def test_gradients_by_order_or_scan_are_those_of_automatic_differentiation():
    params, x = network(scale=0.5, length=20)
    loss, expected = jax.jit(jax.value_and_grad(lambda params: rnn.forward(params, x).loss))(params)
    run = forward(params, x)
    assert float(jax.jit(rnn.loss_and_gradients)(params, x)[0]) == pytest.approx(float(loss))
    scans = [jax.jit(functools.partial(rnn.adjoint_by_scan, chunk=chunk)) for chunk in (None, 7)]
    for way in (in_order, *scans):
        assert_close(rnn.gradients(x, run, way(params, run)), expected, 1e-4)


def test_a_wrong_guess_costs_runs_through_the_chunks_and_one_chunk_is_certified():
    params, x = network(scale=0.1, length=60)
    run = forward(params, x)
    passes = [int(adjoint_by_chunks(params, run, 20, warmup)[1].iterations.max()) for warmup in (0, 20)]
    assert passes[0] > passes[1] == 1
    assert adjoint_by_chunks(params, run, 60, 1)[1].exact


def test_both_passes_are_timed_in_every_way_and_agree(tmp_path):
    """Sequences are no longer than the data: twelve images of 4×4 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    Dataset("small", "small noise", images, images).to_record().save(tmp_path / "data.npz")
    time = functools.partial(rnn_scaling.run, data=tmp_path / "data.npz", seed=0, repeats=2)
    record = time({"hidden": 5, "scale": 0.3, "lengths": [6]})
    parallel = ("deer", "quasi_deer", "forward_chunks", "jacobi", "chunks", "scan")
    for way in ("sequential", "backpropagation", *parallel):
        assert record[f"{way}_seconds"].shape == (1, 2)
        assert (record[f"{way}_difference"] < 1e-5).all()
    assert all(record[f"{way}_parallel"].all() for way in parallel)
    assert record["jacobi_iterations"][0] <= 6
    assert record["lengths"].tolist() == record["sequential_iterations"].tolist() == [6]
    with pytest.raises(FFCError, match=r"tasks\.rnn\.lengths: 200; the data has 192 pixels"):
        time({"hidden": 5, "scale": 0.3, "lengths": [200]})
