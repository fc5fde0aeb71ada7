"""What breaks ends the run with what is wrong, where, and what to do; then the same command goes on."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from forks import snakemake
from test_kills import differ, differences
from tiny import copy_to, start

from ffc.core.devices import sentence

pytestmark = pytest.mark.stress

AGAIN = "Once that is mended, repeat the command"
DATA = "results/tiny/data/made_mnist.npz"
WEIGHTS = "results/tiny/checkpoints/made_mnist.flax"
JACOBI, WIDE = (f"results/tiny/records/made_mnist/{solver}.npz" for solver in ("jacobi", "wide"))
TABLE = "results/tiny/summary.md"


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """A project that has run, and of which a test takes away what it wants to see made again."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)


def fails(folder: Path, *targets: str) -> str:
    """What Snakemake prints, which leaves nothing under the targets' names."""
    printed = snakemake(folder, *targets, fails=True)
    assert not any((folder / target).exists() for target in targets)
    return printed


def goes_on(finished: Path, folder: Path, *targets: str) -> None:
    """The same command ends once that is mended, with the same bits as a run that nothing stopped."""
    snakemake(folder, *targets)
    assert not any(differ(target, finished, folder) for target in targets)


@pytest.fixture
def mount() -> Callable:
    """Mount a small disk of memory on a folder, or again with other options."""
    mounted = set()

    def mount(folder: Path, options: str):
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("only root on Linux mounts disks")
        run = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"mount: {run.stderr.strip()}")
        mounted.add(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk(finished, tmp_path, mount):
    folder = copy_to(tmp_path)
    (folder / "results").mkdir()
    mount(folder / "results", "size=1m")
    ballast = folder / "results" / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2**21))
    printed = fails(folder, DATA)
    assert f"data: {DATA}: could not be written (No space left on device); free some space" in printed
    assert AGAIN in printed
    ballast.unlink()
    goes_on(finished, folder, DATA)


def test_a_folder_that_may_not_be_written_to(finished, project, request):
    """Where permissions don't hold a process back, as they don't root, the disk is mounted to be read only."""
    results, mend = project / "results", ["chmod", "u+w", project / "results"]
    for file in (WEIGHTS, WEIGHTS.replace(".flax", ".json")):
        (project / file).unlink()
    results.chmod(0o555)
    if os.access(results, os.W_OK):
        mount, mend = request.getfixturevalue("mount"), ["mount", "-o", "remount,rw", results]
        kept = shutil.copytree(results, project / "kept")
        mount(results, "size=20m")
        shutil.copytree(kept, results, dirs_exist_ok=True)
        mount(results, "remount,ro")
    printed = fails(project, WEIGHTS)
    assert f"{results}: may not be written to; change that (chmod u+w, or how its disk is mounted)" in printed
    subprocess.run(mend, check=True)
    goes_on(finished, project, WEIGHTS)


#: The script of two solvers: one is killed as the system does when memory runs out, one asks for too much.
DYING = """
    import os
    import numpy
    fault = {"jacobi": lambda: os.kill(os.getpid(), 9), "wide": lambda: numpy.ones(2**47)}
    fault.get(snakemake.wildcards.solver, bool)()
"""


def test_a_job_that_is_killed_and_one_that_lacks_memory(finished, project):
    script = project / "workflow" / "scripts" / "solve.py"
    whole = script.read_text()
    script.write_text(whole.replace("with job(snakemake):\n", f"with job(snakemake):{DYING}"))
    for target in (JACOBI, WIDE):
        (project / target).unlink()
    printed = fails(project, JACOBI, WIDE)
    assert "A job was killed. Unless somebody did that, memory ran out: close other programs" in printed
    assert "solve: memory ran out (Unable to allocate 1.00 PiB for an array with shape" in printed
    assert "or ask for a smaller batch, fewer images or samples" in printed
    assert "Traceback" in (project / "logs/tiny/solve/made_mnist/wide.log").read_text(), "where it ran out"
    script.write_text(whole)
    goes_on(finished, project, JACOBI, WIDE)


def test_an_array_that_xla_has_no_memory_for():
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        jnp.ones((2**23, 2**23))
    assert sentence(caught.value).startswith("memory ran out (RESOURCE_EXHAUSTED: Out of memory")


#: A cell that waits for the file `go`, and fails.
CELL = """from pathlib import Path
from time import sleep
while not Path("go").exists():
    sleep(0.1)
1 / 0"""


def test_a_cell_that_raises_and_a_second_snakemake_meanwhile(finished, project):
    notebook = project / "notebooks" / "summary.ipynb"
    whole = notebook.read_text()
    broken = json.loads(whole)
    next(cell for cell in broken["cells"] if cell["cell_type"] == "code" and not cell["metadata"])["source"] = CELL
    notebook.write_text(json.dumps(broken))
    (project / TABLE).unlink()
    first = start(project, TABLE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while first.poll() is None and not list(project.glob(".snakemake/locks/*")):
        time.sleep(0.05)
    assert "It can be removed with the --unlock argument." in fails(project, TABLE)
    (project / "go").touch()
    printed, _ = first.communicate()
    assert first.returncode == 1
    assert "summary.ipynb: cell 3 raised ZeroDivisionError: division by zero; " in printed
    assert "logs/tiny/notebooks/summary.ipynb shows where" in printed
    assert AGAIN in printed
    assert "Traceback" not in printed
    notebook.write_text(whole)
    snakemake(project, TABLE)
    assert differences(finished, project, "tiny") == []
