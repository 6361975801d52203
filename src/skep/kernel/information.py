"""What the kernel tells about a descriptor, and of what kind it is."""

import ctypes
import errno
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar

from skep.kernel.attributes import BpfCommand, GetId, InfoByDescriptor
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import LacksPrivilege, proc_missing
from skep.kernel.syscall import BpfError, bpf, failure, privilege_hint

_Info = TypeVar("_Info", bound=ctypes.Structure)

Kind = Literal["map", "program", "link"]
# Names of the anonymous inodes in kernel/bpf/syscall.c; a link's depends on how it was opened.
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {"bpf-map": "map", "bpf-prog": "program", "bpf_link": "link", "bpf-link": "link"}
)


def read_info(descriptor: FileDescriptor, info: _Info, what: str) -> _Info:
    """Fill ``info``; fields the kernel does not know stay zero.

    Raises:
        SkepError: of the family of the error number.
    """
    attribute = InfoByDescriptor(
        bpf_fd=descriptor.number, info_len=ctypes.sizeof(info), info=ctypes.addressof(info)
    )
    try:
        bpf(BpfCommand.OBJ_GET_INFO_BY_FD, attribute)
    except BpfError as error:
        raise failure(error, f"read about {what}") from error
    return info


def kind_of(descriptor: FileDescriptor) -> Kind | None:
    """Whether a descriptor is a map, a program or a link; ``None`` if none of them.

    Raises:
        KernelFilesMissing: there is no ``/proc``.
    """
    try:
        target = str(Path(f"/proc/self/fd/{descriptor.number}").readlink())
    except FileNotFoundError as error:
        raise proc_missing("could not tell what was opened") from error
    return next((kind for mark, kind in _KINDS.items() if mark in target), None)


def open_by_id(command: BpfCommand, identity: int, what: str) -> FileDescriptor:
    """A descriptor for an id (``BPF_*_GET_FD_BY_ID``).

    Args:
        what: it is, for messages: ``program 17``.

    Raises:
        LacksPrivilege: CAP_BPF is not enough for this.
        KernelObjectMissing: there is nothing with that id (any more).
        SkepError: of the family of the error number.
    """
    try:
        return FileDescriptor(bpf(command, GetId(start_id=identity)))
    except BpfError as error:
        if error.number == errno.EPERM:
            raise LacksPrivilege(
                f"reading {what} needs CAP_SYS_ADMIN", hint=privilege_hint()
            ) from error
        raise failure(error, f"open {what}") from error
