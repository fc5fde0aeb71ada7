"""What the scripts of all rules share: where output goes, and what an error looks like."""

import hashlib
import os
import platform
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path


def _processor() -> str:
    """A name for the processor and its cores that are free to this job: a cluster's machines may share the folder.

    Programs that were compiled for one core are slow on two.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    features = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return hashlib.sha256("\n".join([platform.platform(), str(cores), *features]).encode()).hexdigest()[:12]


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # for kernels

# Jobs may share a card: JAX takes memory as it needs it, not most of it at once. PyTorch, in the same processes,
# only reads files and data sets, on the CPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# Solvers of a task share programs, and a job that runs again has most of its own. Compiled code is for one processor.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f".snakemake/jax/{_processor()}")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# A log is no place for progress bars: torchvision would draw them there.
os.environ.setdefault("TQDM_DISABLE", "1")


@contextmanager
def job(snakemake):
    """Everything printed inside goes to the rule's log. What a user can mend is one message there and on the
    terminal; a traceback of anything else is in the log (on the terminal, too, with `debug: true`)."""
    from ffc.core.devices import missing_device
    from ffc.core.errors import FFCError

    terminal = os.dup(2)
    with open(snakemake.log[0], "w") as log:
        for stream in (1, 2):  # below Python, so that compiled libraries write there too
            os.dup2(log.fileno(), stream)
    sys.stdout.reconfigure(errors="backslashreplace")  # as standard error is: a locale may know few letters
    try:
        yield
    except Exception as error:
        mendable, debug = isinstance(error, FFCError), snakemake.config["debug"]
        message = f"{error if mendable else out_of_memory(error) or missing_device() or _named(error)}\n"
        trace = traceback.format_exc()
        # The terminal first: a full disk takes no log.
        os.write(terminal, (trace if debug else f"{snakemake.rule}: {message}").encode(errors="backslashreplace"))
        sys.stderr.write(message if mendable and not debug else f"{trace}{message}")
        sys.stderr.flush()
        sys.exit(1)


def out_of_memory(error: Exception) -> str | None:
    """What to say of such an error, Python's or XLA's; None of another."""
    if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
        return None
    return (
        f"memory ran out ({error}); close other programs, let fewer jobs run at once (--cores 1), or make batch, "
        "images or samples smaller in the preset"
    )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
