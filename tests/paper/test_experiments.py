"""Experiments on networks of a few units: every solver answers one question, and the record tells how."""

import jax
import numpy as np
import pytest
from sound import weights
from test_scaling import TOKENS

from ffc.core import tune
from ffc.core.errors import FFCError
from ffc.core.solve import solve
from ffc.core.solvers import Sequential
from ffc.data import Dataset
from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.paper import experiments
from ffc.paper.experiments import densenet, sampling
from ffc.paper.figures import style
from ffc.store import checkpoints

MODELS = {
    "made": MADE((4, 4, 1), (24, 24), 1e-6),
    "densenet": DenseNet(6, growth=4, blocks=(1, 2), features=4),
    "text": TOKENS,
}
SOLVERS = {
    "sequential": {},
    "rows": {"solver": "jacobi_gs", "block": 4},  # a name of one's own
    "raced": {"solver": "gs_jacobi", "window": "auto", "guess": "row_above"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of 4×4 images, one of 32×32, and a checkpoint of each model."""
    folder, pixels = tmp_path_factory.mktemp("experiments"), np.random.default_rng(0)
    for name, side in (("small", 4), ("large", 32)):
        images, labels = pixels.integers(0, 256, (12, side, side, 1), np.uint8), np.arange(12, dtype=np.int32) % 6
        Dataset(name, f"{name} noise", images, images, labels, labels, 6).to_record().save(folder / f"{name}.npz")
    about = {"origin": "trained", "metrics": {"steps": 0}}
    for name, model in MODELS.items():
        checkpoints.save(folder / f"{name}.flax", model, weights(model, scale=0.3), about)
    return folder


@pytest.fixture(scope="module", autouse=True)
def race():
    """The last candidate wins every race: no clock decides."""
    with pytest.MonkeyPatch.context() as patch:
        trials = lambda system, candidates, *_, **__: [tune.Trial([*candidates][-1], 1.0, 1.0, 1)]  # noqa: E731
        patch.setattr(tune, "race", trials)
        yield


def run(folder, model, solvers, solver, task="made_mnist", seed=0, data=None, **settings):
    """A record; the first that answers a question is the reference of the others."""
    first = folder / f"{model}_{task}_{seed}_{solvers[solver].get('system')}.npz"
    files = {"checkpoint": folder / f"{model}.flax", "data": data and folder / f"{data}.npz"}
    files["reference"] = first if first.exists() else None
    settings |= {"batch": 3, "solvers": solvers}
    record = experiments.run(task, settings, solver, **files, seed=seed, repeats=3)
    if not first.exists():
        record.save(first)
    return record


@pytest.fixture(scope="module")
def sequential(folder):
    return run(folder, "made", SOLVERS, "sequential", data="small")


@pytest.fixture(scope="module", params=SOLVERS)
def sampled(request, folder, sequential):
    return run(folder, "made", SOLVERS, request.param, data="small")


def test_every_solver_gives_the_sequential_answer_and_knows_it(sampled, sequential):
    apart = np.abs(sampled["samples"] - sequential["samples"]).max(axis=1)
    assert max(apart.max(), sampled["residual"].max()) < 1e-4
    np.testing.assert_array_equal(sampled["max_difference"], apart)
    for name, value in {"status": "certified", "certified": 16, "corrected": 0, "ties": 0}.items():
        assert sampled[name].tolist() == [value] * 3
    last, steps = int(sampled["iterations"].max()), 4 if sampled.meta["kind"] == "jacobi_gs" else 1
    assert last <= 16
    assert (sampled["steps_per_iteration"], sampled["evaluations"]) == (steps, steps * last)


def test_curves_and_pictures_lead_from_the_first_guess_to_the_answer_and_both_clocks_are_kept_apart(sampled):
    last, oracle = int(sampled["iterations"].max()), int(sampled["oracle_iterations"])
    assert {sampled[name].shape for name in ("error_l2", "error_max", "change")} == {(last + 1, 3)}
    assert not any(curve.any() for curve in (sampled["error_l2"][-1], sampled["error_max"][-1], sampled["change"][0]))
    assert sampled["snapshot_iterations"].tolist() == [*range(0, 50, 5), last]
    assert (sampled["snapshots"].shape, sampled["snapshots"].dtype) == ((11, 3, 4, 4, 1), np.uint8)
    for place in (-1, 9):  # 45 is beyond 16 blocks
        np.testing.assert_array_equal(sampled["snapshots"][place], sampled["pictures"])
    if sampled.meta["solver"] != "raced":  # which has a guess
        assert (sampled["snapshots"][0] == 128).all()  # zero in logit space is a half
    assert (sampled["seconds"].shape, sampled["seconds"].min() > 0) == ((3,), True)
    assert sampled["error_max"][oracle].max() == 0 < sampled["error_max"][oracle - 1].max()
    assert sampled["oracle_seconds"] == pytest.approx(np.median(sampled["seconds"]) * oracle / last)


def test_a_record_says_where_it_comes_from_and_what_a_race_chose(sampled, folder):
    meta, data = sampled.meta, {"name": "small", "title": "small noise"}
    about = {"data": data, "task": "made_mnist", "seed": 0, "repeats": 3, "size": 16}
    assert about.items() <= meta.items()
    assert meta["checkpoint"] == checkpoints.load(folder / "made.flax").meta
    assert (bool(meta["device"]["name"]), meta["versions"]["jax"]) == (True, jax.__version__)
    assert meta.get("chosen") == ({"solver": "gs_jacobi", "window": 2} if meta["solver"] == "raced" else None)


def test_without_data_the_record_names_those_of_the_weights():
    boxed = {"origin": "box", "name": "tiny", "data": {"name": "small", "title": "small noise", "licence": "free"}}
    boxed["metrics"] = {"steps": 3, "test_loss": 1.25, "unit": "bits/dim"}
    job = experiments.Job("made_mnist", {"solvers": {"jacobi": {}}}, "jacobi", 0, 1)
    for checkpoint, sources in (
        (boxed, ["Data: small noise", "Weights: tiny in the box (3 steps, 1.25 bits/dim)"]),
        ({"origin": "given", "file": "mine.pth"}, ["Weights: mine.pth (given)"]),
    ):
        assert style.sources([job.record({}, checkpoint=checkpoint)], ("Data", "Weights")) == sources


def test_noise_depends_on_seed_and_task_alone(folder, sequential):
    for same, options in ((True, {}), (False, {"seed": 1}), (False, {"task": "made_cifar"})):
        again = run(folder, "made", SOLVERS, "sequential", **options)
        assert np.array_equal(again["samples"], sequential["samples"]) == same


def test_a_solver_may_have_a_system_of_its_own_and_tokens_show_which_blocks_have_settled(folder):
    cool = {"system": {"temperature": "0.5"}}
    drafted = {"solver": "gs_jacobi", "window": "4 blocks", "draft": True, **cool}
    solvers = {"cool": {"solver": "cached", **cool}, "drafted": drafted}
    cached, draft = (run(folder, "text", solvers, name) for name in solvers)
    assert draft.meta["system"] == cached.meta["system"] == TOKENS.default_options() | cool["system"]
    job = experiments.Job("made_mnist", {"batch": 3, "solvers": solvers}, "drafted", 0, 1, folder / "text.flax")
    system = sampling.system_of(job, job.load_checkpoint())
    assert sampling.solver_of(job, system).window == 4
    answer = TOKENS.samples(solve(system, Sequential(cached=True)).value)
    for record in (cached, draft):
        np.testing.assert_array_equal(record["samples"], answer)
    assert draft["proven"].all()
    assert cached["settled"].shape == (11, 3, 12)
    for k, settled in zip((0, 5, 10, *[12] * 8), cached["settled"], strict=True):
        assert settled[:, :k].all()


def test_densenet_ends_with_the_feedforward_logits_and_estimates_stand_beside_measured_times(folder):
    solvers = {"feedforward": {}, "jacobi": {}}
    words = {"task": "densenet", "data": "large", "images": 2}
    feedforward, jacobi = (run(folder, "densenet", solvers, name, **words) for name in solvers)
    assert jacobi["outputs"].shape == (2, 4, 6)  # three layers, and before the first update
    assert jacobi["error_l2"][:, 0].min() > 1e-3
    assert (
        max(array.max() for array in (jacobi["error_l2"][:, -1], jacobi["max_difference"], jacobi["residual"])) < 1e-5
    )
    assert (jacobi["status"].tolist(), jacobi["certified"].tolist()) == (["certified"] * 2, [3, 3])
    assert feedforward["seconds"].shape == jacobi["seconds"].shape == feedforward["layer_seconds"].shape == (2, 3)
    slowest = feedforward["layer_seconds"].max(axis=1)  # the authors' estimate stands beside the measured times
    np.testing.assert_allclose(jacobi["estimate_certified"], slowest * jacobi["iterations"])


def test_top5_is_not_what_the_authors_count_and_settled_means_for_good():
    truth = np.arange(10.0)[None]
    swapped = truth[:, [1, 0, *range(2, 10)]]  # the two smallest change places: the top 5 are as they were
    outputs = np.stack([truth, swapped, truth[:, ::-1]], axis=1)
    assert densenet.top5_difference(outputs, truth).tolist() == [[0, 0, 5]]
    assert densenet.smallest5_difference(outputs, truth).tolist() == [[0, 2, 5]]
    difference = np.array([[3, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    assert densenet.settled(difference).tolist() == [3, 0, 4]


def test_what_is_missing_is_named(folder):
    for task, solver, problem in (
        ("made", "sequential", "task 'made': expected one of rnn, densenet, made_mnist"),
        ("made_mnist", "newton", r"tasks.made_mnist.solvers: no entry 'newton'"),
        ("made_mnist", "sequential", "task made_mnist, solver sequential: it needs a checkpoint"),
        ("densenet", "rows", r"tasks.densenet.solvers.rows: expected one of feedforward, jacobi"),
    ):
        with pytest.raises(FFCError, match=problem):
            experiments.run(task, {"batch": 3, "solvers": SOLVERS}, solver, seed=0, repeats=1)
    with pytest.raises(FFCError, match="option quantize: made has none"):
        run(folder, "made", SOLVERS, "rows", system={"quantize": "8bit"})
