"""Programs are compiled for a moment's run: hardly optimised, and by XLA's older code generator.

Plain tests compile so, and runs of the workflow in all tests: their programs are small, and run once.
"""

import os
import subprocess
import sys

#: The older code generator takes two thirds of the newer one's time.
_OLDER = "--xla_cpu_use_fusion_emitters=false"
#: Where processes of pytest find whether XLA still knows it.
_KNOWN = "FFC_TESTS_XLA_FLAGS"


def set_up() -> None:
    """Try the code generator, once for all processes of pytest, in one that ends at once where XLA has it no more."""
    if _KNOWN not in os.environ:
        look = [sys.executable, "-c", "import jax; jax.devices()"]
        flags = os.environ | {"XLA_FLAGS": _OLDER, "JAX_PLATFORMS": "cpu"}
        known = subprocess.run(look, env=flags, capture_output=True).returncode == 0
        os.environ[_KNOWN] = _OLDER if known else ""


def settings() -> dict[str, str]:
    """Return the variables of the environment that have programs compiled so."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {os.environ[_KNOWN]}"
    return {"XLA_FLAGS": flags, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
