"""Snakemake's command without its start: a process that has imported it forks for each command, which then is its own.

For plans, refusals and runs of few jobs, much of whose time is that import. It does not see what a test changes of the
environment. Where forks are not safe (macOS), each is a new process.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import quickly


def snakemake(folder: Path, *arguments: str, fails: bool = False) -> str:
    """What a command prints that succeeds, or `fails` without a traceback."""
    with tempfile.NamedTemporaryFile("r") as printed:
        if sys.platform == "linux":
            parent = _parent()
            print(json.dumps([str(folder), arguments, printed.name]), file=parent.stdin, flush=True)
            code = int(parent.stdout.readline())
        else:
            command = [sys.executable, "-m", "snakemake", *arguments]
            with open(printed.name, "w") as output:
                code = subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT).returncode
        text = printed.read()
    assert bool(code) == fails, text
    said = text.partition("Log file: ")[0]  # a job's log, which follows, may have one
    assert not fails or "Traceback (most recent call last)" not in said, text
    return text


def environment() -> dict[str, str]:
    """Return the environment of a run, whose programs are compiled quickly, whatever Snakemake runs the tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")} | quickly.settings()


@functools.cache
def _parent() -> subprocess.Popen:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    parent = subprocess.Popen([sys.executable, __file__], env=environment(), **pipes)
    atexit.register(parent.communicate)  # its input ends, and so does it
    return parent


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # names of helpers hide no module of others
    import snakemake.cli

    snakemake.cli.get_argument_parser()  # imports its plugins
    for name in ("jsonschema", "nbformat", "numpy", "smart_open"):  # what each command would import
        __import__(name)
    for line in sys.stdin:
        folder, arguments, printed = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the next commands come there
            for stream in (1, 2):
                os.dup2(os.open(printed, os.O_WRONLY | os.O_APPEND), stream)
            sys.argv = [str(Path(snakemake.__file__).with_name("__main__.py")), *arguments]
            snakemake.cli.main(arguments)  # ends this process
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
