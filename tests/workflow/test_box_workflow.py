"""Models in the box in a whole run: what is there is used without its data, the rest is trained, and all is said."""

import json

import pytest
import yaml
from presets import ConfigError, load_preset
from tiny import TINY, copy_to, plan, snakemake

from ffc import box
from ffc.store.records import Record

TASK = TINY["tasks"]["made_mnist"] | {"solvers": {"gs_jacobi": {"window": 4}, "sequential": {}}}
PRESET = TINY | {
    "tasks": {
        # Data that nobody has: they serve only where the weights are trained.
        "made_mnist": TASK | {"weights": "made-mnist", "data": {"name": "image_folder", "path": "none", "size": 28}},
        "made_cifar": TASK | {"paper": "made_cifar", "weights": "no-such-model", "solvers": {"sequential": {}}},
    }
}
RECORDS = "results/half/records/made_{}.npz"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_to(tmp_path_factory.mktemp("box"))
    (folder / "config" / "presets" / "half.yaml").write_text(yaml.safe_dump(PRESET, sort_keys=False))
    return folder


def test_a_model_in_the_box_and_a_released_file_are_not_both_asked_for(tmp_path):
    path = tmp_path / "both.yaml"
    both = TASK | {"weights": "made-mnist", "released": "mnist_made.pth"}
    path.write_text(yaml.safe_dump(TINY | {"tasks": {"made_mnist": both}}))
    with pytest.raises(ConfigError, match=r"both\.yaml: tasks\.made_mnist\.weights: of the box, .*; give one of them$"):
        load_preset(path)


@pytest.mark.stress
def test_what_the_box_holds_needs_no_data_and_what_it_lacks_is_trained(project):
    run = snakemake(project, "--", RECORDS.format("mnist/gs_jacobi"), RECORDS.format("cifar/sequential"))
    assert run.returncode == 0, run.stdout
    assert not (project / "results" / "half" / "data" / "made_mnist.npz").exists()
    record = Record.load(project / RECORDS.format("mnist/gs_jacobi"))
    assert record["samples"].shape == (2, 784)
    assert record.meta["data"] == {"name": "mnist", "title": "MNIST 28×28"}
    checkpoint, about = record.meta["checkpoint"], box.about("made-mnist")
    assert (checkpoint["origin"], checkpoint["name"]) == ("box", "made-mnist")
    assert (checkpoint["train"], checkpoint["metrics"]) == (about["train"], about["metrics"])
    trained = Record.load(project / RECORDS.format("cifar/sequential"))
    assert trained.meta["checkpoint"]["origin"] == "trained"
    assert trained.meta["data"]["title"] == "scikit-learn digits 8×8"
    note = json.loads((project / "results" / "half" / "checkpoints" / "released.json").read_text())
    assert note["box"] == {"made-mnist": about["sha256"]}
    run = snakemake(project, "--", "results/half/summary.md")
    assert run.returncode == 0, run.stdout
    summary = (project / "results" / "half" / "summary.md").read_text()
    loss = f"{about['metrics']['test_loss']:.3g} bits/dim"
    assert f"made_mnist: Data: MNIST 28×28; Weights: made-mnist in the box (12000 steps, {loss})" in summary


@pytest.mark.stress
def test_the_mode_says_whether_the_box_is_looked_into(project):
    asked = RECORDS.format("cifar/sequential")
    jobs = plan(project, "--forceall", "--config", "checkpoints={mode: trained}", "--", asked)
    assert jobs == {"data": 1, "train": 1, "weights": 1, "solve": 1, "total": 4}
    run = snakemake(project, "--forcerun", "find_released", "--config", "checkpoints={mode: released}", "--", asked)
    assert run.returncode != 0
    assert "the box has no no-such-model; set the mode to auto" in run.stdout
