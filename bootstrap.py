"""Set the project up in .venv, from nothing but Python: `python3 bootstrap.py [--gpu] [--cluster]`.

Every package is pinned by its hash in requirements/lock.txt. A second call finds all in step and returns at
once; an interrupted one is simply called again. `--gpu` adds JAX's CUDA build (requirements/gpu.txt), `--cluster`
what hands the workflow's jobs to a cluster (requirements/cluster.txt).
"""

import sys

# First of all, and in a file without syntax younger than Python 3.6: an older Python gets no further than this.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "bootstrap: this is Python {}.{}.{}; the project needs 3.11 or newer: python3.11 ...".format(*sys.version_info)
    )

import argparse
import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements" / "lock.txt"
#: Variables by which packages of .venv would be put, or looked for, elsewhere, or the project not installed as it is.
ELSEWHERE = ("PYTHONHOME", "PYTHONPATH", "UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV")
ELSEWHERE += ("UV_REQUIRE_HASHES", "UV_NO_EDITABLE", "UV_WORKING_DIR", "UV_PROJECT")
#: Characters of a path that Snakemake, the shell of a job or (a colon) PATH would take for something else.
UNFIT = re.compile(r"[^\w./@%+=,~-]")
#: Where JAX can be installed, by the names that Python's `platform` gives.
SYSTEMS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")}
#: What can be added, each pinned in a file of its name.
EXTRAS = {
    "gpu": "add JAX's CUDA build (Linux, NVIDIA)",
    "cluster": "add what hands the workflow's jobs to Slurm or Kubernetes",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Set the project up in .venv")
    for name, text in EXTRAS.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    asked = {name for name, value in vars(parser.parse_args()).items() if value}
    refuse_what_cannot_work()
    stamp = VENV / "in-step"
    alive = works(PYTHON)
    present = in_step(stamp.read_text()) if alive and stamp.exists() else None
    if present is not None and asked <= present:
        return
    extras = asked | (present or set())
    stamp.unlink(missing_ok=True)
    if not alive or not works(PYTHON, "import pip"):
        create()
    install(extras)
    stamp.write_text(fingerprint(extras))
    print("bootstrap: ready; the tools are in .venv/bin")
    if "gpu" in asked and not has_driver():
        print("bootstrap: this machine has no NVIDIA driver: JAX's CUDA build may crash here unless JAX_PLATFORMS=cpu")


def refuse_what_cannot_work() -> None:
    """Stop with one line where the machine or the folder will not do."""
    machine = (platform.system(), platform.machine())
    if machine not in SYSTEMS:
        systems = ", ".join(" ".join(pair) for pair in sorted(SYSTEMS))
        sys.exit(f"bootstrap: this is {' '.join(machine)}, which JAX has no package for; it has them for {systems}")
    problem = unfit(ROOT)
    if problem:
        sys.exit(f"bootstrap: {problem}")


def unfit(folder: Path) -> str | None:
    """Return what is wrong with a project that lies in `folder`, if anything is."""
    match = UNFIT.search(str(folder))
    return match and f"{folder}: Snakemake's jobs cannot run below a path with {match[0]!r}; move the project elsewhere"


def in_step(stamp: str) -> set[str] | None:
    """Return the extras that .venv holds beside what the files now pin; None if it holds anything else."""
    choices = [set(names) for count in range(len(EXTRAS) + 1) for names in combinations(EXTRAS, count)]
    return next((extras for extras in choices if fingerprint(extras) == stamp), None)


def pinned(extras: set[str]) -> list[Path]:
    return [LOCK, *(LOCK.with_name(f"{name}.txt") for name in sorted(extras))]


def fingerprint(extras: set[str]) -> str:
    """Return what .venv holds when it is in step: these files, at this place (scripts name their interpreter)."""
    files = [*pinned(extras), ROOT / "pyproject.toml"]
    content = b"".join(file.read_bytes() for file in files) + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def works(python: Path, code: str = "import sys; sys.exit(sys.version_info < (3, 11))") -> bool:
    return python.exists() and subprocess.run([python, "-c", code], capture_output=True, env=clean()).returncode == 0


def clean() -> dict[str, str]:
    """Return the environment without what would make packages of .venv land, or be found, elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ELSEWHERE}


def create() -> None:
    if VENV.exists():
        shutil.rmtree(VENV)
    if subprocess.run([sys.executable, "-m", "venv", VENV], env=clean()).returncode:
        sys.exit(
            "bootstrap: .venv could not be made (see above). Where ensurepip is missing, install your system's "
            "package of it (Debian, Ubuntu: apt install python3-venv); then call this again"
        )


def install(extras: set[str]) -> None:
    """uv by pip, everything else by uv (it checks the hashes and resumes from its cache), then the project.

    pip fetches as the user has set it up, but installs deaf to all settings: `user`, `target` or `prefix` in its
    environment or its configuration files would send uv elsewhere.
    """
    pinned_uv = re.search(r"^uv==.*?(?=^\S)", LOCK.read_text(), re.MULTILINE | re.DOTALL).group()
    pip = [PYTHON, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(pinned_uv)
        run([*pip, "download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder, "-r", wanted])
        wheels = Path(folder).glob("uv-*")
        run([*pip, "--isolated", "install", "--quiet", "--no-deps", "--no-index", *wheels], PIP_CONFIG_FILE=os.devnull)
    uv = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
    print("bootstrap: installing what requirements/lock.txt pins (minutes, the first time)", flush=True)
    run([*uv, "--no-deps", "--require-hashes", *(word for file in pinned(extras) for word in ("-r", file))])
    if not works(PYTHON, "import hatchling"):
        sys.exit(
            "bootstrap: uv put the packages elsewhere; take `target` and `prefix` out of its configuration (uv.toml, "
            "or tool.uv.pip in a pyproject.toml above this folder), or set UV_NO_CONFIG=1; then call this again"
        )
    run([*uv, "--no-deps", "--no-build-isolation", "--editable", ROOT])


def run(command: list, **variables: str) -> None:
    if subprocess.run(command, env=clean() | variables).returncode:
        sys.exit("bootstrap: the step above failed; mend it (network? disk space?), then call this again: it resumes")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("bootstrap: interrupted; call it again to resume")
