"""One command at a time: a lock on a file that the kernel lets go of when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.errors import NotPermitted, Unavailable
from skep.file_modes import open_file

_PAUSE_SECONDS = 0.02


class NodeBusy(Unavailable):
    """Another command is at work on this node."""


class LockUnusable(NotPermitted):
    """The lock file cannot be opened."""


@contextmanager
def locked(path: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the node.

    Args:
        path: file to lock; created if missing, never removed (a removed lock file can be held
            twice).
        wait_seconds: how long to wait for another holder.

    Raises:
        NodeBusy: somebody else still holds it.
        LockUnusable: this user may not lock it, or it is no plain file.
    """
    try:
        descriptor = open_file(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError as error:
        raise LockUnusable(
            f"could not open the lock file {path}: {error.strerror}",
            hint="run it as root; the file must be a plain one",
        ) from error
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise NodeBusy(
                        f"another command has been working on this node for {wait_seconds:g} s",
                        hint="wait for it to finish and try again",
                    ) from error
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        yield
    finally:
        os.close(descriptor)  # which unlocks
