"""Format strings of the kernel: which of their arguments are addresses that are read.

Source: ``bpf_bprintf_prepare`` in ``kernel/bpf/helpers.c``, Linux 6.18. A ``%s`` alone reads from
the process for addresses of processes, from the kernel for all others.
"""

import re
from dataclasses import dataclass
from typing import Literal

Reads = Literal["kernel", "user", "both", ""]

_CONVERSION = re.compile(
    rb"%(?:%|[-+ 0#]*\d*(?:\.\d+)?(?P<name>p(?:[ku]s|[iI][46]|[xKBsSb]?)|s|c|[hlz]{0,2}[diuxX])?)"
)


FOLLOWS = re.compile(rb"%[-+ 0#]*\d*(?:\.\d+)?(?:s|p[ku]s|p[iI])")
"""A conversion that reads at an address, wherever in some text it stands."""


_SYMBOLS = frozenset({b"pS", b"ps", b"pB"})


@dataclass(frozen=True, slots=True)
class Format:
    """What a format does with its arguments, one entry for each.

    Attributes:
        reads: whose memory is read at the address the argument holds; empty if it is a number.
        names_symbols: an address is printed as the name of what the kernel has there.
    """

    reads: tuple[Reads, ...]
    names_symbols: bool = False


def parse_format(text: bytes) -> Format | None:
    """Read a format; ``None`` for one with a conversion we do not know.

    >>> parse_format(b"%d %pks").reads
    ('', 'kernel')
    """
    reads: list[Reads] = []
    names_symbols = False
    for match in _CONVERSION.finditer(text):
        if match.group() == b"%%":
            continue
        name = match["name"]
        if name is None:
            return None
        reads.append(_reads(name))
        names_symbols = names_symbols or name in _SYMBOLS
    return Format(tuple(reads), names_symbols)


def _reads(name: bytes) -> Reads:
    if name == b"s":
        return "both"
    if name == b"pks" or name[:2] in {b"pi", b"pI"}:
        return "kernel"
    return "user" if name == b"pus" else ""
