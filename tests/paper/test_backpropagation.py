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
from ffc.store.records import Record

RNN_SETTINGS = {
    "hidden": 5,
    "scale": 0.3,
    "learning_rate": 1e-2,
    "steps": 6,
    "samples": 4,
    "solvers": {
        "feedforward": {},
        "jacobi_2": {"solver": "jacobi", "iterations": 2},
        "jacobi_16": {"solver": "jacobi", "iterations": 16},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of 4×4 images."""
    folder = tmp_path_factory.mktemp("rnn")
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
    Dataset("small", "small noise", images, images).to_record().save(folder / "small.npz")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """Records of the three trainings; the first is the feedforward one."""
    records = {}
    for solver in RNN_SETTINGS["solvers"]:
        reference = folder / "feedforward.npz" if records else None
        files = {"data": folder / "small.npz", "reference": reference}
        records[solver] = experiments.run("rnn", RNN_SETTINGS, solver, **files, seed=0, repeats=2)
        if reference is None:
            records[solver].save(folder / "feedforward.npz")
    return records


def test_training_falls_along_one_path_whatever_finds_the_exact_gradient(trained):
    exact, whole, truncated = (trained[name] for name in ("feedforward", "jacobi_16", "jacobi_2"))
    assert exact["loss"].shape == exact["seconds"].shape == (2, 6)
    np.testing.assert_allclose(whole["loss"], exact["loss"], rtol=1e-5)
    assert not np.array_equal(exact["loss"][0], exact["loss"][1])  # runs are of different seeds
    assert (np.diff(exact["seconds"]) > 0).all()
    assert exact["max_difference"] == 0
    assert whole["max_difference"] < 1e-6 < truncated["max_difference"]


def test_training_is_gradient_descent(folder, trained):
    """The first run again, by JAX's own differentiation."""
    job = experiments.Job("rnn", RNN_SETTINGS, "feedforward", 0, 1, data=folder / "small.npz")
    x = rnn.sequences(job.load_data())
    params = network.init(job.key(0, 0), 5, 0.3)
    gradient = jax.jit(jax.value_and_grad(lambda params, row: network.forward(params, row).loss))
    losses = []
    for index in jax.random.randint(job.key(0, 1), (6,), 0, len(x)):
        loss, slopes = gradient(params, x[index][None])
        params = jax.tree.map(lambda value, slope: value - 1e-2 * slope, params, slopes)
        losses.append(loss)
    np.testing.assert_allclose(trained["feedforward"]["loss"][0], losses, rtol=1e-5)
    for name, value in params.items():
        np.testing.assert_allclose(trained["feedforward"][f"trained_{name}"], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solver", ["feedforward", "jacobi"])
def test_gradient_errors_fall_to_nothing(folder, trained, solver):
    files = {"trained": folder / "feedforward.npz", "data": folder / "small.npz"}
    record = rnn.gradient_errors(RNN_SETTINGS, solver, **files, seed=0)
    for stage in ("begin", "end"):
        assert record[stage].shape == (4, 17)
        assert (record[stage][:, 0] > 1e-3).all()
        np.testing.assert_allclose(record[stage][:, -1], 0, atol=1e-6)
    assert np.abs(record["begin"] - record["end"]).max() > 1e-3
    assert record.meta["kind"] == solver


def test_gradient_errors_are_those_of_truncated_gradients(folder, trained):
    files = {"trained": folder / "feedforward.npz", "data": folder / "small.npz"}
    errors = rnn.gradient_errors(RNN_SETTINGS, "jacobi", **files, seed=0)["end"]
    params = {
        name.removeprefix("trained_"): v for name, v in trained["feedforward"].arrays.items() if "trained" in name
    }
    x = rnn.sequences(Dataset.from_record(Record.load(folder / "small.npz")))
    gradients = jax.jit(network.loss_and_gradients, static_argnums=2)
    candidates = []
    for row in x:  # which sequences were drawn does not matter
        exact, short = (gradients(params, row[None], iterations)[1] for iterations in (None, 3))
        squares = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), exact, short)
        candidates.append(float(jnp.sqrt(sum(jax.tree.leaves(squares)))))
    for error in errors[:, 3]:
        assert np.min(np.abs(np.array(candidates) - error)) < 1e-5


@pytest.mark.parametrize("entry", [{"solver": "jacobi"}, {"solver": "gs_jacobi", "iterations": 3}])
def test_rnn_knows_two_solvers(folder, entry):
    settings = RNN_SETTINGS | {"solvers": {"mine": entry}}
    with pytest.raises(FFCError, match=r"tasks\.rnn\.solvers\.mine: expected feedforward, or solver: jacobi"):
        experiments.run("rnn", settings, "mine", data=folder / "small.npz", seed=0, repeats=1)
    with pytest.raises(FFCError, match="solver 'scan'; expected one of jacobi, feedforward"):
        rnn.gradient_errors(RNN_SETTINGS, "scan", trained=folder, data=folder, seed=0)
