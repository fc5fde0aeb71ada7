"""Programs as a GPU would run them: compiled for one that is not there, each keeps to its budget.

A launch costs a GPU about 2 µs, whatever it does, so that launches decide what an iteration of a small network takes;
a copy of the cache costs all of its bytes. The environment is this one and JAX's CUDA plugins, as pinned.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from layers import python_with
from places import ROOT

pytestmark = [
    pytest.mark.packages,
    pytest.mark.stress,
    pytest.mark.skipif(sys.platform != "linux", reason="JAX's CUDA plugins are for Linux"),
]
HERE = Path(__file__).parent
PACKAGES = ("jax-cuda13-plugin", "jax-cuda13-pjrt", "nvidia-cuda-nvcc", "nvidia-nvvm")
#: Launches of an iteration, and of what comes once a row; arrays copied in loops; megabytes of temporaries.
BUDGETS = {
    "colour, cached": (51, 47, 0, 2),
    "colour, a drafted row": (59, 52, 0, 2),
    "colour, a drafted row, on four GPUs": (64, 57, 0, 4),
    "paper, cached": (151, 206, 0, 55),
    "paper, a drafted row": (219, 211, 0, 55),
    "paper, cached, 16": (215, 218, 0, 800),
    "paper, columns, 16": (223, 239, 2, 1150),
    "paper, everything, 16": (465, 0, 1, 400),
    "MADE, everything, 100": (14, 0, 1, 5),
    "MADE, in order, 100": (12, 0, 0, 1),
    "tokens, windows": (44, 0, 0, 1),
    "recurrence, Newton": (110, 0, 2, 50),
    "DenseNet-201": (418, 0, 4, 30),
    "RNN": (8, 0, 1, 35),
    "training": (116, 0, 0, 50),
    "training, bfloat16": (120, 0, 0, 35),
}
#: Products are as exact as the device's default: they train.
TRAINING = {"RNN", "training", "training, bfloat16"}


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    return python_with(tmp_path_factory.mktemp("environment"), "gpu", PACKAGES)


def run(python: Path, *arguments) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{HERE}"}
    return subprocess.run([python, *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def reports(python) -> dict[str, dict]:
    answer = run(python, HERE / "launches.py", HERE / "h100.json", *BUDGETS, "a branch in a loop")
    assert answer.returncode == 0, answer.stderr
    return {report["name"]: report for report in map(json.loads, answer.stdout.splitlines())}


@pytest.mark.parametrize("name", BUDGETS)
def test_a_program_keeps_to_its_budget(reports, name):
    report, (launches, around, copies, megabytes) = reports[name], BUDGETS[name]
    assert report["iteration"] <= launches, report
    assert report["around"] <= around, report
    assert sum(report["copies"]) <= copies, report
    assert report["temporary"] <= megabytes * 1e6, report
    assert report["tf32"] == 0 or name in TRAINING, report


def test_what_is_counted_is_there_to_be_counted(reports):
    """A branch that returns a whole array copies it; products of less than float32 are found."""
    report = reports["a branch in a loop"]
    assert [count > 0 for count in report["copies"]] == [True]
    assert report["tf32"] > 0


@pytest.mark.parametrize("text", ["", "no JSON", '{"gpu_device_info": {"core_count": "many"}}', '{"cores": 132}'])
def test_what_is_no_description_of_a_gpu_is_refused_in_one_sentence(python, tmp_path, text):
    path = tmp_path / "gpu.json"
    path.write_text(text)
    answer = run(python, HERE / "launches.py", path, "a branch in a loop")
    assert answer.returncode != 0
    last = answer.stderr.splitlines()[-1]
    assert last.startswith(f"{path}: no description of a GPU")
    assert last.endswith("write it as h100.json is written")


def test_plugins_of_another_version_are_refused_in_one_sentence(python):
    program = f"import launches; launches.version = lambda name: '0.1'; launches.main({str(HERE / 'h100.json')!r}, 'x')"
    answer = run(python, "-c", program)
    assert answer.stderr.splitlines()[-1] == (
        f"jax-cuda13-plugin is version 0.1, JAX {jax.__version__}: install jax-cuda13-plugin=={jax.__version__}"
    )
