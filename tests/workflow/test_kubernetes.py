"""The workflow through Kubernetes' plugin, by its profile, with a stand-in (pods.py) for the cluster itself."""

import os
import shutil
import subprocess

import pods
import pytest
import yaml
from layers import python_with
from places import ROOT
from tiny import TINY, copy_to, snakemake

from ffc.store.records import Record

pytestmark = [
    pytest.mark.stress,
    pytest.mark.cluster,
    pytest.mark.packages,
    pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync, which carries files, is not installed"),
]

RECORD = "results/pods/records/made_mnist/sequential.npz"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A record made in pods that share a volume and nothing else comes back: the volume, and what was asked for."""
    folder = copy_to(tmp_path_factory.mktemp("project"), pods=TINY | {"gpu": True})
    volume = tmp_path_factory.mktemp("volume")
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):  # pods get what git knows
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    python = python_with(tmp_path_factory.mktemp("environment"), "cluster")
    pip = tmp_path_factory.mktemp("bin") / "pip"  # pods install the storage's plugin, which is here already
    pip.write_text("#!/bin/sh\n")
    pip.chmod(0o755)
    options = ["--workflow-profile", "profiles/kubernetes", "--seconds-between-status-checks", "1"]
    place = ["--default-storage-prefix", str(volume), "--kubernetes-persistent-volumes", f"claim:{volume}"]
    with pods.cluster(tmp_path_factory.mktemp("pods")) as (bodies, settings), pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(settings))
        patch.setenv("PATH", str(python.parent), prepend=os.pathsep)
        patch.setenv("PATH", str(pip.parent), prepend=os.pathsep)
        snakemake(folder, RECORD, *options, *place, python=python)
    assert set(Record.load(volume / RECORD)["status"]) == {"certified"}
    return volume, list(bodies.values())


def test_a_pod_mounts_the_claim_and_runs_the_image_that_the_profile_names(run):
    volume, bodies = run
    image = yaml.safe_load((ROOT / "profiles" / "kubernetes" / "config.yaml").read_text())["container-image"]
    assert len(bodies) == 3
    for body in bodies:
        container, spec = pods.container_of(body), body["spec"]["template"]["spec"]
        assert container["image"] == image
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/workdir", str(volume)}
        claims = [one["persistentVolumeClaim"] for one in spec["volumes"] if "persistentVolumeClaim" in one]
        assert claims == [{"claimName": "claim"}]


def test_jobs_of_a_gpu_preset_are_granted_one_gpu_and_others_none(run):
    data, train, solve = (pods.container_of(body)["resources"] for body in run[1])
    assert data["limits"].get("nvidia.com/gpu", "0") == "0"
    for resources in (train, solve):
        for granted in (resources["requests"], resources["limits"]):
            assert (granted["memory"], granted["nvidia.com/gpu"]) == ("16000M", "1")
