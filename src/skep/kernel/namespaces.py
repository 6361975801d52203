"""Network namespaces: which one this is, which there are, and being in another for a moment.

What a hook target is depends on the network namespace: names and numbers of interfaces are looked
up in the one the calling thread is in, by netlink and by ``bpf(2)`` alike (``BPF_LINK_CREATE`` and
``BPF_PROG_QUERY`` use ``current->nsproxy->net_ns``).

A namespace is told by its cookie, a number the kernel never gives twice in a boot (Linux 5.14).
Before that the number of its file in nsfs stands in for it, which may be given again after the
namespace has gone.

``setns(2)`` moves the calling thread and no other: threads of a process can be in different
namespaces, and "ours" here is always that of the calling thread. Python has ``os.setns`` only from
3.12 on, so the C library is called.

Standard library only: every command of a node needs this, and may not take long to start.

Sources: setns(2), ioctl_ns(2), socket(7); net/core/sock.c and net/core/net_namespace.c of
Linux 6.12 (``SO_NETNS_COOKIE``, ``SIOCGSKNS``).
"""

import ctypes
import fcntl
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import TargetMissing, TargetNotVisible
from skep.kernel.process_one import file_identity, is_process_1, network_stand_in
from skep.kernel.syscall import BpfError, file_system_type

_NAMED = Path("/run/netns")
_PROCESSES = Path("/proc")
_OURS = Path("/proc/thread-self/ns/net")
_HOSTS = Path("/proc/1/ns/net")

_COOKIE_PREFIX = "netns:"
# File names; what else is in the directory cannot be written in a declared target.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_COOKIE = re.compile(r"netns:([1-9][0-9]{0,19})")

_CLONE_NEWNET = 0x40000000
_NSFS_MAGIC = 0x6E736673
_SO_NETNS_COOKIE = 71
_SIOCGSKNS = 0x894C
_NUMBER = struct.Struct("=Q")
_SIGSET_BYTES = 128
_ALL_SIGNALS = b"\xff" * _SIGSET_BYTES
_SIG_SETMASK = 2

_MOST_REMEMBERED = 10_000

# (device, inode) of a namespace's file: equal as long as both are open or named.
_File = tuple[int, int]

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace that can be seen from here.

    Attributes:
        called: as declared targets write it: empty for that of the host (of process 1), the name
            under ``/run/netns``, or ``netns:COOKIE`` for one without a name.
        cookie: see the module.
    """

    called: str
    cookie: int


# Where a namespace was found by its cookie, to look there first the next time. Never believed:
# the cookie is read again on arrival, and cookies are not given twice.
_found_at: dict[int, Path] = {}
# What is looked at instead of the host's namespace file; looked for again once it is gone.
_stands_in: dict[Path, Path] = {}


class _Homes(threading.local):
    """Where a thread came from, in the order in which it left."""

    def __init__(self) -> None:
        self.stack: list[FileDescriptor] = []


_homes = _Homes()


def current_namespace() -> str:
    """The calling thread's namespace, as declared targets write it.

    If that of process 1 cannot be read, a process that is in it stands in for it
    (:mod:`skep.kernel.process_one`). If there is none, or no ``/proc``, the one in which the
    thread is when it has entered no other counts as the host's.
    """
    return _called(file_identity(_OURS), namespace_cookie())


def namespace_cookie() -> int:
    """Cookie of the calling thread's namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as probe:
        try:
            raw = probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _NUMBER.size)
        except OSError:  # before Linux 5.14
            try:
                return _OURS.stat().st_ino
            except OSError:
                with _namespace_of(probe) as ours:
                    return os.fstat(ours.number).st_ino
    return int(_NUMBER.unpack(raw)[0])


def names() -> tuple[str, ...]:
    """Names under ``/run/netns`` that a declared target can write, sorted."""
    try:
        return tuple(sorted(each.name for each in _NAMED.iterdir() if _is_name(each.name)))
    except OSError:
        return ()


@contextmanager
def entered(called: str) -> Iterator[Namespace]:
    """Be in a namespace: this thread alone, until the end of the ``with``.

    Entering the one the thread is in already needs no privilege and does nothing. Whatever
    happens inside, the thread comes back; should the kernel refuse that, the process is aborted,
    because everything it did afterwards would happen to the wrong interfaces. Signals wait until
    it is back, so stay for a few system calls only; threads and processes that are started inside
    begin in the namespace, with signals blocked.

    Args:
        called: as declared targets write it, see :class:`Namespace`.

    Raises:
        TargetMissing: there is no namespace of that name.
        TargetNotVisible: no namespace of that cookie can be seen from here, or it may not be
            entered.
    """
    match = _COOKIE.fullmatch(called)
    if match is not None:
        with entered_by_cookie(int(match[1])) as namespace:
            yield namespace
        return
    place = _path_of(called) if called else _hosts()
    if place is not None:
        with _opened(place) as door, _inside(door, called):
            cookie = namespace_cookie()
            yield Namespace(_called(_file_of(door), cookie, called), cookie)
    elif _homes.stack:
        with _inside(_homes.stack[0], called):
            yield Namespace("", namespace_cookie())
    else:
        yield Namespace("", namespace_cookie())


@contextmanager
def entered_by_cookie(cookie: int) -> Iterator[Namespace]:
    """Be in the namespace of a cookie, as :func:`entered`.

    It is looked for where it was found the last time, then here, under ``/run/netns``, and among
    the namespaces of processes. One that only a descriptor or a mount elsewhere keeps alive is
    not found.

    Raises:
        TargetNotVisible: it is not among them, or may not be entered.
    """
    if cookie == namespace_cookie():
        yield Namespace(current_namespace(), cookie)
        return
    called = f"{_COOKIE_PREFIX}{cookie}"
    place = _place_of(cookie)
    if place is None:
        raise TargetNotVisible(
            f"network namespace {called} is not visible from here",
            hint="it has no name under /run/netns, and no visible process runs in it; try on the "
            "host, or give it a name: ip netns attach NAME PID",
        )
    with _opened(place) as door, _inside(door, called):
        # (1) What is at a path can change after it was looked at; the cookie tells.
        if namespace_cookie() != cookie:
            raise TargetNotVisible(f"network namespace {called} has just disappeared from {place}")
        yield Namespace(_called(_file_of(door), cookie, _name_in(place)), cookie)


def visible() -> Iterator[str]:
    """All namespaces that can be seen and entered from here, as declared targets write them.

    The host's first, then ours, those with a name, those of processes; each once. The calling
    thread is in its own namespace whenever one is handed out.
    """
    for cookie, place in _found():
        yield _called(file_identity(place), cookie, _name_in(place))


def _place_of(cookie: int) -> Path | None:
    """Where the namespace of a cookie was found before, or is found now."""
    known = _found_at.get(cookie)
    if known is not None and _cookie_at(known) == cookie:
        return known
    _found_at.pop(cookie, None)
    return next((place for found, place in _found() if found == cookie), None)


def _found() -> Iterator[tuple[int, Path]]:
    """Cookie and place of each namespace that can be entered, each once, and remembered."""
    seen: set[_File] = set()
    for place in _places():
        file = file_identity(place)
        if file is None or file in seen:
            continue
        seen.add(file)
        cookie = _cookie_at(place)
        if cookie is not None:
            if len(_found_at) >= _MOST_REMEMBERED:  # where containers come and go
                _found_at.clear()
            _found_at[cookie] = place
            yield cookie, place


def _places() -> Iterator[Path]:
    """Files that may be namespaces, those with the better names first."""
    yield _hosts() or _OURS
    yield _OURS
    for name in names():
        yield _NAMED / name
    try:
        processes = [int(each.name) for each in _PROCESSES.iterdir() if each.name.isdecimal()]
    except OSError:
        return
    for process in sorted(processes):
        yield _PROCESSES / str(process) / "ns" / "net"


def _cookie_at(place: Path) -> int | None:
    """Cookie of the namespace at a place, ``None`` if it cannot be entered or is none."""
    try:
        with _opened(place) as door, _inside(door, str(place)):
            return namespace_cookie()
    except (TargetMissing, TargetNotVisible):
        return None


def _called(file: _File | None, cookie: int, name: str = "") -> str:
    """How a declared target writes the namespace of a file.

    Args:
        file: ``None`` if it cannot be told, which then counts as the host's.
        name: one under ``/run/netns`` that leads to it, if known.
    """
    if file is None or file == _hosts_file():
        return ""
    if name:
        return name
    for each in names():
        if file_identity(_NAMED / each) == file:
            return each
    return f"{_COOKIE_PREFIX}{cookie}"


def _is_name(name: str) -> bool:
    # (2) A name is one file in that directory, whoever declared it.
    return _NAME.fullmatch(name) is not None and name not in {".", ".."}


def _path_of(name: str) -> Path:
    if not _is_name(name):
        raise TargetMissing(f"{name[:80]!r} cannot be the name of a network namespace")
    return _NAMED / name


def _name_in(place: Path) -> str:
    return place.name if place.parent == _NAMED else ""


def _hosts() -> Path | None:
    """File of the host's namespace: that of process 1, or of who stands in for it.

    ``None`` if it cannot be looked at, or this is process 1, whose file moves with it: then the
    namespace in which the thread began counts as the host's.
    """
    if is_process_1():
        return None
    if file_identity(_HOSTS) is not None:
        return _HOSTS
    known = _stands_in.get(_HOSTS)
    if known is None or file_identity(known) is None:
        known = _stands_in[_HOSTS] = _PROCESSES / network_stand_in() / "ns" / "net"
    return known if file_identity(known) is not None else None


def _hosts_file() -> _File | None:
    place = _hosts()
    if place is not None:
        return file_identity(place)
    return _file_of(_homes.stack[0]) if _homes.stack else file_identity(_OURS)


def _file_of(descriptor: FileDescriptor) -> _File:
    status = os.fstat(descriptor.number)
    return status.st_dev, status.st_ino


def _opened(place: Path) -> FileDescriptor:
    """Open a namespace's file.

    A symbolic link is followed: it is how containers without a name are given one by hand, and
    the directory is root's. What is opened must be a namespace (3), whatever leads to it.

    Raises:
        TargetMissing: there is none.
        TargetNotVisible: there may be one, but it cannot be looked at.
    """
    what = f"network namespace {place.name!r}" if place.parent == _NAMED else f"{place}"
    try:
        # Not blocking, no terminal: what was put there may be anything.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        door = FileDescriptor(os.open(place, flags))
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError) as error:
        raise TargetMissing(
            f"there is no {what}", hint="`ip netns` lists the names there are"
        ) from error
    except PermissionError as error:
        raise TargetNotVisible(
            f"{what} cannot be opened from here: not permitted", hint="run as root, on the host"
        ) from error
    except OSError as error:
        raise TargetMissing(f"{what} cannot be opened: {error.strerror}") from error
    if not _is_in_nsfs(door):  # (3)
        door.close()
        raise TargetMissing(
            f"{what} does not exist: the file {place} is left over, or is something else",
            hint="`ip netns delete` removes what is left of one",
        )
    return door


def _is_in_nsfs(descriptor: FileDescriptor) -> bool:
    try:
        return file_system_type(descriptor.number) == _NSFS_MAGIC
    except BpfError:
        return False


@contextmanager
def _inside(door: FileDescriptor, called: str) -> Iterator[None]:
    """Be where an open namespace is."""
    if _file_of(door) == file_identity(_OURS):
        yield
        return
    before = namespace_cookie()
    with _way_home(called) as home, _undisturbed():
        _homes.stack.append(home)
        try:
            if _libc.setns(door.number, _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise TargetNotVisible(
                    f"network namespace {called or 'of the host'} cannot be entered: "
                    f"{os.strerror(number)}",
                    hint="CAP_SYS_ADMIN is needed in both namespaces",
                )
            yield
        finally:
            _homes.stack.pop()
            if _libc.setns(home.number, _CLONE_NEWNET) and namespace_cookie() != before:
                _abort(called)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait, because a handler that raises could do so on the way back home.

    No ``finally`` is proof against that: an exception may come before its first line, or inside
    of the library that ends a ``with``. Signals that other threads receive are not held back.
    """
    previous = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.pthread_sigmask(_SIG_SETMASK, None, previous)
    try:
        _libc.pthread_sigmask(_SIG_SETMASK, _ALL_SIGNALS, None)
        yield
    finally:
        _libc.pthread_sigmask(_SIG_SETMASK, previous, None)


@contextmanager
def _way_home(called: str) -> Iterator[FileDescriptor]:
    """Our namespace, open. The kernel gives it to who may come back into it (CAP_NET_ADMIN)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as here:
        try:
            home = _namespace_of(here)
        except OSError as error:
            raise TargetNotVisible(
                f"network namespace {called or 'of the host'} cannot be entered: there would be "
                f"no way back ({error.strerror})",
                hint="run as root",
            ) from error
    with home:
        yield home


def _namespace_of(one: socket.socket) -> FileDescriptor:
    """The namespace of a socket; needs no ``/proc``."""
    return FileDescriptor(fcntl.ioctl(one, _SIOCGSKNS))


def _abort(called: str) -> None:
    number = ctypes.get_errno()
    message = (
        f"skep: cannot return from network namespace {called or 'of the host'}: "
        f"{os.strerror(number)}; stopping, as anything more would happen in the wrong one\n"
    )
    os.write(2, message.encode())
    os.abort()
