"""Sections of global variables: each becomes a map of one entry.

Source: tools/lib/bpf/libbpf.c of Linux 6.18 (``bpf_object__init_global_data_maps``).
"""

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.objectfile.elf import NOBITS, OBJECT, PROGBITS, ElfFile, Section
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import MapSpec, Variable

READ_ONLY = 0x80
"""``BPF_F_RDONLY_PROG``: the program may not write."""

_ARRAY = MAP_TYPES["ARRAY"]
_STEMS = (".data", ".rodata", ".bss")
_MOST_BYTES = 0xFFFFFFFF


def is_data_section(section: Section) -> bool:
    """Whether ``section`` holds global variables."""
    return (
        section.is_allocated
        and not section.is_code
        and section.kind in (PROGBITS, NOBITS)
        and section.size > 0
        and any(section.name == stem or section.name.startswith(f"{stem}.") for stem in _STEMS)
    )


def is_read_only(name: str) -> bool:
    """Whether a data section of that name holds constants."""
    return name == ".rodata" or name.startswith(".rodata.")


def read_data_maps(elf: ElfFile) -> dict[int, MapSpec]:
    """Maps of data sections, by index of the section.

    Raises:
        MalformedObject: for a section of 4 GB and more, or two of one name.
    """
    found: dict[int, MapSpec] = {}
    names: set[str] = set()
    for section in elf.sections:
        if not is_data_section(section):
            continue
        if section.size > _MOST_BYTES or section.name in names:
            raise MalformedObject(
                f"expected one section {section.name!r} below 4 GB, got {section.size} bytes",
                offset=section.offset,
            )
        names.add(section.name)
        found[section.number] = MapSpec(
            name=section.name,
            map_type=_ARRAY,
            key_size=4,
            value_size=section.size,
            max_entries=1,
            flags=READ_ONLY if is_read_only(section.name) else 0,
            data=elf.content(section),
            origin="data",
        )
    return found


def read_variables(elf: ElfFile, maps: dict[int, MapSpec]) -> tuple[Variable, ...]:
    """Global variables of the sections that ``maps`` are of, in order of section and offset.

    Raises:
        MalformedObject: for a variable that leaves its section.
    """
    found: list[tuple[int, int, Variable]] = []
    for symbol in elf.symbols:
        spec = maps.get(symbol.section)
        if spec is None or symbol.kind != OBJECT:
            continue
        name = elf.symbol_name(symbol)
        if symbol.value + symbol.size > spec.value_size:
            raise MalformedObject(
                f"expected variable {name!r} inside {spec.name!r} of {spec.value_size} bytes, got "
                f"bytes {symbol.value} to {symbol.value + symbol.size}",
                offset=elf.sections[symbol.section].offset,
            )
        found.append(
            (symbol.section, symbol.value, Variable(name, spec.name, symbol.value, symbol.size))
        )
    found.sort(key=lambda entry: entry[:2])
    return tuple(variable for _section, _offset, variable in found)
