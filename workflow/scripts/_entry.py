"""What the scripts of all rules share: where output goes, and what an error looks like."""

import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # for kernels

# Jobs may share a card: JAX takes memory as it needs it, not most of it at once. PyTorch, in the same processes,
# only reads files and data sets, on the CPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# A log is no place for progress bars: torchvision would draw them there.
os.environ.setdefault("TQDM_DISABLE", "1")


@contextmanager
def job(snakemake, precision="highest"):
    """Float32 is multiplied with this precision, unless JAX is told another; None leaves it to the device.

    Everything printed inside goes to the rule's log. What a user can mend is one message there and on the
    terminal; a traceback of anything else is in the log (on the terminal, too, with `debug: true`)."""
    if precision:
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", precision)  # before JAX is imported
    from ffc.core.devices import sentence
    from ffc.core.errors import FFCError
    from ffc.store.compiled import keep_compiled

    keep_compiled(Path(".snakemake/jax"))  # solvers of a task share programs, and a job that runs again has most
    terminal = os.dup(2)
    with open(snakemake.log[0], "w") as log:
        for stream in (1, 2):  # below Python, so that compiled libraries write there too
            os.dup2(log.fileno(), stream)
    sys.stdout.reconfigure(errors="backslashreplace")  # as standard error is: a locale may know few letters
    try:
        yield
    except Exception as error:
        mendable, debug = isinstance(error, FFCError), snakemake.config["debug"]
        message, trace = f"{sentence(error)}\n", traceback.format_exc()
        # The terminal first: a full disk takes no log.
        os.write(terminal, (trace if debug else f"{snakemake.rule}: {message}").encode(errors="backslashreplace"))
        sys.stderr.write(message if mendable and not debug else f"{trace}{message}")
        sys.stderr.flush()
        sys.exit(1)
