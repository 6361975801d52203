"""What this machine's kernel is and allows; read, never guessed from one another."""

import errno
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skep.errors import Malformed
from skep.kernel.attributes import BpfCommand, LinkCreate
from skep.kernel.errors import KernelFilesMissing, LacksPrivilege
from skep.kernel.syscall import BpfError, bpf, lacking_capabilities
from skep.versions import KernelVersion

_POSSIBLE_CPUS = Path("/sys/devices/system/cpu/possible")
_SOFT_INTERRUPTS = Path("/proc/softirqs")
_LOCKDOWN = Path("/sys/kernel/security/lockdown")
_MOST_CPUS = 1 << 16


@dataclass(frozen=True, slots=True)
class ProbedKernel:
    """This kernel, for people and for messages.

    Attributes:
        release: as ``uname -r`` prints it.
        version: its first two numbers.
        machine: ``x86_64``, ``aarch64`` …
        lockdown: ``none``, ``integrity``, ``confidentiality``; ``None`` if the kernel has none.
        missing_capabilities: names the process lacks of those loading needs.
        has_links: ``BPF_LINK_CREATE`` is known (asked of the kernel, not of its version).
    """

    release: str
    version: KernelVersion
    machine: str
    lockdown: str | None
    missing_capabilities: tuple[str, ...]
    has_links: bool


def kernel_version() -> KernelVersion:
    """Version of the running kernel."""
    return KernelVersion.parse(platform.release())


def kernel_facts() -> ProbedKernel:
    """Everything :class:`ProbedKernel` holds, read now."""
    return ProbedKernel(
        release=platform.release(),
        version=kernel_version(),
        machine=platform.machine(),
        lockdown=lockdown(),
        missing_capabilities=missing_capabilities(),
        has_links=has_links(),
    )


def missing_capabilities() -> tuple[str, ...]:
    """Capabilities the process lacks to load network programs; empty if it may."""
    return tuple(each for each in lacking_capabilities() if each in {"CAP_BPF", "CAP_NET_ADMIN"})


def require_privileges() -> None:
    """Refuse early, before anything is made.

    Raises:
        LacksPrivilege: naming the capabilities.
    """
    missing = missing_capabilities()
    if missing:
        raise LacksPrivilege(
            f"missing {'capability' if len(missing) == 1 else 'capabilities'} "
            f"{', '.join(missing)} (user {os.geteuid()})",
            hint="run as root, for example with sudo",
        )


def lockdown() -> str | None:
    """Active lockdown mode, ``None`` where the kernel or the file system does not say."""
    try:
        return parse_lockdown(_LOCKDOWN.read_text())
    except OSError:
        return None


def parse_lockdown(text: str) -> str | None:
    """The mode in brackets.

    >>> parse_lockdown("none [integrity] confidentiality")
    'integrity'
    """
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else None


def has_links() -> bool:
    """Whether ``BPF_LINK_CREATE`` is known (Linux 5.7)."""
    nothing = LinkCreate(prog_fd=0xFFFFFFFF)  # EBADF where it is known
    try:
        bpf(BpfCommand.LINK_CREATE, nothing)
    except BpfError as error:
        return error.number not in {errno.EINVAL, errno.ENOSYS}
    return True


@cache
def possible_cpus() -> int:
    """How many values a per-CPU map has for one key; fixed at boot.

    Raises:
        KernelFilesMissing: neither ``/sys`` nor ``/proc`` tells.
    """
    try:
        return parse_cpu_list(_POSSIBLE_CPUS.read_text())
    except OSError as error:
        # sysconf(3) knows those of the present only. /proc/softirqs has a column for each possible
        # one (show_softirqs in fs/proc/softirqs.c).
        try:
            with _SOFT_INTERRUPTS.open() as lines:
                count = len(lines.readline().split())
        except OSError:
            count = 0
        if not count:
            raise KernelFilesMissing(
                f"could not read the number of CPUs from {_POSSIBLE_CPUS}: {error.strerror}",
                hint="mount -t sysfs sysfs /sys, or mount -t proc proc /proc",
            ) from error
        return count


def parse_cpu_list(text: str) -> int:
    """Number of CPUs in a kernel list.

    >>> parse_cpu_list("0-3,8")
    5

    Raises:
        Malformed: not a list of numbers and ranges.
    """
    match = re.fullmatch(r"\s*(\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*)\s*", text)
    if match is None:
        raise Malformed(f"expected a list of CPUs such as 0-3, got {text[:80]!r}")
    count = 0
    for part in match[1].split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    if not 0 < count <= _MOST_CPUS:
        raise Malformed(f"expected a list of CPUs such as 0-3, got {text[:80]!r}")
    return count
