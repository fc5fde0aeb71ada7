"""How numbers are computed here: what may change the last bits of samples, and so belongs to their settings."""

import os
from typing import Any

import jax

#: Settings of JAX that may change the last bits; random numbers depend on none (`ffc.core.keys`).
_ARITHMETIC = (
    "jax_allow_f16_reductions",
    "jax_disable_jit",
    "jax_disable_most_optimizations",
    "jax_enable_x64",
    "jax_exec_time_optimization_effort",
    "jax_optimization_level",
)
_HARMLESS = ("--xla_force_host_platform_device_count", "--xla_dump")  # flags that change no bit


def arithmetic() -> dict[str, Any]:
    """How the environment has numbers computed, JSON-able."""
    settings = {name: getattr(jax.config, name, None) for name in _ARITHMETIC}
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_HARMLESS)]
    return {**settings, "XLA_FLAGS": sorted(flags), "NVIDIA_TF32_OVERRIDE": os.environ.get("NVIDIA_TF32_OVERRIDE")}
