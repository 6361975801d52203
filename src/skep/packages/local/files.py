"""Reading and writing files so that nobody ever sees half of one, and nothing strange is opened."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from skep.errors import Malformed, NotPermitted, SkepError
from skep.file_modes import PUBLIC_FILE, replace_file
from skep.packages.blobs import BlobsUnavailable
from skep.packages.local.errors import NoSuchContent, StoreNotAccessible, StoreNotWritable
from skep.system_errors import explain

INCOMING = ".incoming-"  # prefix of files being written; left over only after a crash


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read.

    A layout may come from a stranger. (1) Links are not followed, so it cannot make us read other
    files. (2) Devices and pipes are not read, which could last for ever.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: as of open(2).
        Malformed: it is no regular file; the message has its name, not its directory.
    """
    try:
        # (1) and, for pipes, not waiting for a writer in open itself.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise
    except OSError as error:
        raise Malformed(
            f"{path.name}: expected a readable regular file: {error.strerror}"
        ) from error
    # (2)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Malformed(f"{path.name}: expected a regular file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, largest: int) -> bytes:
    """Content of a regular file of at most ``largest`` bytes.

    Raises:
        NoSuchContent: there is no such file.
        StoreNotAccessible: this user may not read it.
        Malformed: it is no regular file, see :func:`open_regular`, or too large.
    """
    try:
        file = open_regular(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchContent(f"there is no {path.name} in {path.parent}") from error
    except PermissionError as error:
        raise StoreNotAccessible(f"{path} cannot be read by this user") from error
    with file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise Malformed(f"{path}: expected at most {largest} bytes, got more")
    return data


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Around writes below ``root``: what the operating system refuses becomes an error of ours.

    Raises:
        StoreNotAccessible: this user may not write there, or nobody may.
        StoreNotWritable: a full disk, a damaged one, …
    """
    try:
        yield
    except BlobsUnavailable as error:
        if isinstance(error.__cause__, OSError):
            raise _refused(root, error.__cause__) from error
        raise
    except OSError as error:
        raise _refused(root, error) from error


def _refused(root: Path, error: OSError) -> SkepError:
    if isinstance(error, PermissionError):
        return StoreNotAccessible(
            f"{root} cannot be written by this user", hint="use another directory, or be root"
        )
    told = explain(error)
    kind = StoreNotAccessible if isinstance(told, NotPermitted) else StoreNotWritable
    return kind(f"{root} cannot be written: {error.strerror or error}", hint=told.hint)


def write_atomically(path: Path, data: bytes) -> None:
    """Give ``path`` the content ``data``: at any time it has the old content or the new one."""
    replace_file(path, data, PUBLIC_FILE, prefix=INCOMING)
