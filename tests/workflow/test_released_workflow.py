"""Released checkpoints in a whole run: what an archive holds is used, the rest is trained, and all is said."""

import io
import json
import re
import zipfile

import jax
import numpy as np
import pytest
import torch
import yaml
from places import ROOT
from tiny import TINY, copy_to, plan, snakemake

from ffc.models.made import MADE
from ffc.store.records import Record

pytestmark = pytest.mark.stress

TASK = TINY["tasks"]["made_mnist"] | {"solvers": {"sequential": {}}}
PRESET = TINY | {
    "tasks": {
        "made_mnist": TASK | {"released": "mnist_made.pth"},
        "made_cifar": TASK | {"paper": "made_cifar", "released": "cifar10_made.pth"},
    }
}
WEIGHTS = [f"results/half/checkpoints/{task}.flax" for task in PRESET["tasks"]]


def state_dict() -> bytes:
    """A MADE for the digits in the layout of the released files."""
    net = MADE((8, 8, 1), (16, 16)).init(jax.random.key(7))["net"]
    content = io.BytesIO()
    state = {f"net.{layer}.{name}": torch.tensor(np.asarray(a)) for layer in net for name, a in net[layer].items()}
    torch.save(state, content)
    return content.getvalue()


@pytest.fixture
def project(tmp_path):
    folder = copy_to(tmp_path)
    (folder / "config" / "presets" / "half.yaml").write_text(yaml.safe_dump(PRESET, sort_keys=False))
    return folder


def archive(folder, members):
    with zipfile.ZipFile(folder / "archive.zip", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return "archive.zip"


def origins(folder) -> dict[str, str]:
    files = (folder / "results" / "half" / "checkpoints").glob("made_*.json")
    return {file.stem: json.loads(file.read_text())["origin"] for file in files}


def test_what_the_archive_holds_is_not_trained_and_what_it_lacks_is(project):
    source = archive(project, {"runs/pretarined/mnist_made.pth": state_dict(), "runs/readme.txt": b"nothing"})
    settings = ["--config", f"checkpoints={{source: {source}}}"]
    run = snakemake(project, *settings, "--", "results/half/summary.md")
    assert run.returncode == 0, run.stdout
    assert "Released weights for made_mnist" in run.stdout
    assert re.findall(r"Training of (\w+)", run.stdout) == ["made_cifar"]
    assert origins(project) == {"made_mnist": "released", "made_cifar": "trained"}
    summary = (project / "results" / "half" / "summary.md").read_text()
    assert "made_mnist: Data: scikit-learn digits 8×8; Weights: released by the authors" in summary
    assert "made_cifar: Data: scikit-learn digits 8×8; Weights: trained here (60 steps, " in summary
    record = Record.load(project / "results" / "half" / "records" / "made_mnist" / "sequential.npz")
    assert record.meta["checkpoint"]["file"] == "made_mnist.flax"
    assert record.meta["checkpoint"]["origin"] == "released"
    # What was looked for once is not looked for again unless told to.
    assert "find_released" not in plan(project, *settings, "--", *WEIGHTS)
    assert plan(project, *settings, "--forcerun", "find_released", "--", *WEIGHTS)["find_released"] == 1


def test_a_broken_archive_on_disk_is_the_stated_error(project):
    (project / "archive.zip").write_bytes(b"<html>Quota exceeded</html>")
    run = snakemake(project, "--config", "checkpoints={source: archive.zip}", "--", *WEIGHTS)
    assert run.returncode != 0
    assert "neither a zip nor a tar archive; fetch it again" in run.stdout
    assert origins(project) == {}


def test_a_truncated_member_never_becomes_a_checkpoint(project):
    source = archive(project, {"mnist_made.pth": state_dict()[:-400]})
    run = snakemake(project, "--config", f"checkpoints={{source: {source}}}", "--", WEIGHTS[0])
    assert run.returncode != 0
    assert "mnist_made.pth: not a plain PyTorch state dict: it is damaged" in run.stdout
    assert origins(project) == {}


def test_weights_of_another_model_never_become_a_checkpoint(project):
    source = archive(project, {"mnist_made.pth": (ROOT / "tests" / "golden" / "densenet.pth").read_bytes()})
    run = snakemake(project, "--config", f"checkpoints={{source: {source}}}", "--", WEIGHTS[0])
    assert run.returncode != 0
    assert "mnist_made.pth: weights of a densenet, where the preset wants a made" in run.stdout
    assert origins(project) == {}


def test_where_released_weights_lack_the_images_are_those_of_the_training_and_the_record_says_so(project):
    """DenseNet-201 is released for ImageNet's images, and can be trained on others."""
    task = {
        "paper": "densenet",
        "data": {"name": "digits", "size": 32},
        "model": {"kind": "densenet", "growth": 2, "blocks": [1, 1], "features": 4},
        "released": "densenet.pth",
        "train_data": {"name": "digits", "size": 16},
        "train": {"steps": 3, "batch": 8},
        "images": 2,
        "solvers": {"feedforward": {}},
    }
    preset = yaml.safe_dump(TINY | {"tasks": {"densenet": task}}, sort_keys=False)
    (project / "config" / "presets" / "other.yaml").write_text(preset)
    target, settings = "results/other/records/densenet/feedforward.npz", ["--config", "checkpoints={source: envs}"]
    run = snakemake(project, *settings, "--", target)
    assert run.returncode == 0, run.stdout
    record = Record.load(project / target)
    assert record.meta["data"]["title"] == "scikit-learn digits resized to 16×16"
    assert record.meta["checkpoint"]["data"] == record.meta["data"]
    assert "data" not in record.meta["settings"]
    # The same where they are found: the task's own images, which were not even read before.
    note = project / "results" / "other" / "checkpoints" / "released.json"
    note.write_text(json.dumps({"files": {"densenet.pth": "somewhere"}}))
    jobs = plan(project, *settings, "--", target)
    assert jobs == {"data": 1, "import_released": 1, "weights": 1, "solve": 1, "total": 4}


def test_without_a_network_the_same_command_trains(project):
    unreachable = "http://127.0.0.1:9/archive.zip"
    run = snakemake(project, "--config", f"checkpoints={{source: {unreachable}}}", "--", WEIGHTS[0])
    assert run.returncode == 0, run.stdout
    assert "Training of made_mnist" in run.stdout
    assert origins(project) == {"made_mnist": "trained"}
