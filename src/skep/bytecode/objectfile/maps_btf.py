"""Maps of section ``.maps``, described by their BTF.

The section is a DATASEC of VARs, each of a STRUCT whose members encode numbers as element counts
of arrays behind pointers, or as values of enums. Offsets come from the symbol table: compilers
leave those in the DATASEC zero.

Source: tools/lib/bpf/bpf_helpers.h (``__uint``, ``__type``, ``__array``, ``__ulong``) of Linux
6.18.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind, StructMember
from skep.bytecode.objectfile.elf import SECTION, ElfFile, Section, Symbol, types_missing
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import MapSpec
from skep.bytecode.objectfile.relocations import RawRelocation

SECTION_NAME = ".maps"
_NUMBERS = frozenset(
    {"type", "key_size", "value_size", "max_entries", "map_flags", "pinning", "numa_node"}
)


@dataclass(slots=True)
class _Definition:
    """What the members of a definition said."""

    numbers: dict[str, int] = field(default_factory=dict)
    key_type_id: int = 0
    value_type_id: int = 0
    values: StructMember | None = None


def read_btf_maps(
    elf: ElfFile,
    section: Section,
    types: TypeTable | None,
    relocations: Mapping[int, RawRelocation],
    remarks: list[str],
) -> dict[int, MapSpec]:
    """Maps by byte offset in ``section``.

    Args:
        relocations: of ``section``; they hold the initial entries.
        remarks: what is not understood is added here.

    Raises:
        MalformedObject, MalformedBtf: if a map has no description, or one that cannot be
            understood: a member of unknown name changes the meaning of the others.
    """
    if types is None:
        raise types_missing(elf, f"for section {SECTION_NAME}", section.offset)
    variables = _variables(types)
    places = list(relocations)
    claimed = 0
    found: dict[int, MapSpec] = {}
    for symbol in elf.symbols:
        if symbol.section != section.number or symbol.kind == SECTION:
            continue
        name = elf.symbol_name(symbol)
        if not name:
            continue
        if symbol.value in found or symbol.value >= section.size:
            raise MalformedObject(
                f"expected one symbol per map inside {SECTION_NAME}, got {name!r} "
                f"at byte {symbol.value}",
                offset=section.offset + symbol.value,
            )
        variable = variables.get(name)
        if variable is None:
            raise MalformedObject(
                f"expected a description of map {name!r} in the types",
                offset=section.offset + symbol.value,
            )
        try:
            spec, values = _read_definition(types, name, variable)
        except (MalformedObject, MalformedBtf) as error:
            place = section.offset + symbol.value
            raise MalformedObject(error.reason, offset=place) from error
        if spec.pinning > 1:
            remarks.append(f"map {name}: pinning {spec.pinning} is not understood")
        if values is not None:
            start, end = _extent(types, symbol, values)
            own = places[bisect_left(places, start) : bisect_left(places, end)]
            # Overlapping definitions could make few bytes into work without end.
            claimed += len(own)
            if claimed > len(places):
                raise MalformedObject(
                    f"expected maps that do not overlap, got {name!r}",
                    offset=section.offset + start,
                )
            spec = _with_initial(elf, spec, start, {place: relocations[place] for place in own})
        found[symbol.value] = spec
    return dict(sorted(found.items()))


def _variables(types: TypeTable) -> dict[str, BtfType]:
    variables: dict[str, BtfType] = {}
    for section_id in types.find(SECTION_NAME, Kind.DATASEC):
        for entry in types.type(section_id).variables:
            variable = types.type(entry.type_id)
            if variable.kind is not Kind.VAR or not variable.name:
                raise MalformedBtf(
                    f"expected variables in {SECTION_NAME}, got {variable.kind.name}"
                )
            variables[variable.name] = variable
    return variables


def _read_definition(
    types: TypeTable, name: str, variable: BtfType
) -> tuple[MapSpec, StructMember | None]:
    outer = resolved(types, variable.refers_to)
    definition = _members(types, name, outer)
    spec = _spec(types, name, definition)
    if definition.values is None:
        return spec, None
    element = _pointee(types, resolved(types, definition.values.type_id), name)
    if element.kind is Kind.STRUCT:
        inner = _members(types, name, element)
        if inner.values is not None:
            raise MalformedObject(f"map {name!r}: expected inner maps that hold no maps themselves")
        spec = replace(spec, inner=_spec(types, f"{name}.inner", inner))
    elif element.kind is not Kind.FUNC_PROTO:
        raise MalformedObject(
            f"map {name!r}: expected values that are maps or functions, got {element.kind.name}"
        )
    return spec, definition.values


def _members(types: TypeTable, name: str, struct: BtfType) -> _Definition:
    if struct.kind is not Kind.STRUCT:
        raise MalformedObject(f"map {name!r}: expected a struct, got {struct.kind.name}")
    definition = _Definition()
    for member in struct.members:
        if member.name in _NUMBERS or member.name == "map_extra":
            definition.numbers[member.name] = _number(types, name, member)
        elif member.name == "key":
            definition.key_type_id = _described(types, name, member)
        elif member.name == "value":
            definition.value_type_id = _described(types, name, member)
        elif member.name == "values":
            definition.values = member
        else:
            raise MalformedObject(f"map {name!r}: member {member.name!r} is not understood")
    return definition


def _spec(types: TypeTable, name: str, definition: _Definition) -> MapSpec:
    numbers = definition.numbers
    if "type" not in numbers:
        raise MalformedObject(f"map {name!r}: expected a member 'type'")
    return MapSpec(
        name=name,
        map_type=numbers["type"],
        key_size=_size(types, name, numbers.get("key_size"), definition.key_type_id),
        value_size=_size(types, name, numbers.get("value_size"), definition.value_type_id)
        or (4 if definition.values is not None else 0),
        max_entries=numbers.get("max_entries", 0),
        flags=numbers.get("map_flags", 0),
        pinning=numbers.get("pinning", 0),
        origin="btf",
        extra=numbers.get("map_extra", 0),
        numa_node=numbers.get("numa_node"),
        key_type_id=definition.key_type_id,
        value_type_id=definition.value_type_id,
    )


def _size(types: TypeTable, name: str, stated: int | None, type_id: int) -> int:
    if not type_id:
        return stated or 0
    size = size_of(types, type_id)
    if stated is not None and stated != size:
        raise MalformedObject(f"map {name!r}: expected {size} bytes by its type, got {stated}")
    return size


def _number(types: TypeTable, name: str, member: StructMember) -> int:
    found = resolved(types, member.type_id)
    if found.kind is Kind.PTR:
        array = resolved(types, found.refers_to)
        if array.kind is Kind.ARRAY:
            return array.elements
    if found.kind in (Kind.ENUM, Kind.ENUM64) and found.enumerators:
        value = found.enumerators[0].value
        longest = 64 if member.name == "map_extra" else 32
        if 0 <= value < 1 << longest:
            return value
    raise MalformedObject(f"map {name!r}: expected a number as {member.name!r}")


def _described(types: TypeTable, name: str, member: StructMember) -> int:
    pointer = resolved(types, member.type_id)
    if pointer.kind is not Kind.PTR or not pointer.refers_to:
        raise MalformedObject(f"map {name!r}: expected a pointer to a type as {member.name!r}")
    return pointer.refers_to


def _pointee(types: TypeTable, array: BtfType, name: str) -> BtfType:
    if array.kind is Kind.ARRAY:
        pointer = resolved(types, array.refers_to)
        if pointer.kind is Kind.PTR:
            return resolved(types, pointer.refers_to)
    raise MalformedObject(f"map {name!r}: expected an array of pointers as 'values'")


def _extent(types: TypeTable, symbol: Symbol, values: StructMember) -> tuple[int, int]:
    # A flexible array (no element count) takes what the variable has behind the other members.
    elements = resolved(types, values.type_id).elements
    start = symbol.value + values.bit_offset // 8
    return start, max(symbol.value + symbol.size, start + 8 * elements)


def _with_initial(
    elf: ElfFile, spec: MapSpec, start: int, relocations: Mapping[int, RawRelocation]
) -> MapSpec:
    initial: list[tuple[int, str]] = []
    for place, relocation in relocations.items():
        if (place - start) % 8:
            raise MalformedObject(
                f"map {spec.name!r}: expected initial values 8 bytes apart, got one at "
                f"byte {place - start}"
            )
        name = elf.symbol_name(elf.symbols[relocation.symbol])
        initial.append(((place - start) // 8, name))
    return replace(spec, initial=tuple(initial))
