"""Errors that are not Skep's own, as errors of a family: only what is left is a bug in Skep.

Where more is known about what was tried, an error is translated where it arises; this is for the
rest.
"""

from collections.abc import Mapping
from types import MappingProxyType

from skep.errors import Malformed, SkepError, Unavailable, Unsupported
from skep.system_errors import explain

# The extra of skep that brings a package, by the name it is imported by.
_EXTRAS: Mapping[str, str] = MappingProxyType(
    {"pyroute2": "agent", "ziglang": "build", "granian": "registry", "starlette": "registry"}
)


class NotInstalled(Unsupported):
    """A package this command needs is missing or cannot be loaded."""


class OutOfMemory(Unavailable):
    """There is not enough memory for this."""


class TooDeep(Malformed):
    """The input is nested more deeply than can be read."""


class WrongEncoding(Malformed):
    """Text is not in the encoding it should be in."""


def as_skep_error(error: Exception) -> Exception:
    """The error of a family for one of the system, of SQLite or of an import; else unchanged.

    >>> print(as_skep_error(OSError(28, "No space left on device", "/x")))
    /x: No space left on device
    >>> as_skep_error(KeyError("a bug"))
    KeyError('a bug')
    """
    found = _translated(error)
    if found is None:
        return error
    found.__cause__ = error
    return found


def _translated(error: Exception) -> SkepError | None:
    match error:
        case SkepError():
            return None
        case OSError():
            return explain(error)
        case ImportError():
            return _not_installed(error)
        case MemoryError():
            return OutOfMemory("there is not enough memory", hint="free memory and try again")
        case RecursionError():
            return TooDeep(
                "the input is nested too deeply to be read",
                hint="if it is not, please report it, with --verbose",
            )
        case UnicodeError():
            return WrongEncoding(
                f"some text cannot be read or written: {error}",
                hint="use UTF-8, for files and for names",
            )
    return _of_database(error)


def _not_installed(error: ImportError) -> SkepError | None:
    package = (error.name or "").partition(".")[0]
    if package == "skep":
        return None
    if extra := _EXTRAS.get(package):
        return NotInstalled(
            f"this command needs the {extra} extra: {package} is not installed or not usable",
            hint=f"pip install 'skep[{extra}]'",
            detail=str(error),
        )
    return NotInstalled(
        f"the installation of Skep is incomplete: {error}",
        hint="pip install --force-reinstall skep",
    )


def _of_database(error: Exception) -> SkepError | None:
    import sqlite3

    if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.ProgrammingError):
        return None
    from skep.schema_steps import translated

    return translated(error)
