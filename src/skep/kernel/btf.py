"""Types: those of the running kernel, and an object's own given to it.

Source: ``bpf_btf_load`` in kernel/bpf/syscall.c of Linux 6.18.
"""

import ctypes
import errno
from contextlib import suppress

from skep.kernel.attributes import BpfCommand, BtfInfo, BtfLoad
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import KernelRefused, NotInThisKernel
from skep.kernel.information import open_by_id, read_info
from skep.kernel.older_types import older_types
from skep.kernel.syscall import BpfError, address, bpf_accounted, failure

_LOG_BYTES = 1 << 16


def load_types_for(btf: bytes, *, needed: bool) -> FileDescriptor | None:
    """:func:`load_types`, ``None`` if the kernel refuses them and nothing needs them.

    Raises:
        LacksPrivilege: not root.
        KernelRefused, NotInThisKernel: they are needed.
    """
    try:
        return load_types(btf)
    except (KernelRefused, NotInThisKernel):
        if needed:
            raise
        return None


def open_types(identity: int, btf: bytes) -> FileDescriptor | None:
    """The types with this number in the kernel; ``None`` if their content is not ``btf``.

    The kernel compares types by where they are kept: values of a type of the object fit into a map
    only if both were made with the same descriptor's types.

    Raises:
        KernelObjectMissing: there are none of that number (any more).
        SkepError: of the family of the error number.
    """
    found = open_by_id(BpfCommand.BTF_GET_FD_BY_ID, identity, "the program's types")
    try:
        info = read_info(found, BtfInfo(), "types")
        content = ctypes.create_string_buffer(max(int(info.btf_size), 1))
        read_info(found, BtfInfo(btf=address(content), btf_size=len(content)), "types")
        if content.raw == btf or content.raw == older_types(btf):
            return found
    except BaseException:
        found.close()
        raise
    found.close()
    return None


def load_types(btf: bytes) -> FileDescriptor:
    """Give an object's types to the kernel; programs and maps made with them keep them.

    A kernel that does not know all kinds of types gets them with older ones in their place.

    Raises:
        LacksPrivilege: not root.
        KernelRefused: with the kernel's log in ``detail``; it may not know a kind of type.
    """
    try:
        return _load(btf, None)
    except BpfError as error:
        if error.number != errno.EINVAL:
            raise failure(error, "give the object's types to the kernel") from error
    older = older_types(btf)
    if older is not None:
        with suppress(BpfError):  # what the kernel says about the types themselves is told
            return _load(older, None)
    log = ctypes.create_string_buffer(_LOG_BYTES)
    try:
        return _load(btf, log)
    except BpfError as error:
        text = log.value.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        raise KernelRefused(
            f"the kernel refused the object's types: {lines[-1] if lines else 'no reason given'}",
            hint="--verbose shows the whole log",
            detail=text,
        ) from error


def _load(btf: bytes, log: "ctypes.Array[ctypes.c_char] | None") -> FileDescriptor:
    data = ctypes.create_string_buffer(btf, len(btf))
    attribute = BtfLoad(btf=address(data), btf_size=len(btf))
    if log is not None:
        attribute.btf_log_buf = address(log)
        attribute.btf_log_size = len(log)
        attribute.btf_log_level = 1
    return FileDescriptor(bpf_accounted(BpfCommand.BTF_LOAD, attribute))
