"""The RNN's experiment on sequences of sixteen pixels: training, and gradients that are cut short."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.models import rnn as network
from ffc.paper import experiments
from ffc.paper.experiments import rnn

SETTINGS = {
    "hidden": 5,
    "scale": 0.3,
    "learning_rate": 1e-2,
    "steps": 6,
    "samples": 4,
    "solvers": {"feedforward": {}} | {f"jacobi_{k}": {"solver": "jacobi", "iterations": k} for k in (2, 16)},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of 4×4 images."""
    images, path = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8), tmp_path_factory.mktemp("rnn")
    Dataset("small", "small noise", images, images).to_record().save(path / "data.npz")
    return path / "data.npz"


@pytest.fixture(scope="module")
def trained(data):
    """Records of the three trainings; the first is the feedforward one, the reference of the others."""
    records, reference = {}, data.with_name("feedforward.npz")
    for solver in SETTINGS["solvers"]:
        files = {"data": data, "reference": reference if records else None}
        records[solver] = experiments.run("rnn", SETTINGS, solver, **files, seed=0, repeats=2)
        records["feedforward"].save(reference)
    return records


@pytest.fixture(scope="module")
def errors(data, trained):
    files = {"trained": data.with_name("feedforward.npz"), "data": data}
    return {way: rnn.gradient_errors(SETTINGS, way, **files, seed=0) for way in ("feedforward", "jacobi")}


def test_training_falls_along_one_path_whatever_finds_the_exact_gradient(trained):
    exact, truncated, whole = (trained[name] for name in SETTINGS["solvers"])
    assert exact["loss"].shape == exact["seconds"].shape == (2, 6)
    np.testing.assert_allclose(whole["loss"], exact["loss"], rtol=1e-5)
    assert not np.array_equal(exact["loss"][0], exact["loss"][1])  # runs are of different seeds
    assert (np.diff(exact["seconds"]) > 0).all()
    assert exact["max_difference"] == 0
    apart = max(np.abs(truncated[name] - exact[name]).max() for name in exact.arrays if name.startswith("trained_"))
    assert truncated["max_difference"] == apart
    assert whole["max_difference"] < 1e-6 < truncated["max_difference"]


def test_training_is_gradient_descent_and_errors_are_those_of_truncated_gradients(data, trained, errors):
    """By JAX's own differentiation of the loss, and the model's own truncated gradients; one program each."""
    job = experiments.Job("rnn", SETTINGS, "feedforward", 0, 1, data=data)
    x = rnn.sequences(job.load_data())
    start = params = network.init(job.key(0, 0), 5, 0.3)
    gradient = jax.jit(jax.value_and_grad(lambda params, row: network.forward(params, row).loss))
    losses = []
    for index in jax.random.randint(job.key(0, 1), (6,), 0, len(x)):
        loss, slopes = gradient(params, x[index][None])
        params = jax.tree.map(lambda value, slope: value - 1e-2 * slope, params, slopes)
        losses.append(loss)
    np.testing.assert_allclose(trained["feedforward"]["loss"][0], losses, rtol=1e-5)
    for name, value in params.items():
        np.testing.assert_allclose(trained["feedforward"][f"trained_{name}"], value, rtol=1e-4, atol=1e-6)
    truncated = jax.jit(network.loss_and_gradients, static_argnums=2)
    for stage, at in (("begin", start), ("end", params)):
        off = []
        for row in x:
            exact, short = gradient(at, row[None])[1], truncated(at, row[None], 3)[1]
            off.append(jnp.sqrt(sum(jnp.sum((exact[name] - short[name]) ** 2) for name in exact)))
        for error in errors["jacobi"][stage][:, 3]:  # which sequences were drawn does not matter
            assert np.abs(np.array(off) - error).min() < 1e-5


def test_gradient_errors_fall_to_nothing(errors):
    for solver, record in errors.items():
        for stage in ("begin", "end"):
            assert record[stage].shape == (4, 17)
            assert (record[stage][:, 0] > 1e-3).all()
            np.testing.assert_allclose(record[stage][:, -1], 0, atol=1e-6)
            np.testing.assert_allclose(record[stage][:, 0], errors["jacobi"][stage][:, 0], rtol=1e-5)  # none has begun
        assert np.abs(record["begin"] - record["end"]).max() > 1e-3
        assert record.meta["kind"] == solver


def test_rnn_knows_two_solvers(data):
    for entry in ({"solver": "jacobi"}, {"solver": "gs_jacobi", "iterations": 3}):
        with pytest.raises(FFCError, match=r"tasks\.rnn\.solvers\.mine: expected feedforward, or solver: jacobi"):
            experiments.run("rnn", SETTINGS | {"solvers": {"mine": entry}}, "mine", data=data, seed=0, repeats=1)
    with pytest.raises(FFCError, match="solver 'scan'; expected one of jacobi, feedforward"):
        rnn.gradient_errors(SETTINGS, "scan", trained=data, data=data, seed=0)
