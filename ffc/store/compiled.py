"""Where compiled programs are kept from one process to the next."""

import hashlib
import os
import platform
import sys
from pathlib import Path

from ffc.core.errors import FFCError
from ffc.store.paths import expanded


def keep_compiled(folder: Path | None) -> None:
    """Let JAX keep the programs that it compiles under `folder`, if any, and take from there what it needs again.

    It need not be imported yet. `JAX_COMPILATION_CACHE_DIR`, where it is set, names another folder. Nothing is lost if
    the files are deleted.
    """
    if folder is None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    own = folder / processor()
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written: programs are compiled again
        return
    for name, value in (("compilation_cache_dir", str(own)), ("persistent_cache_min_compile_time_secs", 0.1)):
        if jax := sys.modules.get("jax"):
            jax.config.update(f"jax_{name}", value)
        else:
            os.environ[f"JAX_{name.upper()}"] = str(value)


def cache_folder() -> Path | None:
    """Return the user's own for the programs of `ffc`, by the rule of the XDG base directories; None without a home."""
    try:
        return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "ffc" / "compiled"
    except FFCError:
        return None


def processor() -> str:
    """Return a name for the processor and its cores that are free to this process: several machines may share a folder.

    Programs that were compiled for one core are slow on two.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    features = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return hashlib.sha256("\n".join([platform.platform(), str(cores), *features]).encode()).hexdigest()[:12]
