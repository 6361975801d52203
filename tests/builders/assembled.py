"""Object files as values, from instructions written one by one.

A listing is a sequence of instructions; a name of a map, function or extern goes into it as a
:class:`Reference`, which becomes an instruction and its relocation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import (
    Extern,
    Function,
    MapSpec,
    ObjectFile,
    ProgramSpec,
    Relocation,
)

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


@dataclass(frozen=True)
class Reference:
    """An instruction (or an ``lddw``) that names something."""

    instruction: Instruction
    kind: Literal["map", "map_value", "call", "function_address", "extern_call", "extern_address"]
    name: str
    addend: int = 0


Line = Instruction | Reference
Part = Line | Sequence["Part"]
Listing = list[Part]
EXIT = Instruction(0x95)


def mov(register: int, value: int) -> Instruction:
    return Instruction(0xB7, register, 0, 0, value)


def mov32(register: int, value: int) -> Instruction:
    return Instruction(0xB4, register, 0, 0, value)


def copy(register: int, source: int) -> Instruction:
    return Instruction(0xBF, register, source)


def add(register: int, value: int) -> Instruction:
    return Instruction(0x07, register, 0, 0, value)


def alu(opcode: int, register: int, value: int = 0, source: int = 0) -> Instruction:
    return Instruction(opcode, register, source, 0, value)


def load(size: int, register: int, base: int, offset: int = 0) -> Instruction:
    return Instruction({4: 0x61, 2: 0x69, 1: 0x71, 8: 0x79}[size], register, base, offset)


def store(size: int, base: int, offset: int, register: int) -> Instruction:
    return Instruction({4: 0x63, 2: 0x6B, 1: 0x73, 8: 0x7B}[size], base, register, offset)


def call(helper: int) -> Instruction:
    return Instruction(0x85, 0, 0, 0, helper)


def local(name: str) -> Reference:
    return Reference(Instruction(0x85, 0, 1, 0, -1), "call", name)


def kernel_call(name: str) -> Reference:
    return Reference(Instruction(0x85, 0, 1, 0, -1), "extern_call", name)


def map_address(register: int, name: str) -> Reference:
    return Reference(Instruction(0x18, register), "map", name)


def value_address(register: int, name: str, offset: int = 0) -> Reference:
    return Reference(Instruction(0x18, register), "map_value", name, offset)


def function_address(register: int, name: str) -> Reference:
    return Reference(Instruction(0x18, register), "function_address", name)


def symbol_address(register: int, name: str) -> Reference:
    return Reference(Instruction(0x18, register), "extern_address", name)


def wide(register: int, value: int) -> list[Line]:
    low = value & 0xFFFF_FFFF
    high = value >> 32 & 0xFFFF_FFFF
    as_signed = [n - (1 << 32) if n >> 31 else n for n in (low, high)]
    return [Instruction(0x18, register, 0, 0, as_signed[0]), Instruction(0, 0, 0, 0, as_signed[1])]


def jump(distance: int) -> Instruction:
    return Instruction(0x05, 0, 0, distance)


def jump_if_equal(register: int, value: int, distance: int) -> Instruction:
    return Instruction(0x15, register, 0, distance, value)


def jump_if_not_equal(register: int, value: int, distance: int) -> Instruction:
    return Instruction(0x55, register, 0, distance, value)


def leave(value: int) -> list[Line]:
    return [mov(R0, value), EXIT]


def flat(parts: Sequence[Part]) -> list[Line]:
    """All lines of nested listings, in order."""
    lines: list[Line] = []
    for part in parts:
        lines.extend([part] if isinstance(part, Instruction | Reference) else flat(part))
    return lines


def function(name: str, *listing: Part, section: str = ".text", section_slot: int = 0) -> Function:
    """A function; an ``lddw`` that refers to something gets its second half here."""
    lines = flat(listing)
    code: list[Instruction] = []
    relocations: list[Relocation] = []
    for line in lines:
        if isinstance(line, Reference):
            relocations.append(Relocation(len(code), line.kind, line.name, line.addend))
            code.append(line.instruction)
            if line.instruction.opcode == 0x18:
                code.append(Instruction(0))
        else:
            code.append(line)
    return Function(name, section, section_slot, tuple(code), tuple(relocations))


def hash_map(name: str = "flows", map_type: int = 1, max_entries: int = 16) -> MapSpec:
    return MapSpec(name, map_type, 4, 8, max_entries)


def object_file(
    functions: Sequence[Function],
    programs: Sequence[ProgramSpec],
    maps: Sequence[MapSpec] = (),
    licence: str | None = "GPL",
    externs: Sequence[Extern] = (),
) -> ObjectFile:
    return ObjectFile(
        byteorder="little",
        functions=tuple(functions),
        programs=tuple(programs),
        maps=tuple(maps),
        variables=(),
        externs=tuple(extern.name for extern in externs),
        licence=licence,
        extern_details=tuple(externs),
    )


def one_program(
    *listing: Part,
    program_type: str | None = "XDP",
    attach_type: str | None = None,
    section: str = "xdp",
    others: Sequence[Function] = (),
    maps: Sequence[MapSpec] = (),
    licence: str | None = "GPL",
    externs: Sequence[Extern] = (),
    is_sleepable: bool = False,
) -> ObjectFile:
    """An object with one program called ``main``."""
    target = section.partition("/")[2]
    return object_file(
        [function("main", *listing, section=section), *others],
        [
            ProgramSpec(
                "main", section, program_type, attach_type, target, is_sleepable=is_sleepable
            )
        ],
        maps,
        licence,
        externs,
    )


def confidence(report: AnalysisReport, permission: str) -> str | None:
    """Of a permission of the program ``main``, ``None`` if it is not even listed."""
    for each in report.program("main").permissions:
        if each.id == permission:
            return each.confidence
    return None


def permission(report: AnalysisReport, permission_id: str) -> Permission | None:
    for each in report.permissions:
        if each.id == permission_id:
            return each
    return None


def permissions(report: AnalysisReport) -> dict[str, str]:
    """Confidence by id, of the whole object."""
    return {each.id: each.confidence for each in report.permissions}


def analysed(*listing: Part, **settings: object) -> AnalysisReport:
    """Report of an object with one program; see :func:`one_program`."""
    return analyse(one_program(*listing, **settings))  # type: ignore[arg-type]
