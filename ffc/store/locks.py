"""One run at a time where two would undo each other's work."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ffc.core.errors import FFCError


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Make `folder` and keep other processes out of it; the lock goes with the process, however it ends.

    Yields whether it is held: false, with a warning, where its file system knows no locks. A folder that stays empty is
    taken away again. Raises `FFCError` where another process holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FFCError(f"{folder}: cannot be written ({error.strerror}); name another place") from None
    try:
        held = _locked(descriptor, folder)
        try:
            yield held
        finally:
            with suppress(OSError):
                folder.rmdir()
    finally:
        os.close(descriptor)


def _locked(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FFCError(f"{folder}: another run is writing to it; wait for that one, or name another place") from None
    except OSError as error:  # ENOLCK, EOPNOTSUPP, ENOSYS, or EBADF, by NFS
        print(f"{folder}: cannot be locked ({error.strerror}); let one run at a time write to it", file=sys.stderr)
        return False
    return True
