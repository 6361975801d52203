"""BPF file systems: mount one, recognise one.

Recognised by the type the kernel tells for an open directory, so that a path cannot change between
the question and its use, and no ``/proc`` is needed.

Source: ``BPF_FS_MAGIC`` in linux/magic.h, statfs(2).
"""

import errno
import fcntl
import os
from pathlib import Path

from skep.errors import SkepError, UsageError
from skep.file_modes import make_directory
from skep.kernel.errors import LacksPrivilege, NotBpffs
from skep.kernel.syscall import (
    BpfError,
    failure,
    file_system_type,
    mount_bpf_file_system,
    unmount_file_system,
)
from skep.system_errors import explain

_BPF_FS_MAGIC = 0xCAFE4A11


def mount_bpffs(path: Path) -> bool:
    """Mount a BPF file system that only its owner can enter; whether that was necessary.

    The directory is made if it is missing. One that is on a BPF file system already stays as it is.

    Raises:
        LacksPrivilege: not root.
        NotBpffs: the kernel has no such file system.
        UsageError: the directory has files in it, which the mount would hide.
    """
    try:
        make_directory(path)
        if is_bpffs(path):
            return False
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError as error:
        raise LacksPrivilege(
            f"could not create the directory {path}: not permitted", hint="run as root"
        ) from error
    except (FileExistsError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL
        raise NotBpffs(f"could not create the directory {path}: {error}") from error
    except OSError as error:
        raise explain(error, f"create the directory {path}") from error
    try:
        # Of two first commands one would mount over the other's pins: the directory below is
        # locked, and the question asked again.
        fcntl.flock(directory, fcntl.LOCK_EX)
        if is_bpffs(path):
            return False
        # Mounting hides what is in a directory; nobody who names a wrong one wants that.
        if any(path.iterdir()):
            raise UsageError(
                f"expected an empty directory to mount a BPF file system on, {path} has files "
                "in it",
                hint="choose another root directory (SKEP_ROOT)",
            )
        _mount(path)
    finally:
        os.close(directory)
    return True


def _mount(path: Path) -> None:
    try:
        mount_bpf_file_system(os.fsencode(path))
    except BpfError as error:
        if error.number == errno.ENODEV:
            raise NotBpffs("this kernel has no BPF file system") from error
        raise failure(error, f"mount a BPF file system on {path}") from error


def unmount(path: Path) -> None:
    """Unmount what is mounted on ``path``; a symbolic link is not followed.

    Raises:
        NotBpffs: there is no BPF file system.
        KernelObjectExists: it is in use.
    """
    if not is_bpffs(path):
        raise NotBpffs(f"expected a BPF file system on {path}, found none")
    try:
        unmount_file_system(os.fsencode(path))
    except BpfError as error:
        raise _unmount_failure(error, path) from error


def _unmount_failure(error: BpfError, path: Path) -> SkepError:
    if error.number == errno.EINVAL:
        return NotBpffs(f"expected a mount point; {path} is a directory inside one")
    return failure(error, f"unmount {path}")


def is_bpffs(path: Path) -> bool:
    """Whether a directory is on a BPF file system; a symbolic link at its end is not followed.

    A path that is not there, or not a directory, is not.
    """
    try:
        number = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return False
    try:
        return is_on_bpffs(number)
    finally:
        os.close(number)


def is_on_bpffs(number: int) -> bool:
    """Whether an open file or directory is on a BPF file system."""
    try:
        return file_system_type(number) == _BPF_FS_MAGIC
    except BpfError:
        return False
