"""Mount namespaces: which one this process is in, and work in that of process 1.

``ip netns exec``, ``unshare -m`` and units with private mounts run a command in a mount namespace
that ends with it, and a BPF file system mounted there ends with its pins. What process 1 of this
machine or container sees lasts as long as the machine or container.

Only the calling thread may enter another mount namespace, and only if it shares its root directory
with no other; so work there is done in a thread that ends with it. Descriptors it opens stay good.

Sources: mount_namespaces(7), setns(2), proc_pid_mountinfo(5).
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

from skep.errors import Unsupported
from skep.kernel.errors import proc_missing
from skep.kernel.process_one import (
    PROC,
    ancestors,
    file_identity,
    mounts,
    mounts_stand_in,
    parent_and_session,
)
from skep.kernel.syscall import BpfError, enter_mount_namespace

_Answer = TypeVar("_Answer")


class CannotEnter(Unsupported):
    """This process may not enter the mount namespace of process 1."""


def shares_mounts_with_process_1() -> bool:
    """Whether this process and process 1 are in one mount namespace.

    Process 1 is the one of the ``/proc`` that is mounted here: of the container in a container.

    Raises:
        KernelFilesMissing: there is no ``/proc`` of this process.
    """
    ours = _identity("self")
    if ours is None:
        raise proc_missing("could not tell which mount namespace this is")
    if (theirs := _identity("1")) is not None:
        return ours == theirs
    # Without the right to look at its namespace: every mount belongs to one namespace, and its
    # number is unique on the machine.
    return bool(mounts("self") & mounts("1"))


def process_1_sees_bpffs(device: int) -> bool:
    """Whether a BPF file system, by its ``st_dev``, is also mounted where process 1 sees it."""
    return any(
        (major, minor) == (os.major(device), os.minor(device)) and kind == "bpf"
        for _, major, minor, kind in mounts("1")
    )


def others_share_our_mounts() -> bool:
    """Whether a process that does not end with us is in our mount namespace.

    That is one which is not of our session, and neither started us nor a process that did: the
    main process of a container in which this is ``docker exec``, for example.
    """
    ours = _identity("self")
    session = parent_and_session("self")[1]
    above = {*ancestors()}
    return any(
        number not in above
        and _identity(number) == ours
        and parent_and_session(number)[1] not in {session, ""}
        for number in _processes()
    )


def as_process_1(work: Callable[[], _Answer]) -> _Answer:
    """Do something with the root directory and the mounts of process 1.

    Args:
        work: runs in a thread of its own; may open descriptors and must use absolute paths.

    Raises:
        CannotEnter: not permitted. What ``work`` raises is raised unchanged.
    """
    answers: list[_Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _become_process_1()
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asked
            failures.append(error)

    thread = threading.Thread(target=run, name="as process 1")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def _become_process_1() -> None:
    process = mounts_stand_in()
    with ExitStack() as opened:
        try:
            namespace = os.open(PROC / process / "ns" / "mnt", os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, namespace)
            root = os.open(PROC / process / "root", os.O_PATH | os.O_CLOEXEC)
            opened.callback(os.close, root)
            enter_mount_namespace(namespace)
            # The namespace's root need not be that of process 1.
            os.fchdir(root)
            os.chroot(".")
        except (BpfError, OSError) as error:
            raise CannotEnter(
                f"could not enter the mount namespace of process 1: {error}", hint="run it as root"
            ) from error


def _identity(process: str) -> tuple[int, int] | None:
    return file_identity(PROC / process / "ns" / "mnt")


def _processes() -> Iterator[str]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            yield entry.name
