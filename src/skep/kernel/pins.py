"""Pins: names in a BPF file system that keep programs, maps and links alive.

:class:`PinRoot` is a directory whose pins are ours. Whatever names it is given, it reaches nothing
outside. The checks, in the order they are made:

1. the root is a directory, not a symbolic link, on a BPF file system;
2. it belongs to this user and nobody else may write in it;
3. every part of a name is one plain path component of letters, digits, ``_``, ``-`` and ``%``:
   no separator, no NUL, no dot (which the file system itself reserves);
4. directories are entered one by one from the open root, never through a symbolic link and never
   onto another file system;
5. the last component is opened without following a symbolic link, must be a plain file on the
   same file system, and it is that very open file which ``bpf(2)`` gets, so nothing can be put in
   its place between check and use;
6. removal works on names in an open directory, so what a symbolic link points to is never touched.

``bpf(2)`` takes paths; ``/proc/self/fd/N`` makes one out of an open file on every kernel
(``path_fd`` would need Linux 6.5, and cannot say "this very file").
"""

import ctypes
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from skep.kernel.attributes import BpfCommand, ObjectPin
from skep.kernel.bpffs import is_bpffs, is_on_bpffs, mount_bpffs, unmount
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import (
    LacksPrivilege,
    NotBpffs,
    OutsidePinRoot,
    PinExists,
    PinMissing,
    UnsafePinRoot,
    proc_missing,
)
from skep.kernel.information import Kind, kind_of
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram
from skep.kernel.maps import LoadedMap
from skep.kernel.syscall import BpfError, address, bpf, failure

__all__ = ["PinRoot", "is_bpffs", "mount_bpffs", "pin_name", "unmount"]

_Pinned = TypeVar("_Pinned", LoadedMap, LoadedProgram, Link)
_PART = re.compile(r"[A-Za-z0-9_%-]{1,200}")
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_DEEPEST = 16
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READABLE_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITABLE_BY_OTHERS = 0o022
_DESCRIPTORS = Path("/proc/self/fd")


def pin_name(text: str) -> str:
    """A name for any text: what is not a letter, digit, ``_`` or ``-`` becomes ``%`` and hex.

    Different texts get different names.

    >>> pin_name("eth0.100")
    'eth0%2e100'
    """
    return "".join(
        chr(byte) if _PLAIN.fullmatch(chr(byte)) else f"%{byte:02x}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


class PinRoot:
    """A directory of our own in a BPF file system; made if it is missing.

    Raises:
        NotBpffs: it would not be on a BPF file system, or is a symbolic link.
        UnsafePinRoot: it belongs to somebody else, or others may write in it.
    """

    __slots__ = ("_root", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        if is_bpffs(path.parent):  # never make directories elsewhere
            with suppress(OSError):  # opening it says what is wrong
                path.mkdir(mode=0o700)
        try:
            root = FileDescriptor(os.open(path, _DIRECTORY))
        except PermissionError as error:
            raise LacksPrivilege(
                f"could not open the pins in {path}: not permitted", hint="run as root"
            ) from error
        except (OSError, ValueError) as error:
            raise NotBpffs(
                f"expected a directory on a BPF file system, {path} cannot be opened as one",
                hint=f"mount -t bpf -o mode=0700 bpf {path.parent}",
            ) from error
        try:
            self._check(root)
        except BaseException:
            root.close()
            raise
        self._root = root

    def _check(self, root: FileDescriptor) -> None:
        # (1) Not elsewhere: O_NOFOLLOW and O_DIRECTORY above, the file system here.
        if not is_on_bpffs(root.number):
            raise NotBpffs(
                f"expected a directory on a BPF file system, {self.path} is on another one",
                hint=f"mount -t bpf -o mode=0700 bpf {self.path.parent}",
            )
        # (2) Nobody else may plant links or pins.
        facts = os.fstat(root.number)
        if facts.st_uid != os.geteuid() or facts.st_mode & _WRITABLE_BY_OTHERS:
            raise UnsafePinRoot(
                f"expected {self.path} to belong to user {os.geteuid()} alone, found owner "
                f"{facts.st_uid} and mode {stat.S_IMODE(facts.st_mode):o}",
                hint=f"choose a directory below it, or chmod 700 {self.path}",
            )

    def close(self) -> None:
        """Close the root directory; pins stay."""
        self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def pin(self, owner: LoadedMap | LoadedProgram | Link, *parts: str) -> None:
        """Pin; directories on the way are made.

        Raises:
            OutsidePinRoot: the name is not a plain name below the root.
            PinExists: there is a pin or directory of that name.
        """
        *_, name = _checked(parts)
        with self._directory(parts[:-1], make=True) as directory:
            path = f"/proc/self/fd/{directory}/{name}"
            try:
                _by_path(BpfCommand.OBJ_PIN, path, owner.descriptor.number)
            except BpfError as error:
                if error.number == errno.EEXIST:
                    raise PinExists(
                        f"there is a pin {'/'.join(parts)} in {self.path} already"
                    ) from error
                raise failure(error, f"pin {'/'.join(parts)}") from error

    def open_map(self, *parts: str) -> LoadedMap:
        """A pinned map.

        Raises:
            PinMissing: there is no such pin.
            PinExists: it is not a map.
            OutsidePinRoot: the name, or a symbolic link, leads elsewhere.
        """
        return self._open(parts, "map", LoadedMap)

    def open_link(self, *parts: str) -> Link:
        """A pinned link; errors as of :meth:`open_map`."""
        return self._open(parts, "link", Link)

    def identity(self, *parts: str) -> tuple[int, int] | None:
        """Device and inode numbers of a pin, which another pin of that name has not.

        Raises:
            OutsidePinRoot: as everywhere.
        """
        *_, name = _checked(parts)
        try:
            with (
                self._directory(parts[:-1], make=False) as directory,
                self._pin_file(directory, name, parts) as number,
            ):
                facts = os.fstat(number)
        except PinMissing:
            return None
        return facts.st_dev, facts.st_ino

    def names(self, *parts: str) -> tuple[str, ...]:
        """Names in a directory below the root, sorted; empty if there is no such directory.

        Only names a pin of ours can have: a mount's own directory also contains ``maps.debug`` and
        ``progs.debug``, which the kernel makes.

        Raises:
            OutsidePinRoot: as everywhere.
        """
        if parts:
            _checked(parts)
        try:
            with (
                self._directory(parts, make=False) as directory,
                _reopened(directory) as readable,
            ):
                return tuple(name for name in _listed(readable) if _PART.fullmatch(name))
        except PinMissing:
            return ()

    def remove(self, *parts: str) -> bool:
        """Remove a pin, or a directory with everything in it; whether there was anything.

        What was pinned goes on living while something else holds it.

        Raises:
            OutsidePinRoot: as everywhere; the root itself cannot be removed.
        """
        *_, name = _checked(parts)
        try:
            with self._directory(parts[:-1], make=False) as directory:
                return _remove(directory, name, depth=0)
        except PinMissing:
            return False
        except OSError as error:
            raise failure(BpfError(error.errno or 0), f"remove pin {'/'.join(parts)}") from error

    def rename(self, source: Sequence[str], target: Sequence[str]) -> None:
        """Give a pin another name, in one step; a pin that has that name is replaced.

        Raises:
            PinMissing: there is no pin ``source``.
            PinExists: ``target`` is a directory.
            OutsidePinRoot: as everywhere.
        """
        *_, old = _checked(source)
        *_, new = _checked(target)
        with (
            self._directory(source[:-1], make=False) as from_directory,
            self._pin_file(from_directory, old, source),
            self._directory(target[:-1], make=True) as to_directory,
        ):
            try:
                # (6) Names in open directories; rename(2) never follows the last component.
                os.rename(old, new, src_dir_fd=from_directory, dst_dir_fd=to_directory)
            except OSError as error:
                if error.errno in {errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                    raise PinExists(
                        f"{'/'.join(target)} in {self.path} is a directory or of another kind"
                    ) from error
                raise failure(BpfError(error.errno or 0), f"rename {'/'.join(source)}") from error

    @contextmanager
    def _directory(self, parts: Sequence[str], *, make: bool) -> Iterator[int]:
        """An open directory below the root."""
        current = os.dup(self._root.number)
        try:
            for part in parts:
                if make:
                    self._make(current, part)
                following = self._enter(current, part, parts)
                os.close(current)
                current = following
            yield current
        finally:
            os.close(current)

    def _make(self, current: int, part: str) -> None:
        try:
            os.mkdir(part, 0o700, dir_fd=current)
        except FileExistsError:
            return
        except OSError as error:
            doing = f"make directory {part} for pins in {self.path}"
            raise failure(BpfError(error.errno or 0), doing) from error

    def _enter(self, current: int, part: str, parts: Sequence[str]) -> int:
        # (4) O_NOFOLLOW: a symbolic link is ENOTDIR (O_DIRECTORY) or ELOOP, never entered.
        try:
            number = os.open(part, _DIRECTORY, dir_fd=current)
        except FileNotFoundError as error:
            raise PinMissing(f"there is no {'/'.join(parts)} in {self.path}") from error
        except OSError as error:
            raise OutsidePinRoot(
                f"expected {part!r} of {'/'.join(parts)} to be a directory in {self.path}, "
                "it is a pin or a symbolic link",
                hint="remove it by hand after looking where it comes from",
            ) from error
        # (4) Nor onto something that was mounted below the root.
        if os.fstat(number).st_dev != os.fstat(self._root.number).st_dev:
            os.close(number)
            raise OutsidePinRoot(
                f"expected {'/'.join(parts)} to be in {self.path}, another file system is "
                "mounted there"
            )
        return number

    @contextmanager
    def _pin_file(self, directory: int, name: str, parts: Sequence[str]) -> Iterator[int]:
        """The file of a pin, opened but not followed."""
        # (5) What is checked here is what is used: the open file, not its name.
        try:
            number = os.open(name, _FILE, dir_fd=directory)
        except FileNotFoundError as error:
            raise PinMissing(f"there is no pin {'/'.join(parts)} in {self.path}") from error
        except OSError as error:
            raise failure(BpfError(error.errno or 0), f"open pin {'/'.join(parts)}") from error
        try:
            facts = os.fstat(number)
            if stat.S_ISDIR(facts.st_mode):
                raise PinExists(f"expected a pin, {'/'.join(parts)} in {self.path} is a directory")
            if (
                not stat.S_ISREG(facts.st_mode)
                or facts.st_dev != os.fstat(self._root.number).st_dev
            ):
                raise OutsidePinRoot(
                    f"expected a pin, {'/'.join(parts)} in {self.path} is a symbolic link or "
                    "leads to another file system",
                    hint="remove it by hand after looking where it comes from",
                )
            yield number
        finally:
            os.close(number)

    def _open(
        self, parts: Sequence[str], wanted: Kind, own: Callable[[FileDescriptor], _Pinned]
    ) -> _Pinned:
        *_, name = _checked(parts)
        with (
            self._directory(parts[:-1], make=False) as directory,
            self._pin_file(directory, name, parts) as number,
        ):
            path = f"/proc/self/fd/{number}"
            try:
                descriptor = FileDescriptor(_by_path(BpfCommand.OBJ_GET, path))
            except BpfError as error:
                raise failure(error, f"open pin {'/'.join(parts)}") from error
        found = kind_of(descriptor)
        if found != wanted:
            descriptor.close()
            raise PinExists(f"expected {'/'.join(parts)} to be a {wanted}, it is a {found}")
        try:
            return own(descriptor)
        except BaseException:
            descriptor.close()
            raise


def _checked(parts: Sequence[str]) -> Sequence[str]:
    # (3) Plain components only.
    if isinstance(parts, str) or not 0 < len(parts) <= _DEEPEST:
        raise OutsidePinRoot(f"expected 1 to {_DEEPEST} parts of a name, got {parts!r:.120}")
    for part in parts:
        if not _PART.fullmatch(part):
            raise OutsidePinRoot(
                f"expected letters, digits, '_', '-' or '%' in a pin's name, got {part!r:.120}",
                hint="pin_name() turns any text into such a name",
            )
    return parts


def _by_path(command: BpfCommand, path: str, owner: int = 0) -> int:
    """Pin or open by a path through ``/proc``.

    Raises:
        BpfError: with the error number.
        KernelFilesMissing: there is no ``/proc``.
    """
    pathname = ctypes.create_string_buffer(path.encode())
    try:
        return bpf(command, ObjectPin(pathname=address(pathname), bpf_fd=owner))
    except BpfError as error:
        if error.number != errno.ENOENT or _DESCRIPTORS.exists():
            raise
        raise proc_missing("pins cannot be reached") from error


@contextmanager
def _reopened(directory: int) -> Iterator[int]:
    """The same directory, readable: O_PATH descriptors cannot be listed."""
    number = os.open(".", _READABLE_DIRECTORY, dir_fd=directory)
    try:
        yield number
    finally:
        os.close(number)


def _listed(directory: int) -> tuple[str, ...]:
    with os.scandir(directory) as entries:
        return tuple(sorted(entry.name for entry in entries))


def _remove(directory: int, name: str, *, depth: int) -> bool:
    # (6) lstat, unlink and rmdir by name in an open directory: links are removed, not followed.
    try:
        mode = os.lstat(name, dir_fd=directory).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        return True
    if depth > _DEEPEST:
        raise OutsidePinRoot(f"expected at most {_DEEPEST} nested directories")
    inner = os.open(name, _READABLE_DIRECTORY, dir_fd=directory)
    try:
        if os.fstat(inner).st_dev != os.fstat(directory).st_dev:
            raise OutsidePinRoot(f"another file system is mounted on {name}; it is left alone")
        for each in _listed(inner):
            _remove(inner, each, depth=depth + 1)
    finally:
        os.close(inner)
    with suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=directory)
    return True
