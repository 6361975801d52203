"""Who stands in for process 1, where its namespaces may not be looked at.

The host's namespaces are those of process 1, and on a hardened or nested machine even root may not
open them. Another process above this one is usually in the same ones, and that can be shown
without opening them: ``/proc/PID/net`` has files of its own in every network namespace, and every
mount, with a number that no other has, belongs to one mount namespace.

Sources: proc_pid_net(5), proc_pid_mountinfo(5), ``fs/proc/proc_net.c``.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
ONE = "1"
# proc(5): id, parent, major:minor, root, mount point, options, optional fields, "-", type
_MOUNT = re.compile(r"^(\d+) \d+ (\d+):(\d+) \S+ \S+ \S+ (?:\S+ )*?- (\S+) ", re.MULTILINE)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Device and inode number, the same for all names of a file; ``None`` if it cannot be seen."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def is_process_1() -> bool:
    """Whether this process is process 1 of the ``/proc`` that is mounted here."""
    try:
        return (PROC / "self").readlink() == Path(ONE)
    except OSError:
        return False


def network_stand_in() -> str:
    """Number of a process in the network namespace of process 1 that may be entered; else 1."""
    ones = _network(ONE)
    return _stand_in("net", lambda process: ones is not None and _network(process) == ones)


def mounts_stand_in() -> str:
    """Number of a process in the mount namespace of process 1 that may be entered; else 1."""
    ones = mounts(ONE)
    return _stand_in("mnt", lambda process: bool(ones & mounts(process)))


def mounts(process: str) -> frozenset[tuple[int, int, int, str]]:
    """Number, major and minor device number, and type of every mount a process sees."""
    try:
        text = (PROC / process / "mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return frozenset()
    return frozenset(
        (int(number), int(major), int(minor), kind)
        for number, major, minor, kind in _MOUNT.findall(text)
    )


def ancestors() -> Iterator[str]:
    """This process and those above it, numbered as in ``/proc``, which may not be our numbers."""
    try:
        number = str((PROC / "self").readlink())
    except OSError:
        return
    while number not in {"0", ""}:
        yield number
        number = parent_and_session(number)[0]


def parent_and_session(process: str) -> tuple[str, str]:
    """Numbers of its parent and its session; empty if it has ended."""
    try:
        stat = (PROC / process / "stat").read_text(errors="surrogateescape")
    except OSError:
        return "", ""
    # The name in parentheses may contain anything; state, parent, group, session follow it.
    _, parent, _, session = stat.rpartition(")")[2].split()[:4]
    return parent, session


def _stand_in(namespace: str, is_there: Callable[[str], bool]) -> str:
    if _may_be_opened(ONE, namespace):
        return ONE
    # The topmost lives longest.
    for process in reversed([*ancestors()]):
        if is_there(process) and _may_be_opened(process, namespace):
            return process
    return ONE


def _may_be_opened(process: str, namespace: str) -> bool:
    return file_identity(PROC / process / "ns" / namespace) is not None


def _network(process: str) -> tuple[int, int] | None:
    return file_identity(PROC / process / "net" / "dev")
