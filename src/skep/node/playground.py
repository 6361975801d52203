"""A playground: a throw-away interface whose other end is in a network namespace of its own.

What it makes is written into a marker file *before* it is made, so that whatever a killed
demonstration leaves can be found and removed by the doctor. Everything on disk is below one
directory; removal touches nothing outside of it, and ends no process but those in the marker whose
start time still is what it was (process numbers are used again).
"""

import os
import re
import shutil
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from skep.errors import Conflict, SkepError, UsageError
from skep.file_modes import PUBLIC_FILE, make_directory, replace_file
from skep.json_documents import JsonValue, MalformedDocument, canonical_json, parse_json

PREFIX = "skep-demo"
_NAME = re.compile(PREFIX + r"(?:-[a-z0-9]{1,5})?")  # an interface's name has 15 characters
_MARKER = "marker.json"
_SCHEMA = "skep.playground/v1"
_LARGEST_MARKER = 64 * 1024  # bytes
_PATIENCE_SECONDS = 2.0
_FIRST_ADDRESS = int(IPv4Address("198.18.0.0"))  # RFC 2544: for benchmarks, routed nowhere
_BLOCKS = 1 << 15  # of four addresses in 198.18.0.0/15


class PlaygroundInUse(Conflict):
    """A playground of this name is open, or was left behind."""


class BadPlaygroundName(UsageError):
    """The text cannot name a playground."""


class Host(Protocol):
    """What a playground needs of the host."""

    def create_namespace(self, name: str) -> None:
        """Make a network namespace."""
        ...

    def remove_namespace(self, name: str) -> bool:
        """Remove it; whether there was one."""
        ...

    def create_veth(
        self, name: str, peer: str, namespace: str, address: str, peer_address: str
    ) -> None:
        """Make a veth pair, the peer in the namespace."""
        ...

    def remove_interface(self, name: str) -> bool:
        """Remove an interface; whether there was one."""
        ...

    def introduce(
        self, interface: str, peer: str, namespace: str, addresses: tuple[str, str]
    ) -> tuple[str, str]:
        """Make both ends known to each other, so that nothing but what is sent is on the wire.

        Returns:
            Their hardware addresses.
        """
        ...

    def unmount(self, path: Path) -> bool:
        """Unmount a BPF file system; whether there was one."""
        ...


@dataclass(slots=True)
class _Marker:
    """What is, or is about to be, there."""

    name: str
    owner: tuple[int, int]
    processes: list[tuple[int, int]] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        return {
            "schema": _SCHEMA,
            "name": self.name,
            "owner": list(self.owner),
            "processes": [list(process) for process in self.processes],
            "mounts": self.mounts,
            "parents": self.parents,
        }


@dataclass(frozen=True, slots=True)
class Playground:
    """An open playground.

    Attributes:
        name: also of its interface here and of its namespace.
        directory: for files; goes with it.
        interface: the end here, where programs are attached.
        peer: the end in the namespace.
        namespace: network namespace of the peer.
        address: of the end here, without prefix length.
        peer_address: of the other end.
        hardware_address: of the end here.
        peer_hardware_address: of the other end.
    """

    name: str
    directory: Path
    interface: str
    peer: str
    namespace: str
    address: str
    peer_address: str
    hardware_address: str
    peer_hardware_address: str
    _write: Callable[[_Marker], None] = field(repr=False)
    _marker: _Marker = field(repr=False)

    def note_process(self, pid: int) -> None:
        """Remember a process that must not outlive the playground."""
        started = start_time(pid)
        if started is not None:
            self._marker.processes.append((pid, started))
            self._write(self._marker)

    def note_mount(self, path: Path) -> None:
        """Remember a mount point below the directory, before something is mounted there.

        Raises:
            UsageError: it is not below the directory.
        """
        if self.directory not in path.parents:
            raise UsageError(f"expected a path below {self.directory}, got {path}")
        self._marker.mounts.append(str(path))
        self._write(self._marker)


class PlaygroundKeeper:
    """Opens playgrounds, and clears away those whose process is dead.

    Args:
        directory: where their directories are.
        host: gives what makes interfaces and namespaces; called when something is to be made or
            removed, because that takes long to import.
    """

    def __init__(self, directory: Path, host: Callable[[], Host]) -> None:
        self._directory = directory
        self._open_host = host

    @property
    def _host(self) -> Host:
        return self._open_host()

    @contextmanager
    def open(self, name: str) -> Iterator[Playground]:
        """Make a playground, and leave nothing of it behind.

        Args:
            name: ``skep-demo``, or ``skep-demo-`` and up to five letters or digits.

        Raises:
            BadPlaygroundName: another name.
            PlaygroundInUse: there is one of that name.
            SkepError: it could not be made; nothing stays behind.
        """
        directory = self._of(name)
        missing = [str(parent) for parent in directory.parents if not parent.exists()]
        try:
            make_directory(directory, exist_ok=False)
        except FileExistsError as error:
            raise PlaygroundInUse(
                f"there is a playground {name!r} already",
                hint="skep doctor --repair",
            ) from error
        marker = _Marker(name, (os.getpid(), start_time(os.getpid()) or 0), parents=missing)
        try:
            self._write(marker)
            yield self._make(name, directory, marker)
        finally:
            self.clear(name)

    def left_behind(self) -> tuple[str, ...]:
        """Names of playgrounds whose owner is dead, or whose marker cannot be read."""
        if not self._directory.is_dir():
            return ()
        names = sorted(path.name for path in self._directory.iterdir())
        return tuple(
            name for name in names if _NAME.fullmatch(name) and not _is_alive(self._read(name))
        )

    def clear(self, name: str) -> tuple[str, ...]:
        """Remove everything of a playground.

        Goes on after a failure with what can be removed, and keeps the marker then.

        Returns:
            A line for each thing that was removed.

        Raises:
            BadPlaygroundName: another name.
            SkepError: something could not be removed.
        """
        directory = self._of(name)
        marker = self._read(name)
        done: list[str] = []
        problems: list[SkepError] = []
        for pid, started in reversed(marker.processes if marker else []):
            if end_process(pid, started):
                done.append(f"ended process {pid}")
        steps: list[tuple[str, Callable[[], bool]]] = [
            (f"removed interface {name}", lambda: self._host.remove_interface(name)),
            (f"removed namespace {name}", lambda: self._host.remove_namespace(name)),
        ]
        for mount in reversed(marker.mounts if marker else []):
            path = Path(mount)
            # The marker is a file; whoever wrote into it must not make us unmount elsewhere.
            if directory in path.parents and ".." not in path.parts:
                steps.insert(0, (f"unmounted {path}", partial(self._host.unmount, path)))
        for line, step in steps:
            try:
                if step():
                    done.append(line)
            except SkepError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        if directory.is_dir() and not directory.is_symlink():
            shutil.rmtree(directory)  # never follows symbolic links
            done.append(f"removed {directory}")
        with suppress(OSError):
            self._directory.rmdir()  # only when it was the last
        for parent in marker.parents if marker else []:  # nearest first
            # As with mounts: only what is above our own directory, and only while it is empty.
            if Path(parent) in directory.parents:
                with suppress(OSError):
                    Path(parent).rmdir()
        return tuple(done)

    def _make(self, name: str, directory: Path, marker: _Marker) -> Playground:
        address, peer_address = addresses_for(name)
        peer = "peer"
        self._host.create_namespace(name)
        self._host.create_veth(name, peer, name, f"{address}/30", f"{peer_address}/30")
        hardware = self._host.introduce(name, peer, name, (address, peer_address))
        return Playground(
            name=name,
            directory=directory,
            interface=name,
            peer=peer,
            namespace=name,
            address=address,
            peer_address=peer_address,
            hardware_address=hardware[0],
            peer_hardware_address=hardware[1],
            _write=self._write,
            _marker=marker,
        )

    def _of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadPlaygroundName(f"expected {PREFIX}-<1-5 letters or digits>, got {name[:40]!r}")
        return self._directory / name

    def _write(self, marker: _Marker) -> None:
        replace_file(
            self._of(marker.name) / _MARKER, canonical_json(marker.document()), PUBLIC_FILE
        )

    def _read(self, name: str) -> _Marker | None:
        """The marker; ``None`` if there is none that can be read."""
        try:
            with (self._of(name) / _MARKER).open("rb") as file:
                document = JsonValue(parse_json(file.read(_LARGEST_MARKER), _MARKER), _MARKER)
            return _Marker(
                name,
                _process(document["owner"]),
                [*document["processes"].each(_process)],
                [*document["mounts"].each(JsonValue.text)],
                [*document["parents"].each(JsonValue.text)] if "parents" in document else [],
            )
        except (OSError, MalformedDocument):
            return None


def addresses_for(name: str) -> tuple[str, str]:
    """Two addresses of a block of four, the same for the same name.

    >>> addresses_for("skep-demo")
    ('198.19.75.101', '198.19.75.102')
    """
    block = _FIRST_ADDRESS + 4 * (zlib.crc32(name.encode()) % _BLOCKS)
    return str(IPv4Address(block + 1)), str(IPv4Address(block + 2))


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; ``None`` if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in {"Z", "X"} else int(fields[19])  # field 22 of proc(5)


def end_process(pid: int, started: int) -> bool:
    """End the process of that number and start time; whether there was one."""
    if pid <= 1 or start_time(pid) != started:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if start_time(pid) != started:
                return True
            time.sleep(0.01)
    return True


def _process(document: JsonValue) -> tuple[int, int]:
    pid, started = document.row(2)
    return pid.number(), started.number()


def _is_alive(marker: _Marker | None) -> bool:
    return marker is not None and start_time(marker.owner[0]) == marker.owner[1]
