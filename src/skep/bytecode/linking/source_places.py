"""Where in the source an instruction of a plan is from, for people."""

import struct
from dataclasses import dataclass
from pathlib import PurePosixPath

from skep.bytecode.linking.plan import LinePlace

_HEADER = struct.Struct("=HBBIIIII")  # struct btf_header: the plan's types are this machine's
_LONGEST = 200  # characters of a line that are shown


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """A line of C.

    Attributes:
        file: name without folders; empty if unknown.
        line: number.
        text: the line itself, printable and without space around it; empty if unknown.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.text}".rstrip()


def source_place(lines: tuple[LinePlace, ...], btf: bytes | None, slot: int) -> SourcePlace | None:
    """The line that ``slot`` is from: the last that begins at or before it.

    Args:
        lines: of the program.
        btf: types of the plan, which hold the texts.
    """
    found = None
    for each in lines:
        if each.slot > slot:
            break
        found = each
    if found is None or btf is None:
        return None
    return SourcePlace(
        file=PurePosixPath(_string(btf, found.file)).name,
        line=found.position >> 10,
        text=_string(btf, found.text),
    )


def _string(btf: bytes, offset: int) -> str:
    if len(btf) < _HEADER.size:
        return ""
    header = _HEADER.unpack_from(btf)
    start = header[3] + header[6] + offset
    end = btf.find(b"\0", start, header[3] + header[6] + header[7])
    raw = btf[start : max(start, end)].decode("utf-8", "replace").strip()
    # An object's strings may hold anything, and this is for a terminal.
    return "".join(letter if letter.isprintable() else " " for letter in raw)[:_LONGEST]
