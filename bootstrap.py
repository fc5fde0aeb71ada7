"""Set the project up in .venv, from nothing but Python: `python3 bootstrap.py [--gpu]`.

Every package is pinned by its hash in requirements/lock.txt. A second call finds all in step and returns at
once; an interrupted one is simply called again. `--gpu` adds JAX's CUDA build (requirements/gpu.txt).
"""

import argparse
import ctypes
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK, GPU = ROOT / "requirements" / "lock.txt", ROOT / "requirements" / "gpu.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description="Set the project up in .venv")
    parser.add_argument("--gpu", action="store_true", help="add JAX's CUDA build (Linux, NVIDIA)")
    gpu = parser.parse_args().gpu
    if sys.version_info < (3, 11):  # noqa: UP036 (it may be run by any Python)
        sys.exit(f"bootstrap: this is Python {sys.version.split()[0]}; the project needs 3.11 or newer: python3.11 ...")
    stamp = VENV / "in-step"
    alive = works(PYTHON)
    accepted = [fingerprint(True)] if gpu else [fingerprint(False), fingerprint(True)]
    if alive and stamp.exists() and stamp.read_text() in accepted:
        return
    stamp.unlink(missing_ok=True)
    if not alive or not works(PYTHON, "import pip"):
        create()
    install(gpu)
    stamp.write_text(fingerprint(gpu))
    print("bootstrap: ready; the tools are in .venv/bin")
    if gpu and not has_driver():
        print("bootstrap: this machine has no NVIDIA driver: JAX's CUDA build may crash here unless JAX_PLATFORMS=cpu")


def fingerprint(gpu: bool) -> str:
    """What .venv holds when it is in step: these files, at this place (scripts name their interpreter)."""
    files = [LOCK, ROOT / "pyproject.toml", *([GPU] if gpu else [])]
    content = b"".join(file.read_bytes() for file in files) + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def works(python: Path, code: str = "import sys; sys.exit(sys.version_info < (3, 11))") -> bool:
    return python.exists() and subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def create() -> None:
    if VENV.exists():
        shutil.rmtree(VENV)
    if subprocess.run([sys.executable, "-m", "venv", VENV]).returncode:
        sys.exit(
            "bootstrap: .venv could not be made (see above). Where ensurepip is missing, install your system's "
            "package of it (Debian, Ubuntu: apt install python3-venv); then call this again"
        )


def install(gpu: bool) -> None:
    """uv by pip, everything else by uv (it checks the hashes and resumes from its cache), then the project."""
    pinned_uv = re.search(r"^uv==.*?(?=^\S)", LOCK.read_text(), re.MULTILINE | re.DOTALL).group()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned_uv)
        file.flush()
        run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", file.name])
    uv = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
    print("bootstrap: installing what requirements/lock.txt pins (minutes, the first time)", flush=True)
    run([*uv, "--no-deps", "--require-hashes", "-r", LOCK, *(["-r", GPU] if gpu else [])])
    run([*uv, "--no-deps", "--no-build-isolation", "--editable", ROOT])


def run(command: list) -> None:
    if subprocess.run(command).returncode:
        sys.exit("bootstrap: the step above failed; mend it (network? disk space?), then call this again: it resumes")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("bootstrap: interrupted; call it again to resume")
