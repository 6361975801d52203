"""Standard streams as they come: closed, broken, or in an encoding that lacks characters."""

import codecs
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TextIO

from skep.system_errors import explain

_ERRORS = "skep.plain"
# What stands for the signs Skep prints, where they cannot be printed.
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "✓": "+", "✗": "x", "→": "->", "←": "<-", "…": "...", "·": "-", "•": "*",
        "“": '"', "”": '"',
        "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{EN DASH}": "-", "\N{EM DASH}": "-",
        "\N{MULTIPLICATION SIGN}": "x", "━": "-", "─": "-", "│": "|", "≥": ">=", "≤": "<=",
    }
)  # fmt: skip


def prepare_streams() -> None:
    """Make standard input, output and error usable whatever they are; once, before all else.

    A closed one becomes ``/dev/null``: its number would be given to the next file that is opened,
    a database perhaps, and what is printed would go there. Characters that an encoding lacks are
    written plainly.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):  # without /dev/null nothing better can be done
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    codecs.register_error(_ERRORS, plainly)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


def plainly(error: UnicodeError) -> tuple[str, int]:
    r"""Encode what an encoding lacks: signs by others like them, all else by its number.

    >>> plainly(UnicodeEncodeError("ascii", "a → é", 2, 5, ""))
    ('-> \\xe9', 5)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or _escaped(one) for one in characters), error.end


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream takes every character; one without an encoding does."""
    try:
        name = codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name
    except LookupError:
        return False
    return name.startswith("utf")


@contextmanager
def unbroken(stream: TextIO) -> Iterator[None]:
    """Around writes to a stream, which is flushed: once nobody reads it, they go nowhere.

    The work behind ``skep … | head`` is done whether all of it is read or not.

    Raises:
        SkepError: it cannot be written for another reason, such as a full disk.
    """
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except OSError as error:
        silence(stream)
        raise explain(error, "write what there is to say") from error


def silence(stream: TextIO) -> None:
    """Send what a stream still holds, and whatever is written to it, nowhere."""
    with suppress(OSError, ValueError):  # of streams without a descriptor too
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
