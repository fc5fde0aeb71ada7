"""Sentences for a user about errors: JAX finds no device to compute on, memory runs out, or any other."""

import sys

from ffc.core.errors import FFCError, place_of


def sentence(error: Exception) -> str:
    """Return what a user reads of an error: the message of an `FFCError`, or else what happened, and where."""
    if isinstance(error, FFCError):
        return str(error)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # the latter by XLA
        return (
            f"memory ran out ({error}); close other programs, let fewer jobs run at once (--cores 1), or ask for a "
            "smaller batch, fewer images or samples"
        )
    return missing_device() or f"{type(error).__name__}: {error}{place_of(error)}"


def missing_device() -> str | None:
    """One sentence where JAX, once imported, cannot start on what it was told to (`JAX_PLATFORMS`); else None.

    For whoever tells of an error that has happened: JAX's own may be an `AssertionError` without a word.
    """
    if "jax" not in sys.modules:
        return None
    import jax

    try:
        jax.devices()
    except Exception as error:  # each backend raises types of its own
        wanted = jax.config.jax_platforms  # type: ignore[attr-defined]
        reason = " ".join(str(error).split())
        return (
            f"JAX_PLATFORMS={wanted or ''}: JAX finds no such device here{f' ({reason})' if reason else ''}; "
            "set JAX_PLATFORMS=cpu, unset it, or install JAX for the device"
        )
    return None
