"""Kept copies of linked deployments: files that are named by the digest of their content.

What a chain needs to be spliced again is kept beside its deployment, so that taking a member away
works when a package is lost or its publisher is no longer trusted. These instructions run as root
and no signature is asked for again, so a copy counts only if it is what was verified when it was
installed. Reading takes these steps, in this order:

1. the file's name is made from the digest alone, which is digits: no row of a damaged database
   leads out of the directory;
2. symbolic links are not followed, and the file is a plain one, of this user or root, that no
   others may write, of limited size: nothing can block the reader, fill its memory, or change the
   file after it was looked at;
3. the content is hashed before a byte of it is parsed: what was not verified is not understood;
4. it is parsed strictly: a document that a bug wrote, or another version, is refused as a whole.
"""

import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skep.chains.planning import LinkedDeployment
from skep.digests import Digest, DigestMismatch
from skep.errors import Malformed, NotPermitted, SkepError, Unavailable
from skep.file_modes import PRIVATE_DIRECTORY, open_file, sync_directory
from skep.node.kept_ports import KeptDamaged, KeptLost
from skep.node.store.linked_document import LARGEST_LINKED, read_linked, write_linked

log = logging.getLogger(__name__)

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe would wait for a writer.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITING = os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW  # open_file adds O_CREAT and O_CLOEXEC
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_INCOMING = ".incoming-"  # left over only after a crash
# Nothing else in the directory is ever removed.
_OURS = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{128})\.json|\.incoming-[0-9a-f]{32}")
# What open(2) says of a symbolic link, a socket or a device without a driver, and of a bad disk.
_NOT_A_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EIO})


class KeptNotAccessible(NotPermitted):
    """This user may not read or write the kept copies."""


class KeptUnavailable(Unavailable):
    """The kept copies cannot be read or written now: a full disk, a read-only file system."""


class KeptFiles:
    """Implements the ``Kept`` port.

    Args:
        directory: made, but not its parents, when something is kept.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory

    def keep(self, linked: LinkedDeployment) -> Digest:
        """Keep a copy, for good once this returns; the digest is the only thing it is found by.

        What is there already stays, unless it is damaged.

        Raises:
            MalformedLinked: a value that no document can carry.
            KeptNotAccessible, KeptUnavailable: it cannot be written; nothing half written stays.
        """
        data = write_linked(linked)
        digest = Digest.of(data)
        try:
            _make(self._path)
            with _opened(self._path) as directory:
                _make_private(directory)
                if not _is_there(directory, digest):
                    _write(directory, _file_name(digest), data)
                # Also if it was there: whoever wrote it may not have come to this.
                os.fsync(directory)
        except OSError as error:
            raise self._translated(error, "written") from error
        return digest

    def kept(self, digest: Digest) -> LinkedDeployment:
        """The copy with this digest, without a label; see the module for the steps.

        Raises:
            MalformedDigest: the digest is none.
            KeptLost: it is not there.
            KeptDamaged: it is not what was kept, or others could have written it.
            KeptNotAccessible, KeptUnavailable: it cannot be read now.
        """
        name = _file_name(digest)  # (1)
        try:
            with _opened(self._path) as directory:
                data = _read(directory, name)  # (2)
        except FileNotFoundError as error:
            raise KeptLost(f"expected {name} in {self._path}, it is not there") from error
        except NotADirectoryError as error:  # also for a symbolic link to one
            raise KeptDamaged(f"expected {self._path} to be a directory") from error
        except OSError as error:
            raise self._translated(error, "read") from error
        try:
            # (3)
            digest.check(data)
            # (4)
            return read_linked(data)
        except (DigestMismatch, Malformed) as error:
            raise KeptDamaged(f"{self._path / name} was damaged or changed: {error}") from error

    def forget_except(self, digests: Collection[Digest]) -> None:
        """Remove all other copies, and what a crash left of one; never raises for a failure.

        For whoever holds the node's lock: a copy that another process is writing would go, too.
        """
        wanted = {f"{digest.hexadecimal}.json" for digest in digests}
        try:
            with _opened(self._path) as directory:
                _remove_others(directory, wanted)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("kept copies not tidied", extra={"reason": str(error)})

    def _translated(self, error: OSError, doing: str) -> SkepError:
        if isinstance(error, PermissionError):
            return KeptNotAccessible(
                f"{self._path} cannot be {doing} by this user", hint="run it as root"
            )
        return KeptUnavailable(
            f"{self._path} cannot be {doing}: {error.strerror or error}",
            hint="look for a full disk or a read-only file system, then try again",
        )


def _file_name(digest: Digest) -> str:
    # (1) A Digest is checked when it is parsed; but values can be made without parsing.
    return f"{Digest.parse(str(digest)).hexadecimal}.json"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    directory = os.open(path, _DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def _make(path: Path) -> None:
    try:
        path.mkdir(PRIVATE_DIRECTORY)  # not make_directory: a node that is gone is not made anew
    except FileExistsError:
        return
    path.chmod(PRIVATE_DIRECTORY)  # the umask may have taken away even our own permission
    sync_directory(path.parent)


def _make_private(directory: int) -> None:
    """Close the directory to others, whoever made it."""
    facts = os.fstat(directory)
    if facts.st_uid not in {os.geteuid(), 0}:
        raise PermissionError(errno.EPERM, "it belongs to another user")
    if stat.S_IMODE(facts.st_mode) != PRIVATE_DIRECTORY:
        os.fchmod(directory, PRIVATE_DIRECTORY)


def _is_there(directory: int, digest: Digest) -> bool:
    try:
        digest.check(_read(directory, _file_name(digest)))
    except (FileNotFoundError, KeptDamaged, DigestMismatch):
        return False
    return True


def _read(directory: int, name: str) -> bytes:
    # (2)
    try:
        descriptor = os.open(name, _READING, dir_fd=directory)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise KeptDamaged(f"expected {name} to be a readable plain file") from error
        raise
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise KeptDamaged(f"expected {name} to be a plain file")
        if facts.st_uid not in {os.geteuid(), 0} or facts.st_mode & _WRITABLE_BY_OTHERS:
            raise KeptDamaged(
                f"expected {name} to be writable by this user alone, it belongs to user "
                f"{facts.st_uid} and has mode {stat.S_IMODE(facts.st_mode):o}"
            )
        if facts.st_size > LARGEST_LINKED:
            raise KeptDamaged(f"expected {name} to have at most {LARGEST_LINKED} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(facts.st_size)
    except OSError as error:
        raise KeptDamaged(f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _write(directory: int, name: str, data: bytes) -> None:
    temporary = f"{_INCOMING}{secrets.token_hex(16)}"
    descriptor = open_file(temporary, _WRITING, directory=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _remove_others(directory: int, wanted: Collection[str]) -> None:
    for name in sorted(os.listdir(directory)):
        if name in wanted or not _OURS.fullmatch(name):
            continue
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("kept copy not removed", extra={"file": name, "reason": error.strerror})
