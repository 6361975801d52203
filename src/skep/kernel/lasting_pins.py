"""Pins that outlive the command that made them.

A BPF file system keeps its pins while it is mounted somewhere. So a node's is mounted where mounts
last, and looked for in the same place, by whatever command from whatever mount namespace:

1. A command in the mount namespace of process 1 uses its own.
2. Otherwise, if the node's directory is the same one for process 1, the node is process 1's: the
   file system is mounted and opened there (``ip netns exec``, ``unshare -m``, private mounts).
3. Otherwise it is another machine's tree (a container that sees the processes of its host), and
   the command uses its own namespace.

Nothing is mounted where it would end with the command:

4. a command that is process 1 itself mounts nothing, as its namespace ends with it;
5. in case 3, what is mounted is also mounted for process 1, or a process that does not end with
   this command shares the namespace.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from skep.errors import Unsupported
from skep.kernel.bpffs import is_bpffs, mount_bpffs, unmount
from skep.kernel.errors import KernelFilesMissing
from skep.kernel.mount_namespaces import (
    CannotEnter,
    as_process_1,
    others_share_our_mounts,
    process_1_sees_bpffs,
    shares_mounts_with_process_1,
)
from skep.kernel.pins import PinRoot
from skep.kernel.process_one import file_identity, is_process_1

_Answer = TypeVar("_Answer")


class PinsWouldEnd(Unsupported):
    """Whatever is pinned here ends with this command."""


def open_lasting_pins(path: Path, node: Path, *, must_last: bool = True) -> PinRoot:
    """Open a node's pins, on a BPF file system that is mounted if it is missing.

    Args:
        path: where it is or will be mounted.
        node: a directory that is there, and the node's own: it tells the node's machine.
        must_last: ``False`` if the command itself takes away what it pins.

    Raises:
        PinsWouldEnd: the mount would end with this command; nothing was made.
        KernelFilesMissing: that cannot be known.
        LacksPrivilege, NotBpffs, UnsafePinRoot, UsageError: as of :func:`mount_bpffs` and
            :class:`PinRoot`.
    """
    if _is_elsewhere(node):
        return as_process_1(lambda: _mounted(path))
    if must_last:
        _require_lasting(path)
    return _mounted(path)


def find_lasting_pins(path: Path, node: Path) -> PinRoot | None:
    """Open a node's pins to look at them; mounts nothing, ``None`` if there are none."""
    return _where_the_node_is(node, lambda: PinRoot(path) if is_bpffs(path) else None)


def unmount_lasting_pins(path: Path, node: Path) -> bool:
    """Unmount a node's BPF file system, which ends what is pinned in it; whether there was one.

    Raises:
        NotBpffs, KernelObjectExists: as of :func:`unmount`.
    """

    def unmounted() -> bool:
        if not is_bpffs(path):
            return False
        unmount(path)
        return True

    return _where_the_node_is(node, unmounted)


def is_lasting(pins: PinRoot, node: Path, *parts: str) -> bool:
    """Whether a command started now finds a pin of ours, by its path and in the lasting mount.

    To be asked after pinning: it is not if somebody unmounted the file system in between, mounted
    another one over it, or removed the pin.

    Args:
        pins: the open root.
        node: as of :func:`open_lasting_pins`.
        parts: name of the pin.
    """
    found = find_lasting_pins(pins.path, node)
    if found is None:
        return False
    with found:
        there = found.identity(*parts)
    return there is not None and there == pins.identity(*parts)


def _where_the_node_is(node: Path, work: Callable[[], _Answer]) -> _Answer:
    return as_process_1(work) if _is_elsewhere(node) else work()


def _is_elsewhere(node: Path) -> bool:
    """Whether a node's pins are in the mount namespace of process 1, and that is not ours."""
    try:
        if shares_mounts_with_process_1():
            return False  # (1)
    except KernelFilesMissing:
        return False
    here = file_identity(node)
    try:
        return here is not None and as_process_1(lambda: file_identity(node)) == here  # (2) (3)
    except CannotEnter:
        return False


def _require_lasting(path: Path) -> None:
    if shares_mounts_with_process_1():
        # (4)
        if is_process_1() and not is_bpffs(path):
            raise PinsWouldEnd(
                "a program attached by this command would end with it: it is process 1, whose "
                "mounts end with it",
                hint=f"start it from a process that stays, or mount a lasting bpffs on {path}",
            )
        return
    # (5)
    if is_bpffs(path) and process_1_sees_bpffs(path.stat().st_dev):
        return
    if not others_share_our_mounts():
        raise PinsWouldEnd(
            "a program attached by this command would end with it: its mount namespace is private",
            hint="run it outside of that namespace, or as: nsenter -t 1 -m skep ...",
        )


def _mounted(path: Path) -> PinRoot:
    mount_bpffs(path)
    return PinRoot(path)
