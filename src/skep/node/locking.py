"""One command at a time: a lock on a file that the kernel lets go of when its holder dies.

The lock is a value. What changes a node is made with one (``Writer.lock``) and asks it before it
begins, so nothing can be changed by somebody who does not hold it. Who only looks shares the lock
for a moment, so that what is seen is one consistent state, before a change or after it.

Whoever wants the lock queues: holds a second one (``lock.queue``) until the first is held. The
kernel keeps no order among those who wait; without the queue, a command that makes one change after
another would take the lock again before anybody who waits has looked.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.errors import NotPermitted, SkepError, Unavailable
from skep.file_modes import open_file
from skep.system_errors import explain

_PAUSE_SECONDS = 0.02


class NodeBusy(Unavailable):
    """Another command is at work on this node."""


class LockUnusable(NotPermitted):
    """The lock file cannot be opened."""


class LockNotHeld(SkepError):
    """A change was begun without the lock, or after it was given back: a bug in Skep."""


class Lock:
    """The node's lock, held; only :func:`locked` makes one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_held = True

    def require(self) -> None:
        """Nothing, if the lock is held.

        Raises:
            LockNotHeld: it was given back.
        """
        if not self._is_held:
            raise LockNotHeld(f"the lock {self._path} was given back already")

    def _give_back(self) -> None:
        self._is_held = False


@contextmanager
def locked(path: Path, wait_seconds: float) -> Iterator[Lock]:
    """Hold the lock of the node.

    Args:
        path: file to lock; created if missing, never removed (a removed lock file can be held
            twice).
        wait_seconds: how long to wait for another holder.

    Raises:
        NodeBusy: another command still holds it.
        LockUnusable: this user may not lock it, or it is no plain file.
        SkepError: the disk is full, or there are no more descriptors.
    """
    descriptor = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        if not _take(path, descriptor, fcntl.LOCK_EX, wait_seconds):
            raise _busy(wait_seconds)
        lock = Lock(path)
        try:
            yield lock
        finally:
            lock._give_back()  # noqa: SLF001 - only who took it gives it back
    finally:
        os.close(descriptor)  # which unlocks


@contextmanager
def locked_as_it_is(find: Callable[[], Path], wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a node whose directory cannot be written, to take away and no more.

    Nothing is made. A lock file that cannot be opened counts as free.

    Args:
        find: gives the file to lock.
        wait_seconds: how long to wait for another holder.

    Raises:
        NodeBusy: another command still holds it.
    """
    try:
        descriptor = _open(find(), os.O_RDONLY)
    except (FileNotFoundError, NotPermitted):
        yield
        return
    try:
        # Without the queue, which would be made; flock(2) needs no permission to write.
        if not _flocked(descriptor, fcntl.LOCK_EX, time.monotonic() + wait_seconds):
            raise _busy(wait_seconds)
        yield
    finally:
        os.close(descriptor)


def _busy(wait_seconds: float) -> NodeBusy:
    return NodeBusy(
        f"another command has been working on this node for {wait_seconds:g} s",
        hint="wait for it to finish and try again",
    )


@contextmanager
def shared(path: Path, wait_seconds: float) -> Iterator[SkepError | None]:
    """Look at the node while nothing changes it; makes no file.

    A change that takes longer than ``wait_seconds``, or a lock file that this user may not read,
    does not keep anybody from looking.

    Yields:
        Why what is seen may be half of a change: ``NodeBusy`` or ``LockUnusable``; ``None`` if it
        is one consistent state.
    """
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None  # nothing was ever changed
        return
    except LockUnusable as error:
        yield error
        return
    try:
        is_held = _take(path, descriptor, fcntl.LOCK_SH, wait_seconds)
        yield None if is_held else NodeBusy("another command is changing this node")
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    try:
        if flags & os.O_CREAT:
            return open_file(path, flags | os.O_NOFOLLOW)
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
        raise _unusable(path, "its directory does not exist") from None
    except OSError as error:
        told = explain(error, f"open the lock file {path}")
        is_disk = isinstance(told, Unavailable) or error.errno == errno.EROFS  # not a wrong user
        if flags & os.O_CREAT and is_disk:
            raise told from error
        raise _unusable(path, error.strerror or str(error)) from error


def _unusable(path: Path, reason: str) -> LockUnusable:
    return LockUnusable(
        f"could not open the lock file {path}: {reason}",
        hint="run it as root; the file must be a plain one",
    )


def _take(path: Path, descriptor: int, kind: int, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    with _queued(path, kind, deadline) as is_first:
        return is_first and _flocked(descriptor, kind, deadline)


@contextmanager
def _queued(path: Path, kind: int, deadline: float) -> Iterator[bool]:
    """Come before everybody who is not in the queue yet; those who only look come together.

    Yields:
        Whether that was so before the deadline. Who only looks makes no file; without it, chance
        decides.
    """
    is_looking = kind == fcntl.LOCK_SH
    flags = os.O_RDONLY if is_looking else os.O_RDWR | os.O_CREAT
    try:
        descriptor = _open(path.with_name(f"{path.name}.queue"), flags)
    except (FileNotFoundError, LockUnusable):
        if not is_looking:
            raise
        yield True
        return
    try:
        yield _flocked(descriptor, kind, deadline)
    finally:
        os.close(descriptor)


def _flocked(descriptor: int, kind: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
