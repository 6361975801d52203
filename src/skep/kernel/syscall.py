"""The system call itself: one function, and what its error numbers mean.

An attribute is always passed whole (168 bytes on the kernel it was generated from): the kernel
accepts a structure larger than it knows as long as the rest is zero, and answers E2BIG otherwise,
which therefore reads "this kernel does not know that field".

Sources: bpf(2); ``bpf_check_uarg_tail_zero`` in kernel/bpf/syscall.c of Linux 6.12; system call
numbers from arch/*/entry/syscalls of the same.
"""

import ctypes
import errno
import os
import platform
import resource
import sys
from collections.abc import Mapping
from types import MappingProxyType

from skep.errors import SkepError
from skep.kernel.attributes import BpfCommand
from skep.kernel.errors import (
    KernelBusy,
    KernelObjectExists,
    KernelObjectMissing,
    KernelRefused,
    LacksPrivilege,
    NotInThisKernel,
)

_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "x86_64": 321,
        "aarch64": 280,
        "riscv64": 280,
        "loongarch64": 280,
        "s390x": 351,
        "ppc64le": 361,
    }
)
_ENOTSUPP = 524  # the kernel's own, without a name in user space
_BUSY = frozenset(
    {errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR}
)
_MISSING = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOLINK, errno.ENXIO})
_EXISTS = frozenset({errno.EEXIST, errno.EBUSY})
_UNKNOWN = frozenset({errno.E2BIG, errno.ENOSYS, errno.EOPNOTSUPP, _ENOTSUPP})
_FORBIDDEN = frozenset({errno.EPERM, errno.EACCES})

# A call that creates something may be sent back with EAGAIN while a signal is pending; libbpf
# tries five times (sys_bpf_prog_load in tools/lib/bpf/bpf.c), and so do we.
_ATTEMPTS = 5

# Numbers of linux/capability.h, of those that bpf(2) asks for.
_CAPABILITIES: Mapping[str, int] = MappingProxyType(
    {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class BpfError(SkepError):
    """A raw answer of ``bpf(2)``; never leaves this room.

    Attributes:
        number: ``errno``.
    """

    def __init__(self, number: int) -> None:
        super().__init__(error_name(number))
        self.number = number


def error_name(number: int) -> str:
    """Symbolic name of an error number.

    >>> error_name(22), error_name(524)
    ('EINVAL', 'ENOTSUPP')
    """
    if number == _ENOTSUPP:
        return "ENOTSUPP"
    return errno.errorcode.get(number, f"error {number}")


def bpf(command: BpfCommand, attribute: ctypes.Structure) -> int:
    """Call ``bpf(2)``; buffers the attribute points to must outlive the call.

    Returns:
        A new descriptor or 0, as the command defines.

    Raises:
        BpfError: with the error number.
        NotInThisKernel: on a machine whose system call number is not known.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise NotInThisKernel(
            f"expected one of {', '.join(_NUMBERS)}, this machine is {platform.machine()}",
            hint="loading programs is not implemented for this architecture",
        )
    for attempt in range(_ATTEMPTS):
        result = _libc.syscall(
            ctypes.c_long(number),
            ctypes.c_int(command),
            ctypes.byref(attribute),
            ctypes.c_uint(ctypes.sizeof(attribute)),
        )
        if result >= 0:
            return int(result)
        found = ctypes.get_errno()
        if found != errno.EAGAIN or attempt + 1 == _ATTEMPTS:
            raise BpfError(found)
    raise AssertionError  # the last attempt returned or raised


def bpf_accounted(command: BpfCommand, attribute: ctypes.Structure) -> int:
    """:func:`bpf` for commands that take kernel memory.

    Before Linux 5.11 that memory counted against RLIMIT_MEMLOCK, and too little of it gives EPERM
    like a missing privilege does. So on EPERM the limit is raised once, if that is allowed; it is
    never touched where it does not matter.
    """
    try:
        return bpf(command, attribute)
    except BpfError as error:
        if error.number != errno.EPERM or not _raise_memory_lock_limit():
            raise
    return bpf(command, attribute)


def _raise_memory_lock_limit() -> bool:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    if resource.getrlimit(resource.RLIMIT_MEMLOCK) == unlimited:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
    except (ValueError, OSError):  # without CAP_SYS_RESOURCE
        return False
    return True


def address(buffer: "ctypes.Array[ctypes.c_char]") -> int:
    """Where a buffer is; the caller keeps it alive during the call."""
    return ctypes.addressof(buffer)


def failure(error: BpfError, doing: str) -> SkepError:
    """The error to raise for a raw one that has no special meaning to the caller.

    Args:
        doing: what was tried, as in "could not {doing}".
    """
    number = error.number
    name = error_name(number)
    if number in _FORBIDDEN:
        return LacksPrivilege(
            f"could not {doing}: the kernel says {name} ({os.strerror(number)})",
            hint=privilege_hint(),
        )
    if number in _UNKNOWN:
        return NotInThisKernel(
            f"could not {doing}: the kernel says {name}, it does not support all of this",
            hint=f"this is Linux {platform.release()}; a newer kernel may help",
        )
    message = f"could not {doing}: the kernel says {name} ({os.strerror(number)})"
    if number in _BUSY:
        return KernelBusy(message, hint="free memory or file descriptors, then try again")
    if number in _MISSING:
        return KernelObjectMissing(message)
    if number in _EXISTS:
        return KernelObjectExists(message)
    return KernelRefused(message)


def mount_bpf_file_system(path: bytes) -> None:
    """``mount -t bpf -o mode=0700,nosuid,nodev,noexec bpf PATH``.

    Raises:
        BpfError: with the error number.
    """
    flags = 2 | 4 | 8  # MS_NOSUID, MS_NODEV, MS_NOEXEC of linux/mount.h
    if _libc.mount(b"bpf", path, b"bpf", ctypes.c_ulong(flags), b"mode=0700"):
        raise BpfError(ctypes.get_errno())


def file_system_type(number: int) -> int:
    """``f_type`` of the file system an open file is on; needs no ``/proc``.

    Raises:
        BpfError: with the error number.
    """
    # struct statfs begins with f_type: a long, but an unsigned int on s390x. Both are big enough
    # for the 32 bits of a magic number; the rest of the structure is at most 120 bytes.
    answer = ctypes.create_string_buffer(256)
    if _libc.fstatfs(ctypes.c_int(number), answer):
        raise BpfError(ctypes.get_errno())
    width = 4 if platform.machine() == "s390x" else ctypes.sizeof(ctypes.c_long)
    return int.from_bytes(answer.raw[:width], sys.byteorder) & 0xFFFFFFFF


def effective_capabilities() -> int:
    """The effective capabilities of this thread, one bit each; needs no ``/proc``.

    Raises:
        BpfError: with the error number.
    """
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: low words, high words
    if _libc.capget(header, data):
        raise BpfError(ctypes.get_errno())
    return data[0] | data[3] << 32


def lacking_capabilities() -> tuple[str, ...]:
    """Capabilities ``bpf(2)`` asks for that this thread lacks, sorted.

    CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as in the kernel (``bpf_capable``).
    """
    effective = effective_capabilities()
    held = {name for name, bit in _CAPABILITIES.items() if effective >> bit & 1}
    if "CAP_SYS_ADMIN" in held:
        held |= {"CAP_BPF", "CAP_PERFMON"}
    return tuple(sorted(_CAPABILITIES.keys() - held))


def privilege_hint() -> str:
    """What to do about EPERM and EACCES, as far as the capabilities of this thread explain it."""
    lacking = lacking_capabilities()
    if lacking:
        return f"run as root; this process lacks {', '.join(lacking)}"
    return (
        "run as root, outside of containers and user namespaces; lockdown or a security module "
        "may forbid it, too"
    )


def why_not_readable() -> str:
    """Why the kernel does not tell about programs and links, in a few words.

    Their numbers lead to them only with CAP_SYS_ADMIN (``bpf_prog_get_fd_by_id`` and its like in
    kernel/bpf/syscall.c), which the other commands that looking needs accept, too.
    """
    if "CAP_SYS_ADMIN" in lacking_capabilities():
        return "CAP_SYS_ADMIN is missing"
    return "the kernel does not permit it"


def enter_mount_namespace(number: int) -> None:
    """Move the calling thread, and it alone, into the mount namespace of an open descriptor.

    Its root and working directory become those of the namespace.

    Raises:
        BpfError: with the error number.
    """
    # setns(2) refuses a thread that shares its root and working directory with others.
    if _libc.unshare(ctypes.c_int(0x200)):  # CLONE_FS of linux/sched.h
        raise BpfError(ctypes.get_errno())
    if _libc.setns(ctypes.c_int(number), ctypes.c_int(0x20000)):  # CLONE_NEWNS
        raise BpfError(ctypes.get_errno())


def unmount_file_system(path: bytes) -> None:
    """``umount PATH``, not following a symbolic link at its end.

    Raises:
        BpfError: with the error number.
    """
    if _libc.umount2(path, ctypes.c_int(8)):  # UMOUNT_NOFOLLOW of linux/fs.h
        raise BpfError(ctypes.get_errno())
