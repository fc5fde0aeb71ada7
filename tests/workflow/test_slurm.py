"""The workflow through Slurm (slurm.py), by the profile that a cluster's users take."""

import re
import subprocess
from importlib import import_module

import pytest
import slurm
from layers import python_with
from sound import weights
from tiny import MADE, TINY, copy_to, snakemake

from ffc.store import checkpoints
from ffc.store.records import Record

pytestmark = [
    pytest.mark.stress,
    pytest.mark.cluster,
    pytest.mark.packages,
    pytest.mark.skipif(bool(slurm.missing()), reason=f"Slurm is not installed: {', '.join(slurm.missing())}"),
]

#: A MADE whose training and whose solver wait for each other; its first training is cancelled by `scancel`.
MODEL = """
import os
import subprocess
import time
from pathlib import Path

from ffc.models.made import MADE

validations = []


class Watched(MADE):
    kind = "watched:Watched"

    def finish(self, params, images):
        meet()
        validations.append(len(images))
        if len(validations) == 2 and not Path("cancelled").exists():
            Path("cancelled").touch()
            subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]], check=True)
            time.sleep(600)
        return super().finish(params, images)

    def pictures(self, samples):
        meet()
        return super().pictures(samples)


def meet():
    Path(f"seen{os.environ['SLURM_JOB_ID']}").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    limit = time.monotonic() + 300
    while len(list(Path().glob("seen*"))) < 2 and time.monotonic() < limit:
        time.sleep(0.1)
"""
WATCHED = MADE | {"model": {"kind": "watched:Watched", "hidden": [16, 16]}}
PRESET = TINY | {"gpu": True, "tasks": {"made_mnist": WATCHED, "ready": WATCHED | {"paper": "made_cifar"}}}
CHECKPOINTS = "results/watched/checkpoints"
WEIGHTS, RECORD = f"{CHECKPOINTS}/made_mnist.flax", "results/watched/records/ready/sequential.npz"
OPTIONS = [
    *("--workflow-profile", "profiles/slurm"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, and what each of its jobs was given, as Slurm tells it in the end.

    One task is trained; the other one, whose weights are there, is solved meanwhile.
    """
    folder = copy_to(tmp_path_factory.mktemp("project"), watched=PRESET)
    (folder / "watched.py").write_text(MODEL)
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in (environment | {"JAX_PLATFORMS": "cpu"}).items():  # the devices are stand-ins
            patch.setenv(name, value)
        patch.syspath_prepend(folder)
        model = import_module("watched").Watched((8, 8, 1), (16, 16))
        checkpoints.save(folder / CHECKPOINTS / "ready.flax", model, weights(model), {})
        python = python_with(tmp_path_factory.mktemp("environment"), "cluster")
        snakemake(folder, WEIGHTS, RECORD, *OPTIONS, python=python)
        told = subprocess.check_output(["scontrol", "--oneliner", "show", "job"], text=True)
    jobs = [dict(re.findall(r"([\w/]+)=(\S+)", line)) for line in told.splitlines()]
    return folder, sorted(jobs, key=lambda job: int(job["JobId"]))


def of_rule(jobs, name):
    return [job for job in jobs if job["Comment"].startswith(f"rule_{name}_")]


def test_a_record_comes_back_from_the_cluster(run):
    assert set(Record.load(run[0] / RECORD)["status"]) == {"certified"}


def test_a_cancelled_job_is_tried_again_and_goes_on_where_it_was(run):
    folder, jobs = run
    assert [job["JobState"] for job in of_rule(jobs, "train")] == ["CANCELLED", "COMPLETED"]
    assert [job["MinMemoryNode"] for job in of_rule(jobs, "train")] == ["16000M", "32000M"]
    log = (folder / "logs" / "watched" / "train" / "made_mnist.log").read_text()
    assert "going on from step 35" in log, "the last state before the validation at step 40"


def test_jobs_of_a_gpu_preset_ask_for_one_gpu_and_others_for_none(run):
    _, jobs = run
    gpus = {rule: {job.get("TresPerJob") for job in of_rule(jobs, rule)} for rule in ("data", "train", "solve")}
    assert gpus == {"data": {None}, "train": {"gres:gpu:1"}, "solve": {"gres:gpu:1"}}
    assert {job["CPUs/Task"] for job in of_rule(jobs, "solve")} == {"4"}


def test_two_jobs_at_once_have_a_gpu_each(run):
    folder, jobs = run
    training, *_, solve = (*of_rule(jobs, "train"), *of_rule(jobs, "solve"))
    devices = {(folder / f"seen{job['JobId']}").read_text() for job in (training, solve)}
    assert devices == {"0", "1"}
