"""``.BTF.ext``: line information and CO-RE records of single instructions.

Records are grouped by ELF section and name bytes of that section; turning them into slots of
functions is the object reader's work.

Source: Documentation/bpf/btf.rst of Linux 6.18, section 4.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.table import MAGIC, TypeTable

_FUNCTION_BYTES = 8
_LINE_BYTES = 16
_CORE_BYTES = 16
_MOST_RECORD_BYTES = 256
_MOST_GROUPS = 0xFF00


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one kind for one ELF section, not decoded.

    Attributes:
        section: name of the ELF section.
        stride: bytes per record, at least as many as are known.
        records: a whole number of them.
    """

    section: str
    stride: int
    records: bytes

    def decode(self, layout: str) -> list[tuple[int, ...]]:
        """The known prefix of each record, as ``layout`` (of :mod:`struct`) says."""
        padding = self.stride - struct.calcsize(layout)
        return list(struct.iter_unpack(f"{layout}{padding}x", self.records))


@dataclass(frozen=True, slots=True)
class Extension:
    """The three kinds of records.

    Attributes:
        functions: u32 byte in section, u32 type id.
        lines: u32 byte in section, u32 file name, u32 line text, u32 line * 1024 + column.
        core: u32 byte in section, u32 type id, u32 access string, u32 kind.
    """

    functions: tuple[Group, ...]
    lines: tuple[Group, ...]
    core: tuple[Group, ...]


def read_extension(data: bytes, types: TypeTable, byteorder: Literal["little", "big"]) -> Extension:
    """Read a ``.BTF.ext`` section; ``types`` holds its strings.

    Raises:
        MalformedBtf: for a wrong header, or a group that does not fit.
    """
    word = "<" if byteorder == "little" else ">"
    if len(data) < 24:
        raise MalformedBtf(f"expected a .BTF.ext header of 24 bytes, got {len(data)} bytes")
    magic, version, _flags, header = struct.unpack_from(f"{word}HBBI", data)
    if magic != MAGIC or version != 1:
        raise MalformedBtf(
            f"expected .BTF.ext magic 0x{MAGIC:x} and version 1, got 0x{magic:x} and {version}",
            offset=0,
        )
    if not 24 <= header <= len(data):
        raise MalformedBtf(f"expected a .BTF.ext header of 24 or more bytes, got {header}")
    parts = struct.unpack_from(f"{word}IIII", data, 8)
    core = struct.unpack_from(f"{word}II", data, 24) if header >= 32 else (0, 0)

    def groups(offset: int, length: int, smallest: int) -> tuple[Group, ...]:
        return _groups(data, types, word, (header + offset, length, smallest))

    return Extension(
        functions=groups(parts[0], parts[1], _FUNCTION_BYTES),
        lines=groups(parts[2], parts[3], _LINE_BYTES),
        core=groups(core[0], core[1], _CORE_BYTES),
    )


def _groups(
    data: bytes, types: TypeTable, word: str, part: tuple[int, int, int]
) -> tuple[Group, ...]:
    place, length, smallest = part
    end = place + length
    if end > len(data):
        raise MalformedBtf(f"expected records up to byte {end}, got {len(data)} bytes")
    if not length:
        return ()
    if length < 4:
        raise MalformedBtf("expected a record size", offset=place)
    (stride,) = struct.unpack_from(f"{word}I", data, place)
    if not smallest <= stride <= _MOST_RECORD_BYTES or stride % 4:
        raise MalformedBtf(
            f"expected records of {smallest} to {_MOST_RECORD_BYTES} bytes, got {stride}",
            offset=place,
        )
    place += 4
    found: list[Group] = []
    while place < end:
        if place + 8 > end or len(found) == _MOST_GROUPS:
            raise MalformedBtf("expected a section name and a count", offset=place)
        name, count = struct.unpack_from(f"{word}II", data, place)
        place += 8
        if place + count * stride > end:
            raise MalformedBtf(
                f"expected {count} records of {stride} bytes, got {end - place} bytes", offset=place
            )
        found.append(Group(types.string(name), stride, data[place : place + count * stride]))
        place += count * stride
    return tuple(found)
