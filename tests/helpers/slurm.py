"""A Slurm cluster of one node on this machine, as its user; it touches nothing of one that the machine is part of."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from getpass import getuser
from pathlib import Path

#: Daemons lie where only the administrator's path leads.
PATH = os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin"])
PROGRAMS = ("munged", "slurmctld", "slurmd")

# The node claims more than the machine may have, so that the workflow's jobs fit any. Its GPUs are stand-ins.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MpiDefault=none
MinJobAge=86400
ReturnToService=2
SchedulerParameters=sched_interval=1
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:2
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE
"""


def missing() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start one whose files lie in `folder`; the environment that its commands need, until it is stopped again."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    for number in range(2):  # Slurm deals them out, and nothing opens them
        (folder / f"gpu{number}").symlink_to(os.devnull)
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-1]\n")
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(host=host, ports=_free_ports(2), user=getuser(), folder=folder)
    (folder / "slurm.conf").write_text(text)
    (folder / "munge.key").touch(0o600)
    (folder / "munge.key").write_bytes(os.urandom(128))
    # Snakemake's plugin takes SLURM_CONF from a job's steps: a command that knows it goes before Slurm's.
    script = folder / "bin" / "srun"
    script.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    script.chmod(0o755)
    paths = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}
    environment = os.environ | paths
    files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    options = [f"--{name}={folder / file}" for name, file in files.items()]
    with ExitStack() as stack:
        munge = ["munged", "--foreground", "--force", f"--log-file={folder}/munge.log", *options]
        stack.enter_context(_running(folder, environment, *munge))
        _wait_for((folder / "munge.socket").exists, f"munged has no socket; see {folder}/munged.out")
        stack.enter_context(_running(folder, environment, "slurmctld", "-D", "-i"))
        stack.enter_context(_running(folder, environment, "slurmd", "-D"))
        idle = ("sinfo", "--noheader", "--format=%T")
        _wait_for(lambda: _ask(environment, *idle) == "idle", f"the node does not come up; see {folder}/slurmd.out")
        try:
            yield paths
        finally:  # a stopped daemon leaves its jobs running
            _ask(environment, "scancel", f"--user={getuser()}")
            _wait_for(lambda: not _ask(environment, "squeue", "--noheader"), "jobs do not end")


@contextmanager
def _running(folder: Path, environment: dict[str, str], program: str, *arguments: str) -> Iterator[None]:
    command = [shutil.which(program, path=PATH), *arguments]
    with (
        open(folder / f"{program}.out", "w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def _ask(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()


def _wait_for(condition, complaint: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise RuntimeError(complaint)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
