"""Errors of the operating system as errors that people can act on.

Source: errno(3).
"""

import errno
import os

from skep.errors import (
    Conflict,
    NotFound,
    NotPermitted,
    SkepError,
    Unavailable,
    Unsupported,
    UsageError,
)


class SystemSaysMissing(NotFound):
    """There is no such file, device or process."""


class SystemSaysMisnamed(UsageError):
    """The path cannot name what was asked for."""


class SystemSaysForbidden(NotPermitted):
    """This user may not, or nobody may: a read-only file system."""


class SystemSaysTaken(Conflict):
    """The file is there already, or the address or device is in use."""


class SystemSaysImpossible(Unsupported):
    """This kernel or file system has no such operation."""


class SystemSaysUnavailable(Unavailable):
    """No space, no memory, no descriptors, no answer: it may work later."""


_MISSING = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH}
_MISNAMED = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_TAKEN = {errno.EEXIST, errno.EBUSY, errno.ETXTBSY, errno.EADDRINUSE, errno.ENOTEMPTY}
_IMPOSSIBLE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOEXEC, errno.EXDEV}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_EXHAUSTED = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def explain(error: OSError, doing: str = "") -> SkepError:
    """The error to raise for one of the operating system.

    Args:
        doing: what was tried, as in "could not {doing}"; empty if only the file is known.

    >>> explain(OSError(errno.ENOSPC, "No space left on device", "/x"), "write /x").message
    'could not write /x: No space left on device'
    """
    number = error.errno
    reason = error.strerror or str(error) or type(error).__name__
    message = f"could not {doing}: {reason}" if doing else f"{_name(error)}{reason}"
    if number in _FULL:
        return SystemSaysUnavailable(message, hint="free space there and try again")
    if number == errno.EROFS:
        return SystemSaysForbidden(
            message, hint="the file system is read-only; SKEP_ROOT names another directory"
        )
    if number in _FORBIDDEN:
        return SystemSaysForbidden(
            message, hint="run it as the owner or as root; SKEP_ROOT names another directory"
        )
    if number in _EXHAUSTED:
        return SystemSaysUnavailable(
            message, hint="free memory or file descriptors, then try again"
        )
    if number in _MISSING:
        return SystemSaysMissing(message, hint="check the name, and that its directory is there")
    if number in _MISNAMED:
        return SystemSaysMisnamed(message, hint="check the path")
    if number in _TAKEN:
        return SystemSaysTaken(message, hint="choose another name, or find what uses it")
    if number in _IMPOSSIBLE:
        return SystemSaysImpossible(message, hint="this kernel or file system cannot do that")
    return SystemSaysUnavailable(message, hint="try again; if it stays so, look at the system log")


def _name(error: OSError) -> str:
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if _is_path(name)]
    return f"{' → '.join(names)}: " if names else ""


def _is_path(name: object) -> bool:
    return isinstance(name, str | bytes)
