"""ELF header, sections and symbols, as far as BPF objects use them.

Sources: System V ABI, chapters 4 and 5 (ELF64, relocatable files); Linux
Documentation/bpf/llvm_reloc.rst for the machine number.
"""

import struct
from collections.abc import Sequence
from typing import Literal, NamedTuple

from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.recognising import recognise

MOST_FILE_BYTES = 16 << 20
MOST_SECTIONS = 0xFF00  # SHN_LORESERVE: more need an extension nobody uses for BPF
_MOST_SYMBOLS = 500_000  # the largest object seen has 12,048
_SECTION_NAME_BYTES = 1024
_SYMBOL_NAME_BYTES = 1024

_RELOCATABLE = 1
_MACHINES = (247, 0)  # EM_BPF; 0 in an object of a compiler older than the number

PROGBITS = 1
SYMBOL_TABLE = 2
STRING_TABLE = 3
RELA = 4
NOBITS = 8
REL = 9

_ALLOCATED = 2
_EXECUTABLE = 4

UNDEFINED = 0
LOCAL = 0
WEAK = 2
NOTYPE = 0
OBJECT = 1
FUNCTION = 2
SECTION = 3


class Section(NamedTuple):
    """A section header; ``offset`` and ``size`` in bytes, ``number`` is its place in the table."""

    number: int
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entry_bytes: int

    @property
    def is_allocated(self) -> bool:
        """Part of memory at run time."""
        return bool(self.flags & _ALLOCATED)

    @property
    def is_code(self) -> bool:
        """Holds instructions."""
        return bool(self.flags & _EXECUTABLE) and self.kind == PROGBITS and self.size > 0


class Symbol(NamedTuple):
    """A symbol as stored; names are looked up when needed, most are labels of basic blocks."""

    name_offset: int
    info: int
    other: int
    section: int
    value: int
    size: int

    @property
    def kind(self) -> int:
        """``STT_*``."""
        return self.info & 15

    @property
    def binding(self) -> int:
        """``STB_*``."""
        return self.info >> 4


class ElfFile:
    """Sections and symbols of one file.

    Attributes:
        data: the whole file.
        byteorder: of everything in it, instructions included.
        sections: in order, the empty first one included.
        relocation_sections: those of kind REL and RELA, by the section they are for.
        symbols: in order, the empty first one included; empty if there is no table.
        symbol_table: index of the section they are from, 0 if there is none.
    """

    __slots__ = (
        "_names",
        "_strings",
        "byteorder",
        "data",
        "relocation_sections",
        "sections",
        "symbol_table",
        "symbols",
    )

    def __init__(self, data: bytes) -> None:
        """Read the header, all section headers and all symbols of ``data``.

        The checks are numbered; each exists because a file with that flaw was found or made.

        Raises:
            MalformedObject: if one fails.
        """
        self.data = data
        self.byteorder: Literal["little", "big"] = _identify(data)
        self._names: dict[int, str] = {}
        self.sections = self._read_sections()
        self.relocation_sections: dict[int, list[Section]] = {}
        for section in self.sections:
            if section.kind in (REL, RELA):
                self.relocation_sections.setdefault(section.info, []).append(section)
        self.symbol_table, self._strings, self.symbols = self._read_symbols()

    def content(self, section: Section) -> bytes:
        """The bytes of a section; none for NOBITS."""
        if section.kind == NOBITS:
            return b""
        return self.data[section.offset : section.offset + section.size]

    def section(self, name: str) -> Section | None:
        """The section of that name.

        Raises:
            MalformedObject: if there are two: readers that take the first and readers that take
                the last would see different objects.
        """
        found = [section for section in self.sections if section.name == name]
        if len(found) > 1:
            raise MalformedObject(
                f"expected one section {name!r}, got {len(found)}", offset=found[1].offset
            )
        return found[0] if found else None

    def symbol_name(self, symbol: Symbol) -> str:
        """The symbol's name.

        Raises:
            MalformedObject: if it is outside its table, too long or not printable.
        """
        known = self._names.get(symbol.name_offset)
        if known is None:
            known = self._name(self._strings, symbol.name_offset, _SYMBOL_NAME_BYTES)
            self._names[symbol.name_offset] = known
        return known

    def _name(self, strings: Section, offset: int, longest: int) -> str:
        # (8) Names lie inside their table, end there, are short, and print as what they are:
        # they reach terminals and log files.
        start = strings.offset + offset
        limit = strings.offset + strings.size
        end = self.data.find(0, start, min(limit, start + longest + 1)) if offset >= 0 else -1
        if offset >= strings.size or end == -1:
            raise MalformedObject(
                f"expected a name of at most {longest} bytes inside the string table", offset=start
            )
        try:
            name = self.data[start:end].decode()
        except UnicodeDecodeError as error:
            raise MalformedObject("expected a name in UTF-8", offset=start) from error
        if not name.isprintable():
            raise MalformedObject(f"expected a printable name, got {name[:80]!r}", offset=start)
        return name

    def _read_sections(self) -> tuple[Section, ...]:
        word = "<" if self.byteorder == "little" else ">"
        (table,) = struct.unpack_from(f"{word}Q", self.data, 40)
        entry_bytes, count, names_index = struct.unpack_from(f"{word}HHH", self.data, 58)
        # (3) The section table is inside the file, of the known layout and of sane length.
        if entry_bytes != 64:
            raise MalformedObject(
                f"expected section headers of 64 bytes, got {entry_bytes}", offset=58
            )
        if not 0 < count < MOST_SECTIONS:
            raise MalformedObject(
                f"expected 1 to {MOST_SECTIONS - 1} sections, got {count}", offset=60
            )
        if table + 64 * count > len(self.data):
            raise MalformedObject(
                f"expected {count} section headers inside the file of {len(self.data)} bytes",
                offset=table,
            )
        if not 0 < names_index < count:
            raise MalformedObject(
                f"expected the index of a section with names, got {names_index}", offset=62
            )
        headers = list(
            struct.iter_unpack(f"{word}IIQQQQIIQQ", self.data[table : table + 64 * count])
        )
        self._check_extents(headers)
        names = _section(names_index, "", headers[names_index])
        if names.kind != STRING_TABLE:
            raise MalformedObject(
                f"expected section {names_index} to hold section names", offset=62
            )
        return tuple(
            _section(
                index,
                self._name(names, header[0], _SECTION_NAME_BYTES) if index else "",
                header,
            )
            for index, header in enumerate(headers)
        )

    def _check_extents(self, headers: Sequence[tuple[int, ...]]) -> None:
        # (4) Every section but NOBITS is inside the file.
        # (5) Sections do not overlap: 65,000 views of the same 16 MB would fill the memory.
        total = 0
        for index, header in enumerate(headers):
            _name, kind, _flags, _address, offset, size, *_ = header
            if kind in (0, NOBITS):
                continue
            if offset + size > len(self.data):
                raise MalformedObject(
                    f"expected section {index} inside the file of {len(self.data)} bytes, "
                    f"got bytes {offset} to {offset + size}",
                    offset=offset,
                )
            total += size
        if total > len(self.data):
            raise MalformedObject(
                f"expected sections that do not overlap, got {total} bytes of sections "
                f"in a file of {len(self.data)} bytes"
            )

    def _read_symbols(self) -> tuple[int, Section, list[Symbol]]:
        tables = [section for section in self.sections if section.kind == SYMBOL_TABLE]
        if not tables:
            return 0, self.sections[0], []
        # (6) One symbol table, linked to a string table.
        if len(tables) > 1:
            raise MalformedObject(
                f"expected one symbol table, got {len(tables)}", offset=tables[1].offset
            )
        table = tables[0]
        if not 0 < table.link < len(self.sections):
            raise MalformedObject(
                f"expected names for the symbol table, got section {table.link}",
                offset=table.offset,
            )
        strings = self.sections[table.link]
        if strings.kind != STRING_TABLE:
            raise MalformedObject(
                f"expected the symbol table linked to a string table, got section {strings.name!r}",
                offset=table.offset,
            )
        if table.entry_bytes != 24 or table.size % 24:
            raise MalformedObject("expected symbols of 24 bytes each", offset=table.offset)
        if table.size // 24 > _MOST_SYMBOLS:
            raise MalformedObject(
                f"expected at most {_MOST_SYMBOLS} symbols, got {table.size // 24}",
                offset=table.offset,
            )
        word = "<" if self.byteorder == "little" else ">"
        stored = struct.iter_unpack(f"{word}IBBHQQ", self.content(table))
        symbols = list(map(Symbol._make, stored))
        # (7) Symbols are in sections that exist, or in one of the reserved ones.
        highest = len(self.sections)
        for index, symbol in enumerate(symbols):
            if highest <= symbol.section and symbol.section not in (0xFFF1, 0xFFF2):
                raise MalformedObject(
                    f"expected symbol {index} in a section below {highest}, got {symbol.section}",
                    offset=table.offset + 24 * index,
                )
        return table.number, strings, symbols


def types_missing(elf: ElfFile, what_for: str, offset: int) -> MalformedObject:
    """The error for an object without types that needs some."""
    if any(section.kind == SYMBOL_TABLE for section in elf.sections):
        hint = "compile it with -g, which writes them (gcc: -gbtf)"
    else:
        hint = "it was stripped of symbols too: compile it with -g, and strip it with llvm-strip -g"
    return MalformedObject(f"expected types (.BTF) {what_for}, got none", offset=offset, hint=hint)


def _section(number: int, name: str, header: tuple[int, ...]) -> Section:
    _name, kind, flags, _address, offset, size, link, info, _alignment, entry_bytes = header
    return Section(number, name, kind, flags, offset, size, link, info, entry_bytes)


def _identify(data: bytes) -> Literal["little", "big"]:
    # (1) Of bearable size, and an ELF file at all.
    if len(data) > MOST_FILE_BYTES:
        raise MalformedObject(f"expected at most {MOST_FILE_BYTES} bytes, got {len(data)}")
    if data[:4] != b"\x7fELF":
        if (known := recognise(data)) is not None:
            raise MalformedObject(f"expected an ELF file, got {known.name}", hint=known.hint)
        raise MalformedObject(
            f"expected an ELF file, got one that begins with {data[:4]!r}", offset=0
        )
    if len(data) < 64:
        raise MalformedObject(f"expected an ELF header of 64 bytes, got {len(data)} bytes")
    # (2) 64 bits, a known byte order, relocatable, for BPF.
    if data[4] != 2:
        raise MalformedObject(
            f"expected a 64-bit ELF file (class 2), got class {data[4]}", offset=4
        )
    if data[5] not in (1, 2):
        raise MalformedObject(f"expected byte order 1 or 2, got {data[5]}", offset=5)
    byteorder: Literal["little", "big"] = "little" if data[5] == 1 else "big"
    kind = int.from_bytes(data[16:18], byteorder)
    machine = int.from_bytes(data[18:20], byteorder)
    if kind != _RELOCATABLE:
        raise MalformedObject(f"expected a relocatable file (type 1), got type {kind}", offset=16)
    if machine not in _MACHINES:
        raise MalformedObject(f"expected machine 247 (BPF), got {machine}", offset=18)
    return byteorder
