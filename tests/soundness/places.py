"""A throw-away place to run programs in: a child with namespaces and threads of its own.

The main thread of the child is the *leader*: it runs nothing, and its name is a string in kernel
memory whose address is planted. Two other threads run programs: the usual one, and one with
another name and other ids.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import ProgramPlan
from skep.kernel.attributes import PROGRAM_TYPES, BpfCommand, ProgramTestRun
from skep.kernel.loading import load_program
from skep.kernel.syscall import address, bpf
from tests.soundness.kernel_facts import place_of

_NEW = 0x00020000 | 0x08000000 | 0x04000000 | 0x40000000 | 0x20000000 | 0x02000000
"""CLONE_NEWNS, NEWIPC, NEWUTS, NEWNET, NEWPID, NEWCGROUP."""
_SET_NAME, _DEATH_SIGNAL = 15, 1  # PR_SET_NAME, PR_SET_PDEATHSIG
_SETRESUID, _SETRESGID = 117, 119  # of x86-64
_SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE
_UP = 0x1 | 0x40  # IFF_UP, IFF_RUNNING
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")

USUAL, OTHER = "usual", "another"
# Strings of other lengths, in which everything that is looked for is elsewhere.
LEADER_NAMES = (b"leader-one", b"other12")
USER_TEXTS = (b"user-one", b"2nd")
PORTS = (8080, 4242)


class PlaceRefused(Exception):
    """This machine does not let us make namespaces."""


def enter_namespaces() -> None:
    """Leave the host's namespaces; processes begun from now on have a process tree of their own.

    Raises:
        PlaceRefused: not root, or forbidden.
    """
    if _libc.unshare(ctypes.c_int(_NEW)):
        raise PlaceRefused(os.strerror(ctypes.get_errno()))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        fcntl.ioctl(plain, 0x8914, struct.pack("16sh14x", b"lo", _UP))  # SIOCSIFFLAGS


def die_with_parent() -> None:
    """No child outlives its parent, whatever happens to that."""
    _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


@dataclass
class Place:
    """Threads, planted values and sockets of one child.

    Attributes:
        task: address of the leader's ``task_struct``.
        name: address of its name.
        user_text: address of a string in our memory.
    """

    task: int
    name: int
    user_text: int
    sockets: list[socket.socket]
    group: Path | None
    _is_quiet: bool
    _usual: ThreadPoolExecutor
    _other: ThreadPoolExecutor
    _buffer: "ctypes.Array[ctypes.c_char]" = field(repr=False)

    def on_thread(self, which: str, work: Callable[[], T]) -> T:
        """Do something on the usual thread or on the other."""
        pool = self._other if which == OTHER else self._usual
        return pool.submit(work).result()

    def name_leader(self, index: int) -> None:
        _name_leader(LEADER_NAMES[index])

    def write_user_text(self, index: int) -> None:
        self._buffer.value = USER_TEXTS[index]

    def quieten(self, is_quiet: bool) -> None:  # noqa: FBT001 - the new state itself
        """Let nobody listen, and only short packets pass; or as it was."""
        if is_quiet == self._is_quiet:
            return
        for each in self.sockets:
            each.close()
        self.sockets[:] = [] if is_quiet else _listening()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            request = struct.pack("16si12x", b"lo", 100 if is_quiet else 65536)
            fcntl.ioctl(plain, 0x8922, request)  # SIOCSIFMTU
        self._is_quiet = is_quiet

    @property
    def leader_id(self) -> int:
        return os.getpid()


def _listening() -> list[socket.socket]:
    sockets = []
    for port in PORTS:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(1)
        sockets.append(made)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", PORTS[1]))
    sockets.append(datagrams)
    return sockets


def _name_leader(name: bytes) -> None:
    Path("/proc/self/comm").write_bytes(name)


def _become_other() -> None:
    _libc.syscall(ctypes.c_long(_SETRESGID), 4242, -1, -1)
    _libc.syscall(ctypes.c_long(_SETRESUID), 4242, -1, -1)
    _libc.prctl(_SET_NAME, OTHER.encode(), 0, 0, 0)


def _become_usual() -> None:
    _libc.prctl(_SET_NAME, USUAL.encode(), 0, 0, 0)


def _task_address() -> int:
    """The address of the calling thread's ``task_struct``."""
    plan = ProgramPlan(
        "where",
        PROGRAM_TYPES["SYSCALL"],
        0,
        _SLEEPABLE,
        "GPL",
        (
            Instruction(0xBF, 6, 1),
            Instruction(0x85, immediate=35),
            Instruction(0x7B, 6, 0),
            Instruction(0xB7),
            Instruction(0x95),
        ),
    )
    context = ctypes.create_string_buffer(8)
    with load_program(plan, []) as program:
        attribute = ProgramTestRun(
            prog_fd=program.descriptor.number, ctx_in=address(context), ctx_size_in=8
        )
        bpf(BpfCommand.PROG_TEST_RUN, attribute)
    return int.from_bytes(context.raw, "little")


@contextmanager
def place(types: KernelTypes, group: Path | None = None) -> Iterator[Place]:
    """What programs are run in; call it on the main thread, in the namespaces.

    Args:
        group: a control group of our own, which is entered.
    """
    if group is not None:
        (group / "cgroup.procs").write_text("0")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    _name_leader(LEADER_NAMES[0])
    task = _task_address()
    text = ctypes.create_string_buffer(USER_TEXTS[0], 64)
    sockets = _listening()
    with (
        ThreadPoolExecutor(1, initializer=_become_usual) as usual,
        ThreadPoolExecutor(1, initializer=_become_other) as other,
    ):
        yield Place(
            task=task,
            name=task + place_of(types, "task_struct", "comm"),
            user_text=ctypes.addressof(text),
            sockets=sockets,
            group=group,
            _is_quiet=False,
            _usual=usual,
            _other=other,
            _buffer=text,
        )
    for each in sockets:
        each.close()
