"""What the relocations of code, and the calls without one, refer to.

Sources: Documentation/bpf/llvm_reloc.rst and tools/lib/bpf/libbpf.c
(``bpf_program__record_reloc``) of Linux 6.18; real objects of five compilers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import CALL, LDDW, PSEUDO_CALL, PSEUDO_FUNCTION
from skep.bytecode.isa.instructions import SLOT_BYTES
from skep.bytecode.objectfile.code import Code
from skep.bytecode.objectfile.elf import SECTION, UNDEFINED, WEAK, ElfFile, Symbol
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import Extern, MapSpec
from skep.bytecode.objectfile.relocations import RawRelocation, relocations_of


class CodePlace(NamedTuple):
    """A slot in a code section."""

    section: int
    slot: int


class SymbolReference(NamedTuple):
    """An instruction and what it names.

    Attributes:
        slot: in its section.
        kind: as in :class:`skep.bytecode.objectfile.model.Relocation`.
        name: map or extern name; empty if ``target`` says it.
        addend: byte offset in a data map.
        target: the function that is called or whose address is taken.
    """

    slot: int
    kind: Literal["map", "map_value", "call", "function_address", "extern_call", "extern_address"]
    name: str = ""
    addend: int = 0
    target: CodePlace | None = None


@dataclass(slots=True)
class Named:
    """Everything code can name.

    Attributes:
        maps: per section, by byte offset.
        data: data maps by section.
        code: code by section.
        declared: kinds of the externs that BTF declares.
        externs: filled while references are read.
        remarks: the same.
    """

    maps: Mapping[int, Mapping[int, MapSpec]]
    data: Mapping[int, MapSpec]
    code: Mapping[int, Code]
    declared: Mapping[str, Literal["kfunc", "kernel_variable", "kconfig"]]
    externs: dict[str, Extern] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def declared_externs(
    types: TypeTable | None,
) -> dict[str, Literal["kfunc", "kernel_variable", "kconfig"]]:
    """Externs in the DATASECs ``.ksyms`` and ``.kconfig``, with their kind."""
    found: dict[str, Literal["kfunc", "kernel_variable", "kconfig"]] = {}
    if types is None:
        return found
    for section in types.find(".ksyms", Kind.DATASEC):
        for entry in types.type(section).variables:
            declared = types.type(entry.type_id)
            found[declared.name] = "kfunc" if declared.kind is Kind.FUNC else "kernel_variable"
    for section in types.find(".kconfig", Kind.DATASEC):
        for entry in types.type(section).variables:
            found[types.type(entry.type_id).name] = "kconfig"
    return found


def read_references(elf: ElfFile, code: Code, named: Named) -> list[SymbolReference]:
    """References of one code section, ascending by slot.

    Raises:
        MalformedObject: for a relocation of anything but a call or a 64-bit load, a place where
            there is no map, or a target outside the code.
    """
    relocations = relocations_of(elf, code.section)
    found = [_relocated(elf, code, named, entry) for entry in relocations.items()]
    found.extend(_resolved_by_compiler(code, relocations))
    found.sort()
    for reference in found:
        if reference.target is not None:
            _check_target(code, named, reference.slot, reference.target)
    return found


def _relocated(
    elf: ElfFile, code: Code, named: Named, entry: tuple[int, RawRelocation]
) -> SymbolReference:
    place, relocation = entry
    slot, rest = divmod(place, SLOT_BYTES)
    opcode = code.instructions[slot].opcode
    if rest or opcode not in (CALL, LDDW):
        raise MalformedObject(
            f"expected relocations of calls and 64-bit loads, got one at byte {place} "
            f"of {code.section.name!r}",
            offset=code.section.offset + place,
        )
    symbol = elf.symbols[relocation.symbol]
    if symbol.section == UNDEFINED:
        return _extern(elf, code, symbol, slot, named)
    if symbol.section in named.code:
        if opcode == CALL:
            return _call(code, slot, symbol, relocation)
        place = symbol.value + _immediate(code, slot, relocation)
        target = CodePlace(symbol.section, _whole_slots(code, slot, place))
        return SymbolReference(slot, "function_address", target=target)
    if opcode == LDDW:
        if symbol.section in named.maps:
            return _map(code, slot, symbol, relocation, named.maps[symbol.section])
        if symbol.section in named.data:
            base = 0 if symbol.kind == SECTION else symbol.value
            name = named.data[symbol.section].name
            return SymbolReference(
                slot, "map_value", name, addend=base + _immediate(code, slot, relocation)
            )
    return _extern(elf, code, symbol, slot, named)


def _extern(elf: ElfFile, code: Code, symbol: Symbol, slot: int, named: Named) -> SymbolReference:
    name = elf.symbol_name(symbol)
    if not name and 0 < symbol.section < len(elf.sections):
        name = elf.sections[symbol.section].name
    if not name:
        raise MalformedObject(
            f"expected relocations with named symbols, got none for slot {slot}",
            offset=code.section.offset + SLOT_BYTES * slot,
        )
    if name not in named.externs:
        kind: Literal["kfunc", "kernel_variable", "kconfig", "undeclared"] = "undeclared"
        if symbol.section == UNDEFINED:
            kind = named.declared.get(name, "undeclared")
        else:
            named.remarks.append(f"code refers to {name!r}, which is neither map, data nor code")
        named.externs[name] = Extern(name, kind, is_weak=symbol.binding == WEAK)
    is_call = code.instructions[slot].opcode == CALL
    return SymbolReference(slot, "extern_call" if is_call else "extern_address", name)


def _call(code: Code, slot: int, symbol: Symbol, relocation: RawRelocation) -> SymbolReference:
    if relocation.addend is None:
        # The immediate counts from the instruction behind the call: -1 is the symbol itself.
        target = symbol.value // SLOT_BYTES + code.instructions[slot].immediate + 1
    else:
        target = _whole_slots(code, slot, symbol.value + relocation.addend)
    return SymbolReference(slot, "call", target=CodePlace(symbol.section, target))


def _map(
    code: Code, slot: int, symbol: Symbol, relocation: RawRelocation, maps: Mapping[int, MapSpec]
) -> SymbolReference:
    place = symbol.value
    if symbol.kind == SECTION:
        place += _immediate(code, slot, relocation)
    spec = maps.get(place)
    if spec is None:
        raise MalformedObject(
            f"expected a map at byte {place} of its section, named by instruction {slot} "
            f"of {code.section.name!r}",
            offset=code.section.offset + SLOT_BYTES * slot,
        )
    return SymbolReference(slot, "map", spec.name)


def _immediate(code: Code, slot: int, relocation: RawRelocation) -> int:
    """The addend in bytes: stated, or what the 64-bit load holds, read as signed."""
    if relocation.addend is not None:
        return relocation.addend
    low = code.instructions[slot].immediate & 0xFFFFFFFF
    high = code.instructions[slot + 1].immediate
    # Compilers sign-extend nothing: a negative low half with a zero high half is a large offset.
    return high << 32 | low


def _whole_slots(code: Code, slot: int, place: int) -> int:
    if place % SLOT_BYTES:
        raise MalformedObject(
            f"expected the address of an instruction, got byte {place} in instruction {slot} "
            f"of {code.section.name!r}",
            offset=code.section.offset + SLOT_BYTES * slot,
        )
    return place // SLOT_BYTES


def _resolved_by_compiler(
    code: Code, relocations: Mapping[int, RawRelocation]
) -> Iterator[SymbolReference]:
    instructions = code.instructions
    section = code.section.number
    for slot in code.calls:
        if instructions[slot].src == PSEUDO_CALL and slot * SLOT_BYTES not in relocations:
            target = CodePlace(section, slot + instructions[slot].immediate + 1)
            yield SymbolReference(slot, "call", target=target)
    for slot in code.wide:
        if instructions[slot].src == PSEUDO_FUNCTION and slot * SLOT_BYTES not in relocations:
            target = CodePlace(section, slot + instructions[slot].immediate + 1)
            yield SymbolReference(slot, "function_address", target=target)


def _check_target(code: Code, named: Named, slot: int, target: CodePlace) -> None:
    length = len(named.code[target.section].instructions)
    if not 0 <= target.slot < length:
        raise MalformedObject(
            f"expected a function inside its section of {length} instructions, got {target.slot} "
            f"in instruction {slot} of {code.section.name!r}",
            offset=code.section.offset + SLOT_BYTES * slot,
        )
