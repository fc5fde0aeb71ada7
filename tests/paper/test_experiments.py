"""Experiments on networks of a few units: every solver answers one question, and the record tells how."""

import jax
import numpy as np
import pytest

from ffc.core.errors import FFCError
from ffc.core.named import FIXED
from ffc.data import Dataset
from ffc.models.densenet import DenseNet
from ffc.models.flow import Flow
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP
from ffc.paper import experiments
from ffc.paper.experiments import sampling
from ffc.store import checkpoints
from ffc.store.records import Record

SOLVERS = {
    "sequential": {},
    "cached": {},
    "jacobi": {},
    "gs_jacobi": {"window": 4},
    "rows": {"solver": "jacobi_gs", "block": 4},  # a name of one's own
}
MADE_SETTINGS = {"batch": 3, "solvers": SOLVERS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of 4×4 images, one of 32×32, and a checkpoint each."""
    folder = tmp_path_factory.mktemp("experiments")
    pixels = np.random.default_rng(0)
    for name, side in (("small", 4), ("large", 32)):
        images = pixels.integers(0, 256, (12, side, side, 1), np.uint8)
        labels = np.arange(12, dtype=np.int32) % 6
        Dataset(name, f"{name} noise", images, images, labels, labels, 6).to_record().save(folder / f"{name}.npz")
    models = {"made": MADE((4, 4, 1), (24, 24), 1e-6), "densenet": DenseNet(6, growth=4, blocks=(2, 3), features=4)}
    for name, model in models.items():
        params = jax.tree.map(np.asarray, model.init(jax.random.key(1)))
        checkpoints.save(folder / f"{name}.flax", model, params, {"origin": "trained", "metrics": {"steps": 0}})
    return folder


def sample(folder, solver, reference=None, seed=0, task="made_mnist"):
    files = {"checkpoint": folder / "made.flax", "data": folder / "small.npz", "reference": reference}
    return experiments.run(task, MADE_SETTINGS, solver, **files, seed=seed, repeats=2)


@pytest.fixture(scope="module")
def sequential(folder):
    sample(folder, "sequential").save(folder / "sequential.npz")
    return folder / "sequential.npz"


@pytest.fixture(scope="module", params=SOLVERS)
def sampled(request, folder, sequential):
    return sample(folder, request.param, sequential)


def test_every_solver_gives_the_sequential_answer_and_knows_it(sampled, sequential):
    reference = Record.load(sequential)
    np.testing.assert_allclose(sampled["samples"], reference["samples"], atol=1e-4)
    apart = np.abs(sampled["samples"] - reference["samples"]).max(axis=1)
    np.testing.assert_array_equal(sampled["max_difference"], apart)
    assert sampled["residual"].shape == (3,)
    assert np.all(sampled["residual"] < 1e-4)
    assert sampled["corrected"].tolist() == [0] * 3
    assert sampled["status"].tolist() == ["certified"] * 3
    assert sampled["certified"].tolist() == [16] * 3
    assert sampled["iterations"].max() <= 16
    assert sampled["ties"].tolist() == [0] * 3


def test_curves_lead_from_the_first_guess_to_the_answer(sampled):
    last = int(sampled["iterations"].max())
    for name in ("error_l2", "error_max", "change"):
        assert sampled[name].shape == (last + 1, 3)
    np.testing.assert_allclose(sampled["error_l2"][0], np.linalg.norm(sampled["samples"], axis=1), rtol=1e-5)
    np.testing.assert_array_equal(sampled["error_l2"][-1], 0)
    np.testing.assert_array_equal(sampled["change"][0], 0)
    np.testing.assert_allclose(sampled["change"][1:].max(), sampled["change"].max())


def test_snapshots_are_pictures_on_the_way(sampled):
    last = int(sampled["iterations"].max())
    assert sampled["snapshot_iterations"].tolist() == [*range(0, 50, 5), last]
    assert sampled["snapshots"].shape == (11, 3, 4, 4, 1)
    assert sampled["snapshots"].dtype == np.uint8
    np.testing.assert_array_equal(sampled["snapshots"][-1], sampled["pictures"])
    np.testing.assert_array_equal(sampled["snapshots"][9], sampled["pictures"])  # 45 is beyond 16 blocks
    assert (sampled["snapshots"][0] == 128).all()  # zero in logit space is a half


def test_both_clocks_are_kept_apart(sampled):
    last = int(sampled["iterations"].max())
    assert sampled["seconds"].shape == (2,)
    assert (sampled["seconds"] > 0).all()
    assert 1 <= sampled["oracle_iterations"] <= last
    expected = np.median(sampled["seconds"]) * sampled["oracle_iterations"] / last
    assert sampled["oracle_seconds"] == pytest.approx(expected)
    assert (sampled["error_max"][int(sampled["oracle_iterations"])] == 0).all()


def test_a_record_says_where_it_comes_from(sampled, folder):
    meta = sampled.meta
    assert meta["data"] == {"name": "small", "title": "small noise"}
    assert meta["checkpoint"]["origin"] == "trained"
    assert meta["checkpoint"]["sha256"] == checkpoints.load(folder / "made.flax").meta["sha256"]
    assert (meta["task"], meta["seed"], meta["repeats"], meta["size"]) == ("made_mnist", 0, 2, 16)
    assert meta["device"]["name"]
    assert meta["versions"]["jax"] == jax.__version__


def test_after_k_sequential_steps_k_entries_stand(sequential):
    record = Record.load(sequential)
    assert record["iterations"].tolist() == [16] * 3
    for k, snapshot in zip((0, 5, 10, 15), record["snapshots"], strict=False):
        flat, final = snapshot.reshape(3, -1), record["pictures"].reshape(3, -1)
        np.testing.assert_array_equal(flat[:, :k], final[:, :k])
        assert (flat[:, k:] == 128).all()


def test_a_block_is_as_many_steps_as_it_is_long(folder, sequential):
    record = sample(folder, "rows", sequential)
    assert record["steps_per_iteration"] == 4
    assert record["evaluations"] == 4 * record["iterations"].max()
    assert record.meta["kind"] == "jacobi_gs"


def test_noise_depends_on_seed_and_task_alone(folder, sequential):
    first = Record.load(sequential)["samples"]
    np.testing.assert_array_equal(sample(folder, "sequential")["samples"], first)
    assert np.abs(sample(folder, "sequential", seed=1)["samples"] - first).max() > 0.1
    assert np.abs(sample(folder, "sequential", task="made_cifar")["samples"] - first).max() > 0.1


@pytest.mark.parametrize("entry", [{"solver": "auto"}, {"solver": "gs_jacobi", "window": "auto", "guess": "row_above"}])
def test_a_record_says_which_solver_was_chosen(folder, sequential, entry):
    settings = MADE_SETTINGS | {"solvers": {"mine": entry}}
    files = {"checkpoint": folder / "made.flax", "data": folder / "small.npz", "reference": sequential}
    record = experiments.run("made_mnist", settings, "mine", **files, seed=0, repeats=1)
    assert record.meta["chosen"]["solver"] in FIXED
    assert (record["certified"] == 16).all()
    np.testing.assert_allclose(record["samples"], Record.load(sequential)["samples"], atol=1e-4)


FLOW_SOLVERS = {
    "sequential": {},
    "cached": {},
    "jacobi": {"guess": "row_above"},
    "chained": {"window": [4, 2], "above": [1]},
    "raced": {"solver": "chained"},
    "auto": {"guess": "row_above"},
}


def test_a_flow_is_sampled_link_by_link(folder):
    model = Flow((4, 4, 1), patch=2, blocks=2, width=8, layers=1, heads=1)
    params = jax.tree.map(lambda a: np.asarray(a) + np.float32(0.1), model.init(jax.random.key(0)))
    checkpoints.save(folder / "flow.flax", model, params, {})
    job = {"task": "made_mnist", "settings": {"batch": 2, "solvers": FLOW_SOLVERS}, "seed": 0, "repeats": 1}
    job |= {"checkpoint": folder / "flow.flax"}
    experiments.run(solver="sequential", **job).save(folder / "in_order.npz")
    for name in FLOW_SOLVERS:
        record = experiments.run(solver=name, **job, reference=folder / "in_order.npz")
        assert (record["certified"] == 8).all()
        assert record["proven"].all()
        np.testing.assert_array_equal(record["max_difference"], 0)
        np.testing.assert_array_equal(record["error_l2"][-1], 0)
        np.testing.assert_array_equal(record["snapshots"][-1], record["pictures"])
        assert record.meta.get("chosen", {"solver": "chained"})["solver"] in ("chained", "jacobi")
        assert ("chosen" in record.meta) == (name in ("raced", "auto"))


def test_a_solver_may_have_a_system_of_its_own(folder):
    model = PixelCNNPP((4, 4, 1), filters=4, resnets=1, mixtures=2)
    checkpoints.save(folder / "pixels.flax", model, jax.tree.map(np.asarray, model.init(jax.random.key(0))), {})
    rounded = {"system": {"quantize": "8bit"}}
    solvers = {
        "cached": {},
        "cached_8bit": {"solver": "cached", **rounded},
        "drafted": {"solver": "gs_jacobi", "window": 1, "guess": "row_above", "draft": True, **rounded},
    }
    job = {"task": "pixelcnnpp_mnist", "settings": {"batch": 2, "solvers": solvers}, "seed": 0, "repeats": 1}
    job |= {"checkpoint": folder / "pixels.flax"}
    paper, cached = (experiments.run(solver=name, **job) for name in ("cached", "cached_8bit"))
    cached.save(folder / "cached_8bit.npz")
    drafted = experiments.run(solver="drafted", **job, reference=folder / "cached_8bit.npz")
    assert paper.meta["system"] == {"quantize": "none", "coupling": "gumbel"}
    assert drafted.meta["system"] == cached.meta["system"] == {"quantize": "8bit", "coupling": "gumbel"}
    assert drafted["proven"].all()
    np.testing.assert_array_equal(drafted["samples"], cached["samples"])
    assert not np.array_equal(paper["samples"], cached["samples"])


def test_a_system_option_that_the_model_does_not_have_is_refused(folder):
    settings = MADE_SETTINGS | {"system": {"quantize": "8bit"}}
    with pytest.raises(FFCError, match="option quantize: made has none"):
        experiments.run("made_mnist", settings, "jacobi", checkpoint=folder / "made.flax", seed=0, repeats=1)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.0, 4), (0.01, 3), (0.5, 2), (1.0, 1), (9.0, 0), (-1.0, 4)],
)
def test_the_oracle_stops_when_all_samples_are_near(threshold, expected):
    error = np.array([[5, 9], [1, 1], [0.2, 0.5], [0.01, 0.01], [0, 0]])
    assert sampling.oracle_iterations(error, threshold) == expected


@pytest.fixture(scope="module")
def classified(folder):
    settings = {"images": 2, "solvers": {"feedforward": {}, "jacobi": {}}}
    files = {"checkpoint": folder / "densenet.flax", "data": folder / "large.npz"}
    feedforward = experiments.run("densenet", settings, "feedforward", **files, seed=0, repeats=2)
    feedforward.save(folder / "densenet.npz")
    files |= {"reference": folder / "densenet.npz"}
    return feedforward, experiments.run("densenet", settings, "jacobi", **files, seed=0, repeats=2)


def test_densenet_ends_with_the_feedforward_logits(classified):
    feedforward, jacobi = classified
    assert jacobi["outputs"].shape == (2, 6, 6)  # five layers, and before the first update
    np.testing.assert_allclose(jacobi["outputs"][:, -1], feedforward["logits"], atol=1e-5)
    np.testing.assert_allclose(jacobi["error_l2"][:, -1], 0, atol=1e-5)
    assert (jacobi["error_l2"][:, 0] > 1e-3).all()
    assert (jacobi["max_difference"] < 1e-5).all()
    assert (jacobi["residual"] < 1e-5).all()
    assert jacobi["status"].tolist() == ["certified"] * 2
    assert jacobi["certified"].tolist() == [5, 5]
    change = np.linalg.norm(jacobi["outputs"][:, 2] - jacobi["outputs"][:, 1], axis=1)
    np.testing.assert_allclose(jacobi["change"][:, 2], change, rtol=1e-5)


def test_densenets_measured_times_stand_beside_the_authors_estimate(classified):
    feedforward, jacobi = classified
    assert feedforward["seconds"].shape == jacobi["seconds"].shape == (2, 2)
    assert feedforward["layer_seconds"].shape == (2, 5)
    slowest = feedforward["layer_seconds"].max(axis=1)
    np.testing.assert_allclose(jacobi["estimate_certified"], slowest * jacobi["iterations"])
    np.testing.assert_allclose(jacobi["estimate_smallest5"], slowest * jacobi["iterations_smallest5"])


@pytest.mark.parametrize(
    ("task", "solver", "message"),
    [
        ("made", "jacobi", "task 'made': expected one of rnn, densenet, made_mnist"),
        ("made_mnist", "newton", r"tasks.made_mnist.solvers: no entry 'newton'"),
        ("made_mnist", "jacobi", "task made_mnist, solver jacobi: it needs a checkpoint"),
        ("rnn", "jacobi", r"tasks.rnn.solvers.jacobi: expected feedforward, or"),
        ("densenet", "cached", r"tasks.densenet.solvers.cached: expected one of feedforward, jacobi"),
    ],
)
def test_what_is_missing_is_named(task, solver, message):
    with pytest.raises(FFCError, match=message):
        experiments.run(task, MADE_SETTINGS, solver, seed=0, repeats=1)
