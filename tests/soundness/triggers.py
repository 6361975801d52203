"""Programs of control groups: attached to a group of the child's own, and set off by a system call.

Sources: kernel/bpf/cgroup.c and net/socket.c of Linux 6.18; capget(2).
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.kernel.attributes import BpfCommand, LinkCreate
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.loading import LoadedProgram
from skep.kernel.syscall import bpf

GROUPS = Path("/sys/fs/cgroup/unified")
_CAPGET, _CAPSET = 125, 126  # of x86-64
_VERSION = 0x20080522
_BIND_SERVICE = 10  # CAP_NET_BIND_SERVICE
_SO_MARK = 36
_FIRST_FREE = 1024  # net.ipv4.ip_unprivileged_port_start of a new namespace
REFUSED = errno.EPERM
_libc = ctypes.CDLL(None, use_errno=True)
Result = tuple[int, bytes]


def groups_directory() -> Path | None:
    """Where control groups of version 2 are; ``None`` if nowhere."""
    for path in (GROUPS, Path("/sys/fs/cgroup")):
        if (path / "cgroup.procs").exists() and (path / "cgroup.controllers").exists():
            return path
    return None


def own_group(identity: int) -> Path | None:
    """The directory of a child's group."""
    directory = groups_directory()
    return None if directory is None else directory / f"skep-soundness-{identity}"


@contextmanager
def attached(program: LoadedProgram, attach_type: int, group: Path) -> Iterator[None]:
    """The program decides about the group's members."""
    descriptor = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    try:
        attribute = LinkCreate(
            prog_fd=program.descriptor.number, target_ifindex=descriptor, attach_type=attach_type
        )
        with FileDescriptor(bpf(BpfCommand.LINK_CREATE, attribute)):
            yield
    finally:
        os.close(descriptor)


def _named(address: object) -> bytes:
    return repr(address).encode()


def connect() -> Result:
    """Connect a datagram socket; the address it got."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.connect(("127.0.0.1", 4242))
        except OSError as error:
            return error.errno or 0, b""
        try:
            return 0, _named(made.getpeername())
        except OSError as error:  # port 0, or bpf_set_retval: it said yes, and nothing was done
            return error.errno or 0, b""


def bind() -> Result:
    """Bind to a port anybody may use; then, without the capability, to one that needs it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.bind(("127.0.0.1", 9999))
            name = _named(made.getsockname())
            if not made.getsockname()[1]:  # bpf_set_retval: it says yes, and does nothing
                return REFUSED, b""
        except OSError as error:
            return error.errno or 0, b""
    before = _capabilities()
    low, permitted, *rest = before
    _set_capabilities((low & ~(1 << _BIND_SERVICE), permitted, *rest))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("127.0.0.1", 80))
            is_privileged = 0 < made.getsockname()[1] < _FIRST_FREE  # a program may choose another
            return 0, name + (PRIVILEGED if is_privileged else b"")
    except OSError:
        return 0, name
    finally:
        _set_capabilities(before)


PRIVILEGED = b" and a privileged port"


def create() -> Result:
    """Create a socket; options a program may have set."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            options = (_SO_MARK, socket.SO_PRIORITY, socket.SO_BINDTODEVICE)
            return 0, b"|".join(made.getsockopt(socket.SOL_SOCKET, each, 16) for each in options)
    except OSError as error:
        return error.errno or 0, b""


def open_device() -> Result:
    """Open a device everybody has."""
    try:
        os.close(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return error.errno or 0, b""
    return 0, b""


def read_setting() -> Result:
    """Read a kernel setting of our own network."""
    try:
        descriptor = os.open("/proc/sys/net/ipv4/ip_default_ttl", os.O_RDONLY)
    except OSError as error:
        return error.errno or 0, b""
    try:
        return 0, os.read(descriptor, 64)  # once: a program may set the position back each time
    except OSError as error:
        return error.errno or 0, b""
    finally:
        os.close(descriptor)


def get_option() -> Result:
    """Ask for an option of a socket; its value."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            return 0, made.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 4)
        except OSError as error:
            return error.errno or 0, b""


TRIGGERS: dict[str, Callable[[], Result]] = {
    "connect": connect,
    "bind": bind,
    "create": create,
    "open device": open_device,
    "read setting": read_setting,
    "get option": get_option,
}


def _capabilities() -> tuple[int, ...]:
    header = ctypes.create_string_buffer(struct.pack("<Ii", _VERSION, 0))
    data = ctypes.create_string_buffer(24)
    if _libc.syscall(ctypes.c_long(_CAPGET), header, data):
        raise OSError(ctypes.get_errno(), "capget")
    return struct.unpack("<6I", data.raw[:24])


def _set_capabilities(words: tuple[int, ...]) -> None:
    header = ctypes.create_string_buffer(struct.pack("<Ii", _VERSION, 0))
    data = ctypes.create_string_buffer(struct.pack("<6I", *words))
    if _libc.syscall(ctypes.c_long(_CAPSET), header, data):
        raise OSError(ctypes.get_errno(), "capset")
