"""Relocation entries of a section, before anyone asks what they mean.

Source: Documentation/bpf/llvm_reloc.rst of Linux 6.18.
"""

import struct
from typing import NamedTuple

from skep.bytecode.objectfile.elf import REL, RELA, ElfFile, Section
from skep.bytecode.objectfile.errors import MalformedObject

_NONE = 0  # R_BPF_NONE
_MOST_ENTRIES = 1_000_000  # as many as instructions


class RawRelocation(NamedTuple):
    """One entry.

    Attributes:
        symbol: index into the symbol table.
        kind: ``R_BPF_*``.
        addend: bytes, ``None`` where it is stored in the place itself (SHT_REL).
    """

    symbol: int
    kind: int
    addend: int | None


def relocations_of(elf: ElfFile, target: Section) -> dict[int, RawRelocation]:
    """Entries for ``target`` by byte offset in it, ascending; those of type 0 are left out.

    Relocations of debug sections, about a million in a set of real objects, are never looked at:
    nobody asks for them.

    Raises:
        MalformedObject: for a table of wrong shape, a place outside the section, a symbol that
            does not exist, or two entries for one place.
    """
    word = "<" if elf.byteorder == "little" else ">"
    found: dict[int, RawRelocation] = {}
    for section in elf.relocation_sections.get(target.number, ()):
        if section.link != elf.symbol_table or not section.link:
            raise MalformedObject(
                f"expected {section.name!r} linked to the symbol table, got section {section.link}",
                offset=section.offset,
            )
        entry_bytes, layout = (16, "QQ") if section.kind == REL else (24, "QQq")
        if section.entry_bytes != entry_bytes or section.size % entry_bytes:
            raise MalformedObject(
                f"expected relocations of {entry_bytes} bytes each in {section.name!r}",
                offset=section.offset,
            )
        if section.size // entry_bytes + len(found) > _MOST_ENTRIES:
            raise MalformedObject(
                f"expected at most {_MOST_ENTRIES} relocations", offset=section.offset
            )
        for entry in struct.iter_unpack(f"{word}{layout}", elf.content(section)):
            place, info = entry[0], entry[1]
            kind = info & 0xFFFFFFFF
            if kind == _NONE:
                continue
            if place >= target.size or info >> 32 >= len(elf.symbols):
                raise MalformedObject(
                    f"expected relocations of {target.name!r} inside it and with symbols below "
                    f"{len(elf.symbols)}, got byte {place} and symbol {info >> 32}",
                    offset=section.offset,
                )
            if place in found:
                raise MalformedObject(
                    f"expected one relocation per place, got two for byte {place} "
                    f"of {target.name!r}",
                    offset=section.offset,
                )
            found[place] = RawRelocation(
                info >> 32, kind, entry[2] if section.kind == RELA else None
            )
    return dict(sorted(found.items()))
