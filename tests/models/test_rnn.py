"""The recurrent network in parallel over time, forwards and backwards: the same answers as in order, or it says so."""

import functools

import jax
import numpy as np
import pytest
from zoo import assert_close

from ffc.core.errors import FFCError
from ffc.core.solution import Status
from ffc.data import Dataset
from ffc.models import rnn
from ffc.paper.experiments import rnn_scaling


def network(scale):
    weights, pixels = jax.random.split(jax.random.key(0))
    return rnn.init(weights, 5, scale), jax.random.uniform(pixels, (2, 40))


forward, in_order = jax.jit(rnn.forward), jax.jit(rnn.adjoint_in_order)
newton = jax.jit(functools.partial(rnn.forward_by_newton, chunk=7))


def test_where_newton_fails_the_pass_in_order_is_returned_and_the_status_says_so():
    params, x = network(0.3)
    passed, expected = newton(params, x, max_iterations=12), forward(params, x)
    assert not passed.in_order
    assert {*passed.status.tolist()} <= {Status.CERTIFIED, Status.WITHIN_TOLERANCE}
    assert 1 <= passed.iterations <= 12
    assert_close(passed.run, expected)
    wild, infinite = network(2.0)[0], x.at[0].set(np.inf)  # of which one sample alone has no states
    for weights, pixels, most in ((params, infinite, 12), (wild, x, 3)):
        passed = newton(weights, pixels, max_iterations=most)
        assert passed.in_order
        assert passed.status[0] == Status.NOT_FINITE or (passed.status[0] == Status.ITERATION_LIMIT and weights is wild)
        assert (passed.status[1] == Status.WITHIN_TOLERANCE) == (weights is params)
        np.testing.assert_allclose(passed.run.hidden, forward(weights, pixels).hidden, rtol=1e-5)


def test_states_and_adjoints_in_chunks_are_those_in_order():
    """Where the network forgets, a warm-up saves a run; and without, guesses from two steps are wrong."""
    by_chunks = jax.jit(functools.partial(rnn.forward_by_chunks, chunk=7, warmup=2))
    adjoints = [jax.jit(functools.partial(rnn.adjoint_by_chunks, chunk=7, warmup=steps)) for steps in (0, 7)]
    for scale in (0.1, 1.0):
        params, x = network(scale)
        run = forward(params, x)
        passed, passes = by_chunks(params, x), [way(params, run) for way in adjoints]
        assert scale == 1 or not passed.in_order
        assert_close(passed.run, run)
        for adjoint, _ in passes:
            assert_close(adjoint, in_order(params, run))
        without, warm = (int(solution.iterations.max()) for _, solution in passes)
        assert without > warm
        assert scale == 1 or warm == 1


def test_gradients_by_order_or_scan_are_those_of_automatic_differentiation():
    params, x = network(0.5)
    loss, expected = jax.jit(jax.value_and_grad(lambda params: rnn.forward(params, x).loss))(params)
    run = forward(params, x)
    assert float(run.loss) == pytest.approx(float(loss))
    for way in (in_order, jax.jit(functools.partial(rnn.adjoint_by_scan, chunk=7))):
        assert_close(rnn.gradients(x, run, way(params, run)), expected, 1e-4)


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
