"""What to say where JAX finds no device to compute on."""

import sys


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
