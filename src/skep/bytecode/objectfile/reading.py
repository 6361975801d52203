"""The front door: bytes of an object file become an :class:`ObjectFile`.

The bytes are hostile. They are read from memory, never from a path that an object names; every
size is checked before it is believed; nothing recurses on input; and whatever goes wrong inside,
foreseen or not, leaves as :class:`MalformedObject`.
"""

from collections import Counter
from collections.abc import Mapping

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.extension import Extension, read_extension
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.objectfile.code import read_code
from skep.bytecode.objectfile.data_sections import read_data_maps, read_variables
from skep.bytecode.objectfile.elf import PROGBITS, ElfFile
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.functions import CodeMap, read_functions, read_programs
from skep.bytecode.objectfile.maps_btf import SECTION_NAME, read_btf_maps
from skep.bytecode.objectfile.maps_legacy import is_legacy_map_section, read_legacy_maps
from skep.bytecode.objectfile.model import CoreRelocation, MapSpec, ObjectFile
from skep.bytecode.objectfile.records import SourceLines, read_core_relocations, read_type_ids
from skep.bytecode.objectfile.references import CodePlace, Named, declared_externs, read_references
from skep.bytecode.objectfile.relocations import relocations_of
from skep.errors import Malformed

_LICENCE_BYTES = 128  # the kernel reads no more


def read_object(data: bytes) -> ObjectFile:
    """Read an eBPF object file of either byte order.

    Args:
        data: the whole file, at most 16 MB.

    Raises:
        MalformedObject: for anything that is not an object file this reader understands.
    """
    try:
        return _read(data)
    except MalformedObject:
        raise
    except Malformed as error:
        raise MalformedObject(error.message) from error
    except Exception as error:  # whatever breaks on foreign bytes is their fault
        raise MalformedObject(f"unforeseen {type(error).__name__}: {str(error)[:160]}") from error


def _read(data: bytes) -> ObjectFile:
    elf = ElfFile(data)
    try:
        return _understood(elf)
    except MalformedBtf as error:  # of a type that was decoded when it was needed
        raise _of_section(elf, ".BTF", error) from error


def _of_section(elf: ElfFile, name: str, error: MalformedBtf) -> MalformedObject:
    """The error with the byte of the file, not of the section."""
    section = elf.section(name)
    start = 0 if section is None else section.offset
    return MalformedObject(f"{name}: {error.reason}", offset=start + (error.offset or 0))


def _understood(elf: ElfFile) -> ObjectFile:
    types = _read_types(elf)
    code = read_code(elf)
    remarks: list[str] = []
    maps = _read_maps(elf, types, remarks)
    data_maps = read_data_maps(elf)
    every_map = [spec for section in maps.values() for spec in section.values()]
    every_map += data_maps.values()
    _check_names(every_map)
    named = Named(maps, data_maps, code, declared_externs(types), remarks=remarks)
    references = {number: read_references(elf, section, named) for number, section in code.items()}
    numbers = {section.section.name: number for number, section in code.items()}
    extension = _read_extension(elf, types, remarks)
    type_ids: dict[CodePlace, int] = {}
    if extension is not None and types is not None:
        type_ids = read_type_ids(extension, types, numbers)
    functions = read_functions(elf, code, references, type_ids)
    lines: SourceLines | None = None
    core_relocations: tuple[CoreRelocation, ...] = ()
    if extension is not None and types is not None:
        lines = SourceLines(extension.lines, types, numbers, functions)
        core_relocations = _read_core(elf, extension, types, numbers, functions)
    return ObjectFile(
        byteorder=elf.byteorder,
        functions=functions.functions,
        programs=read_programs(code, functions),
        maps=tuple(every_map),
        variables=read_variables(elf, data_maps),
        externs=tuple(named.externs),
        licence=_read_licence(elf),
        core_relocations=core_relocations,
        source_lines=() if lines is None else lines,
        has_btf=types is not None,
        extern_details=tuple(named.externs.values()),
        remarks=tuple(remarks),
        types=types,
    )


def _read_types(elf: ElfFile) -> TypeTable | None:
    section = elf.section(".BTF")
    return read_btf(elf.content(section), elf.byteorder) if section and section.size else None


def _read_extension(elf: ElfFile, types: TypeTable | None, remarks: list[str]) -> Extension | None:
    section = elf.section(".BTF.ext")
    if section is None or not section.size:
        return None
    if types is None:
        remarks.append("section .BTF.ext without .BTF means nothing and was not read")
        return None
    try:
        return read_extension(elf.content(section), types, elf.byteorder)
    except MalformedBtf as error:
        raise _of_section(elf, section.name, error) from error


def _read_core(
    elf: ElfFile,
    extension: Extension,
    types: TypeTable,
    numbers: Mapping[str, int],
    functions: CodeMap,
) -> tuple[CoreRelocation, ...]:
    try:
        return read_core_relocations(extension, types, numbers, functions)
    except MalformedObject as error:
        section = elf.section(".BTF.ext")
        place = None if section is None else section.offset
        raise MalformedObject(error.reason, offset=place) from error


def _read_maps(
    elf: ElfFile, types: TypeTable | None, remarks: list[str]
) -> dict[int, dict[int, MapSpec]]:
    found: dict[int, dict[int, MapSpec]] = {}
    for section in elf.sections:
        if section.kind != PROGBITS or section.is_code or not section.size:
            continue
        if section.name == SECTION_NAME:
            relocations = relocations_of(elf, section)
            found[section.number] = read_btf_maps(elf, section, types, relocations, remarks)
        elif is_legacy_map_section(section.name):
            found[section.number] = read_legacy_maps(elf, section, remarks)
    return found


def _check_names(maps: list[MapSpec]) -> None:
    # Plans and relocations name maps, so two of one name would be taken for each other.
    twice = [name for name, count in Counter(spec.name for spec in maps).items() if count > 1]
    if twice:
        raise MalformedObject(f"expected maps with names of their own, got two {twice[0]!r}")


def _read_licence(elf: ElfFile) -> str | None:
    section = elf.section("license")
    if section is None:
        return None
    licence = elf.content(section)[:_LICENCE_BYTES].split(b"\0")[0].decode("ascii", "replace")
    # The kernel compares it literally and people are shown it: it must be what it looks like.
    if not licence.isascii() or not licence.isprintable():
        raise MalformedObject(
            f"expected a licence of printable characters, got {licence[:80]!r}",
            offset=section.offset,
        )
    return licence
