"""Removing sections from a BPF object file: DWARF out, BTF in place.

Compilers make BTF only together with DWARF (``-g``), and DWARF is the larger part, names the
machine it was built on and is read by no loader. ``llvm-objcopy`` would remove it, but is not
everywhere a compiler is, and ``zig objcopy`` copies only executables; so these are the few lines
of ELF that it takes. The result depends on nothing but the input: sections keep their order and
are laid out afresh.

Only for the output of a compiler that was just run; foreign objects are read by
``skep.bytecode.objectfile``.

Source: System V ABI, chapter 4 (https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html);
``e_machine`` 247 is BPF.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from skep.compiling.errors import CompilerUnsuitable

_MACHINE_BPF = 247
_SYMTAB, _STRTAB, _RELA, _NOBITS, _REL, _ADDRSIG = 2, 3, 4, 8, 9, 0x6FFF4C03
_LARGEST_ALIGNMENT = 1 << 16
_FIRST_RESERVED_INDEX = 0xFF00  # SHN_ABS, SHN_COMMON …: not section numbers

_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    address: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int
    data: bytes


def strip_debug(data: bytes) -> bytes:
    """Remove ``.debug*``, ``.eh_frame`` and what only concerns them from a little-endian object.

    Symbols of removed sections go as well, and every section and symbol number is rewritten.
    Stripping twice changes nothing.

    Raises:
        CompilerUnsuitable: ``data`` is not a relocatable little-endian BPF object, or something
            that stays refers to something that goes.
    """
    try:
        return _strip(data)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError) as error:
        raise CompilerUnsuitable(
            f"expected a BPF object file from the compiler, got {len(data)} bytes that are none"
        ) from error


def _strip(data: bytes) -> bytes:
    header, sections = _read(data)
    kept = [n for n, section in enumerate(sections) if not _is_debug(section, sections)]
    numbers = {old: new for new, old in enumerate(kept)}
    out = [sections[n] for n in kept]
    symtab = next((n for n, section in enumerate(out) if section.kind == _SYMTAB), None)
    symbol_numbers: Mapping[int, int] = {}
    if symtab is not None:
        names = sections[out[symtab].link].data
        used = _symbols_in_use(out)
        out[symtab], symbol_numbers = _strip_symbols(out[symtab], numbers, names, used)
    for n, section in enumerate(out):
        if section.kind in (_REL, _RELA):
            section = replace(section, info=numbers[section.info])
            section = replace(section, data=_renumber_relocations(section, symbol_numbers))
        out[n] = replace(section, link=numbers[section.link], size=_size(section))
    return _write(header, out)


def _is_debug(section: _Section, sections: Sequence[_Section]) -> bool:
    if section.kind in (_REL, _RELA):
        return _is_debug(sections[section.info], sections[:1])
    return section.name.startswith((".debug", ".eh_frame")) or section.kind == _ADDRSIG


def _read(data: bytes) -> tuple[tuple[int, ...], list[_Section]]:
    ident, kind, machine, version, _, _, offset, flags, _, _, _, size, count, names = (
        _FILE_HEADER.unpack_from(data)
    )
    wanted = ident[:6] == b"\x7fELF\x02\x01" and kind == 1 and machine == _MACHINE_BPF
    if not wanted or size != _SECTION_HEADER.size:
        raise CompilerUnsuitable(
            "expected a relocatable little-endian BPF object from the compiler, got "
            f"ELF type {kind}, machine {machine}, class and byte order {ident[4:6].hex()}",
            hint="use a compiler that targets bpfel",
        )
    headers = [_SECTION_HEADER.unpack_from(data, offset + n * size) for n in range(count)]
    name_at = _string_reader(_content(data, headers[names]))
    sections = [
        _Section(name_at(name), kind, flag, address, length, link, info, align, entry, content)
        for header in headers
        for name, kind, flag, address, _, length, link, info, align, entry in [header]
        for content in [_content(data, header)]
    ]
    return (version, flags, names), sections


def _content(data: bytes, header: tuple[int, ...]) -> bytes:
    _, kind, _, _, offset, size, *_ = header
    if kind in (0, _NOBITS):
        return b""
    content = data[offset : offset + size]
    if len(content) != size:
        raise CompilerUnsuitable("the object file of the compiler ends inside a section")
    return content


def _string_reader(table: bytes) -> Callable[[int], str]:
    return lambda offset: table[offset : table.index(b"\0", offset)].decode()


def _symbols_in_use(sections: Sequence[_Section]) -> set[int]:
    used: set[int] = set()
    for section in sections:
        if section.kind in (_REL, _RELA):
            step = section.entry_size
            for at in range(0, len(section.data), step):
                (info,) = struct.unpack_from("<Q", section.data, at + 8)
                used.add(info >> 32)
    return used


def _strip_symbols(
    symtab: _Section, numbers: Mapping[int, int], names: bytes, used: set[int]
) -> tuple[_Section, Mapping[int, int]]:
    rows: list[bytes] = []
    mapping: dict[int, int] = {}
    local = 0
    for old, row in enumerate(_SYMBOL.iter_unpack(symtab.data)):
        name, info, other, section, value, size = row
        if section < _FIRST_RESERVED_INDEX and section not in numbers:
            if old in used:
                text = names[name : names.index(b"\0", name)].decode()
                raise CompilerUnsuitable(
                    f"code refers to {text or 'a symbol'!r} of a debug section"
                )
            continue
        if section < _FIRST_RESERVED_INDEX:
            section = numbers[section]
        mapping[old] = len(rows)
        rows.append(_SYMBOL.pack(name, info, other, section, value, size))
        local += old < symtab.info
    return replace(symtab, data=b"".join(rows), info=local), mapping


def _renumber_relocations(section: _Section, symbols: Mapping[int, int]) -> bytes:
    out = bytearray(section.data)
    for at in range(0, len(out), section.entry_size):
        (info,) = struct.unpack_from("<Q", out, at + 8)
        struct.pack_into("<Q", out, at + 8, symbols[info >> 32] << 32 | info & 0xFFFFFFFF)
    return bytes(out)


def _size(section: _Section) -> int:
    return section.size if section.kind in (0, _NOBITS) else len(section.data)


def _write(header: tuple[int, ...], sections: list[_Section]) -> bytes:
    version, flags, _ = header
    # The string table holds names of sections and symbols; those of removed ones must not stay,
    # so it is written anew and both kinds of names point into the new one.
    sections, offsets, table_number = _write_names(sections)
    body = bytearray(_FILE_HEADER.size)
    rows: list[bytes] = []
    for n, section in enumerate(sections):
        if section.kind == 0:
            rows.append(_SECTION_HEADER.pack(0, 0, 0, 0, 0, section.size, 0, 0, 0, 0))
            continue
        if section.alignment > _LARGEST_ALIGNMENT:
            raise CompilerUnsuitable(f"section {section.name!r} is aligned to {section.alignment}")
        body += bytes(-len(body) % max(section.alignment, 1))
        rows.append(
            _SECTION_HEADER.pack(
                offsets[n],
                section.kind,
                section.flags,
                section.address,
                len(body),
                section.size,
                section.link,
                section.info,
                section.alignment,
                section.entry_size,
            )
        )
        body += section.data
    body += bytes(-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    _FILE_HEADER.pack_into(
        body,
        0,
        *(ident, 1, _MACHINE_BPF, version, 0, 0, len(body), flags),
        *(_FILE_HEADER.size, 0, 0, _SECTION_HEADER.size, len(rows), table_number),
    )
    return bytes(body) + b"".join(rows)


def _write_names(sections: list[_Section]) -> tuple[list[_Section], list[int], int]:
    sections = list(sections)
    table = bytearray(b"\0")
    known: dict[bytes, int] = {b"": 0}

    def put(name: bytes) -> int:
        if name not in known:
            known[name] = len(table)
            table.extend(name + b"\0")
        return known[name]

    string_tables = [n for n, section in enumerate(sections) if section.kind == _STRTAB]
    if len(string_tables) != 1:
        raise CompilerUnsuitable(
            f"expected one string table in the object, got {len(string_tables)}"
        )
    old = sections[string_tables[0]].data
    for n, section in enumerate(sections):
        if section.kind == _SYMTAB:
            rows = bytearray()
            for name, *rest in _SYMBOL.iter_unpack(section.data):
                rows += _SYMBOL.pack(put(old[name : old.index(b"\0", name)]), *rest)
            sections[n] = replace(section, data=bytes(rows))
    offsets = [put(section.name.encode()) for section in sections]
    number = string_tables[0]
    sections[number] = replace(sections[number], data=bytes(table), size=len(table))
    return sections, offsets, number
