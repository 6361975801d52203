"""Reading and writing files so that nobody ever sees half of one, and nothing strange is opened."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.errors import Malformed, NotPermitted
from skep.file_modes import PUBLIC_FILE, replace_file
from skep.packages.local.errors import NoSuchContent, StoreNotAccessible, StoreNotWritable
from skep.system_errors import explain

INCOMING = ".incoming-"  # prefix of files being written; left over only after a crash


def read_regular(path: Path, largest: int) -> bytes:
    """Content of a regular file of at most ``largest`` bytes.

    A layout may come from a stranger. (1) Links are not followed, so it cannot make us read other
    files. (2) Devices and pipes are not read, which could last for ever. (3) Size is bounded.

    Raises:
        NoSuchContent: there is no such file.
        Malformed: it is no regular file, or too large.
    """
    try:
        # (1) and, for pipes, not waiting for a writer in open itself.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchContent(f"there is no {path.name} in {path.parent}") from error
    except PermissionError as error:
        raise StoreNotAccessible(f"{path} may not be read by this user") from error
    except OSError as error:
        raise Malformed(f"{path}: expected a readable regular file: {error.strerror}") from error
    # (2)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Malformed(f"{path}: expected a regular file")
    with os.fdopen(descriptor, "rb") as file:
        # (3)
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
    except PermissionError as error:
        raise StoreNotAccessible(
            f"{root} may not be written by this user", hint="use another directory, or be root"
        ) from error
    except OSError as error:
        told = explain(error)
        kind = StoreNotAccessible if isinstance(told, NotPermitted) else StoreNotWritable
        raise kind(
            f"{root} cannot be written: {error.strerror or error}", hint=told.hint
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Give ``path`` the content ``data``: at any time it has the old content or the new one."""
    replace_file(path, data, PUBLIC_FILE, prefix=INCOMING)
