"""A tiny assembler of BPF object files, of either byte order, valid or wrong on purpose."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from skep.bytecode.isa.instructions import Instruction, encode

ByteOrder = Literal["little", "big"]

PROGBITS, SYMTAB, STRTAB, RELA, NOBITS, REL = 1, 2, 3, 4, 8, 9
ALLOCATED, WRITABLE, EXECUTABLE = 2, 1, 4
NOTYPE, OBJECT, FUNCTION, SECTION = 0, 1, 2, 3
LOCAL, GLOBAL, WEAK = 0, 1, 2

EXIT = Instruction(0x95)
RETURN_2 = (Instruction(0xB7, 0, 0, 0, 2), EXIT)


def call(helper: int) -> Instruction:
    return Instruction(0x85, 0, 0, 0, helper)


def local_call(immediate: int = -1) -> Instruction:
    return Instruction(0x85, 0, 1, 0, immediate)


def load_wide(register: int = 1, value: int = 0, source: int = 0) -> tuple[Instruction, ...]:
    low = value & 0xFFFFFFFF
    high = value >> 32 & 0xFFFFFFFF
    return (
        Instruction(0x18, register, source, 0, low - (1 << 32) if low >> 31 else low),
        Instruction(0, 0, 0, 0, high - (1 << 32) if high >> 31 else high),
    )


@dataclass
class Part:
    """A section; ``size`` other than the data's is for NOBITS and for lies."""

    name: str
    data: bytes
    kind: int = PROGBITS
    flags: int = 0
    link: int = 0
    info: int = 0
    entry_bytes: int = 0
    size: int | None = None
    offset: int | None = None


@dataclass
class ElfBuilder:
    """Sections, symbols and relocations; :meth:`build` gives the file."""

    byteorder: ByteOrder = "little"
    machine: int = 247
    file_kind: int = 1
    sections: list[Part] = field(default_factory=list)
    symbols: list[tuple[str, int, int, int, int]] = field(default_factory=list)
    relocations: dict[int, list[tuple[int, int, int, int | None]]] = field(default_factory=dict)
    symbol_link: int | None = None

    @property
    def word(self) -> str:
        return "<" if self.byteorder == "little" else ">"

    def section(self, name: str, data: bytes, **how: int) -> int:
        """Add a section; give its number."""
        self.sections.append(Part(name, data, **how))
        return len(self.sections)

    def code(self, name: str, instructions: Sequence[Instruction]) -> int:
        data = encode(instructions, self.byteorder)
        return self.section(name, data, flags=ALLOCATED | EXECUTABLE)

    def data(self, name: str, data: bytes) -> int:
        return self.section(name, data, flags=ALLOCATED | WRITABLE)

    def words(self, *values: int) -> bytes:
        return struct.pack(f"{self.word}{len(values)}I", *values)

    def symbol(
        self,
        name: str,
        section: int,
        value: int = 0,
        *,
        size: int = 0,
        kind: int = FUNCTION,
        binding: int = GLOBAL,
    ) -> int:
        """Add a symbol; give its number."""
        self.symbols.append((name, binding << 4 | kind, section, value, size))
        return len(self.symbols)

    def relocate(
        self, section: int, offset: int, symbol: int, kind: int = 1, addend: int | None = None
    ) -> None:
        """Add an entry: SHT_REL, or SHT_RELA if ``addend`` is given."""
        self.relocations.setdefault(section, []).append((offset, symbol, kind, addend))

    def build(self) -> bytes:
        parts = list(self.sections)
        names = b"\0"
        table = struct.pack(f"{self.word}IBBHQQ", 0, 0, 0, 0, 0, 0)
        for name, info, section, value, size in self.symbols:
            table += struct.pack(f"{self.word}IBBHQQ", len(names), info, 0, section, value, size)
            names += name.encode() + b"\0"
        symbols_number = len(parts) + 1
        link = symbols_number + 1 if self.symbol_link is None else self.symbol_link
        parts.append(Part(".symtab", table, SYMTAB, link=link, entry_bytes=24))
        parts.append(Part(".strtab", names, STRTAB))
        for section, entries in self.relocations.items():
            parts += self._relocation_parts(section, entries, symbols_number)
        parts.append(Part(".shstrtab", b"", STRTAB))
        return self._file(parts)

    def _relocation_parts(
        self, section: int, entries: list[tuple[int, int, int, int | None]], symbols: int
    ) -> list[Part]:
        name = self.sections[section - 1].name
        plain = b"".join(
            struct.pack(f"{self.word}QQ", offset, symbol << 32 | kind)
            for offset, symbol, kind, addend in entries
            if addend is None
        )
        wide = b"".join(
            struct.pack(f"{self.word}QQq", offset, symbol << 32 | kind, addend)
            for offset, symbol, kind, addend in entries
            if addend is not None
        )
        parts = []
        if plain:
            parts.append(Part(f".rel{name}", plain, REL, 0, symbols, section, 16))
        if wide:
            parts.append(Part(f".rela{name}", wide, RELA, 0, symbols, section, 24))
        return parts

    def _file(self, parts: list[Part]) -> bytes:
        names = b"\0"
        places = []
        for part in parts:
            places.append(len(names))
            names += part.name.encode() + b"\0"
        parts[-1].data = names
        body = b""
        headers = bytes(64)
        for part, name in zip(parts, places, strict=True):
            offset = 64 + len(body) if part.offset is None else part.offset
            size = len(part.data) if part.size is None else part.size
            headers += struct.pack(
                f"{self.word}IIQQQQIIQQ",
                name,
                part.kind,
                part.flags,
                0,
                offset,
                size,
                part.link,
                part.info,
                8,
                part.entry_bytes,
            )
            body += part.data
        body += bytes(-len(body) % 8)
        order = 1 if self.byteorder == "little" else 2
        header = b"\x7fELF" + bytes([2, order, 1]) + bytes(9)
        header += struct.pack(
            f"{self.word}HHIQQQIHHHHHH",
            self.file_kind,
            self.machine,
            1,
            0,
            0,
            64 + len(body),
            0,
            64,
            0,
            0,
            64,
            len(parts) + 1,
            len(parts),
        )
        return header + body + headers


def licensed(byteorder: ByteOrder = "little") -> ElfBuilder:
    """A builder whose first section is a licence."""
    builder = ElfBuilder(byteorder)
    builder.section("license", b"GPL\0", flags=ALLOCATED | WRITABLE)
    return builder


def minimal(byteorder: ByteOrder = "little", section: str = "xdp") -> ElfBuilder:
    """A licensed object with one program ``prog`` that returns 2."""
    builder = licensed(byteorder)
    number = builder.code(section, RETURN_2)
    builder.symbol("prog", number, size=16)
    return builder
