"""Files and directories with the modes they need, whatever the umask.

A umask only takes bits away, so what is made is at no time open to more people than it must be;
what the umask took is given back at once. Files appear whole, or not at all.

Source: umask(2), which ``mkdir -p`` (and ``Path.mkdir(parents=True)``) obeys for all parents.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

PRIVATE_DIRECTORY = 0o700
PUBLIC_DIRECTORY = 0o755
PRIVATE_FILE = 0o600
PUBLIC_FILE = 0o644
_PERMISSIONS = 0o777


def make_directory(path: Path, mode: int = PRIVATE_DIRECTORY, *, exist_ok: bool = True) -> None:
    """Make a directory and the parents that are missing, all with ``mode``.

    What is there already stays unchanged.

    Raises:
        FileExistsError: there is a file of that name, or, if not ``exist_ok``, a directory.
        OSError: as of mkdir(2).
    """
    if not path.parent.exists() and path.parent != path:
        make_directory(path.parent, mode)
    try:
        path.mkdir(mode)
    except OSError:
        # As mkdir(2) may also say EROFS or EACCES of a directory that is there.
        if not exist_ok or not path.is_dir():
            raise
        return
    if stat.S_IMODE(path.lstat().st_mode) & _PERMISSIONS != mode:
        path.chmod(mode)


def open_file(
    path: Path | str, flags: int, mode: int = PRIVATE_FILE, *, directory: int | None = None
) -> int:
    """Open a file, made with exactly ``mode`` if it is missing; one that is there keeps its mode.

    Args:
        flags: as of open(2); ``O_CREAT`` and ``O_CLOEXEC`` are added.
        directory: descriptor ``path`` is relative to.

    Raises:
        OSError: as of open(2); with ``O_EXCL`` also if the file is there.
    """
    flags |= os.O_CLOEXEC
    try:
        number = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags, dir_fd=directory)
    os.fchmod(number, mode)
    return number


def create_file(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a new file and make it last over a power cut; if that fails, there is none.

    Raises:
        FileExistsError: there is one already, which stays unchanged.
        OSError: as of open(2) and write(2).
    """
    number = open_file(path, os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(number)
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # write(2) knows no name
        raise


def replace_file(
    path: Path, data: bytes, mode: int = PRIVATE_FILE, *, prefix: str = ".incoming-"
) -> None:
    """Give ``path`` the content ``data``: at any time it has the old content or the new one.

    Args:
        prefix: of the file beside it that is written first; left over only after a crash.

    Raises:
        OSError: as of open(2), write(2) and rename(2); nothing has changed.
    """
    temporary = path.parent / f"{prefix}{os.urandom(8).hex()}"
    try:
        create_file(temporary, data, mode)
    except OSError as error:
        error.filename = str(path)  # the name people know
        raise
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a directory last over a power cut."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
