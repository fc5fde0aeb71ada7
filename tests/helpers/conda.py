"""A stand-in for conda where there is none: it makes the environments that Snakemake asks for by uv.

Their pip packages are those of the environment's file, and what these need is of the version in the lock file.
The interpreter is the one that runs this; `python` in the file is left to conda itself.
"""

import json
import subprocess
import sys
from pathlib import Path

import yaml
from places import ROOT

LOCK = ROOT / "requirements" / "lock.txt"


def install(folder: Path) -> Path:
    """A `conda` and its `activate` in `folder`/bin, to be put on PATH."""
    folder.joinpath("bin").mkdir(parents=True)
    command = f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "{folder}" "$@"\n'
    for name, text in (("conda", command), ("activate", 'PATH="$1/bin:$PATH"\n')):
        (script := folder / "bin" / name).write_text(text)
        script.chmod(0o755)
    return folder / "bin"


def create(packages: list[str], folder: Path) -> Path:
    """A virtual environment that holds `packages` and what they need, nothing else; returns its Python."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = folder / "bin" / "python"
    subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
    subprocess.run([*uv, "pip", "install", "--python", python, "--constraint", LOCK, *packages], check=True)
    return python


def main(prefix: str, *words: str) -> None:
    """What Snakemake asks of conda."""
    info, config = {"conda_prefix": prefix, "platform": "stand-in"}, {"get": {"channel_priority": "strict"}}
    answers = {"--version": "conda 25.1.0", "info": json.dumps(info), "config": json.dumps(config)}
    if words[0] in answers:
        print(answers[words[0]])
    elif words[:2] == ("env", "create"):
        file, folder = (Path(words[words.index(option) + 1]) for option in ("--file", "--prefix"))
        *_, packages = yaml.safe_load(file.read_text())["dependencies"]
        create(packages["pip"], folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
