"""A Slurm cluster of one node on this machine, as its user: `python tests/slurm.py` keeps one until it is interrupted.

It needs Debian's packages slurm-wlm and munge, and touches nothing of a Slurm that the machine may belong to.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from getpass import getuser
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd")
GPUS = 2

# The node claims more than the machine may have, so that the workflow's jobs fit any.
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
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:{gpus}
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE
"""


def missing() -> list[str]:
    return [name for name in PROGRAMS if _program(name) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start one whose files lie in `folder`; the environment that its commands need, until it is stopped again."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    devices = [folder / f"gpu{number}" for number in range(GPUS)]
    for device in devices:  # stand-ins: Slurm deals them out, and nothing opens them
        device.symlink_to(os.devnull)
    (folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))
    text = CONFIGURATION.format(host=host, ports=_free_ports(2), user=getuser(), folder=folder, gpus=GPUS)
    (folder / "slurm.conf").write_text(text)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    environment = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    _find_configuration(folder, "srun")
    files = {"socket": "munge.socket", "key-file": key.name, "pid-file": "munge.pid", "seed-file": "munge.seed"}
    options = [f"--{name}={folder / file}" for name, file in files.items()]
    with ExitStack() as stack:
        for program, *arguments in (
            ["munged", "--foreground", "--force", f"--log-file={folder}/munge.log", *options],
            ["slurmctld", "-D", "-i"],
            ["slurmd", "-D"],
        ):
            stack.enter_context(_running(folder, environment, program, *arguments))
            if program == "munged":
                _wait_for((folder / "munge.socket").exists, f"munged has no socket; see {folder}/munged.out")
        _wait_for(
            lambda: _ask(environment, "sinfo", "--noheader", "--format=%T") == "idle",
            f"the node does not come up; see {folder}/slurmd.out",
        )
        try:
            yield environment
        finally:  # a stopped daemon leaves its jobs running
            _ask(environment, "scancel", f"--user={getuser()}")
            _wait_for(lambda: not _ask(environment, "squeue", "--noheader"), "jobs do not end")


@contextmanager
def _running(folder: Path, environment: dict[str, str], program: str, *arguments: str) -> Iterator[None]:
    with open(folder / f"{program}.out", "w") as log:
        process = subprocess.Popen(
            [_program(program), *arguments], env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _find_configuration(folder: Path, command: str) -> None:
    """Snakemake's plugin takes SLURM_CONF from a job's steps: a command that knows where it is goes before Slurm's."""
    script = folder / "bin" / command
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(command)} "$@"\n')
    script.chmod(0o755)


def _program(name: str) -> str | None:
    """Daemons lie where only the administrator's path leads."""
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin"]))


def _ask(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True).stdout.strip()


def _wait_for(condition, complaint: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise RuntimeError(complaint)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    if missing():
        sys.exit(f"not installed: {', '.join(missing())} (Debian: slurm-wlm, munge)")
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as environment:
        print(*(f"export {name}={value}" for name, value in environment.items()), sep="\n", flush=True)
        with suppress(KeyboardInterrupt, EOFError):
            input("Ctrl-C or Enter stops it\n")
