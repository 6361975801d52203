"""An assembler with labels, whose output is a whole ELF object: maps, data, types, CO-RE records.

A :class:`Code` is one function. :class:`Source` is everything that goes into one object file; the
object is read by the same reader as anybody's, so nothing here is known to the analysis.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from tests.builders.btf import BtfBuilder
from tests.builders.elf import (
    ALLOCATED,
    EXECUTABLE,
    NOTYPE,
    OBJECT,
    WRITABLE,
    ElfBuilder,
)
from tests.builders.elf import LOCAL as LOCAL_SYMBOL

LDDW = 0x18
CALL = 0x85
EXIT = Instruction(0x95)
SIGNED = 1 << 24
_LOADS = {4: 0x61, 2: 0x69, 1: 0x71, 8: 0x79}
_STORES = {4: 0x63, 2: 0x6B, 1: 0x73, 8: 0x7B}
_STORES_OF_NUMBERS = {4: 0x62, 2: 0x6A, 1: 0x72, 8: 0x7A}
CONDITIONS = {
    "==": 0x15, ">": 0x25, ">=": 0x35, "&": 0x45, "!=": 0x55, "s>": 0x65, "s>=": 0x75,
    "<": 0xA5, "<=": 0xB5, "s<": 0xC5, "s<=": 0xD5,
}  # fmt: skip


def signed32(value: int) -> int:
    """As an immediate: the same 32 bits."""
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


@dataclass(frozen=True)
class Record:
    """A CO-RE record; ``access`` as in the object (``0:1``)."""

    type_id: int
    access: str
    kind: int


@dataclass
class _Line:
    instruction: Instruction
    jump_to: str = ""
    symbol: str = ""
    record: Record | None = None


@dataclass
class Code:
    """One function, built line by line."""

    name: str
    section: str
    lines: list[_Line] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    _fresh: int = 0

    def emit(
        self, opcode: int, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0
    ) -> None:
        self.lines.append(_Line(Instruction(opcode, dst, src, offset, signed32(immediate))))

    def mov(self, register: int, value: int) -> None:
        self.emit(0xB7, register, immediate=value)

    def copy(self, register: int, source: int) -> None:
        self.emit(0xBF, register, source)

    def add(self, register: int, value: int) -> None:
        self.emit(0x07, register, immediate=value)

    def bits(self, register: int, mask: int) -> None:
        self.emit(0x57, register, immediate=mask)

    def load(self, size: int, register: int, base: int, offset: int = 0) -> None:
        self.emit(_LOADS[size], register, base, offset)

    def store(self, size: int, base: int, offset: int, register: int) -> None:
        self.emit(_STORES[size], base, register, offset)

    def put(self, size: int, base: int, offset: int, value: int) -> None:
        self.emit(_STORES_OF_NUMBERS[size], base, 0, offset, value)

    def stack_address(self, register: int, offset: int) -> None:
        self.copy(register, 10)
        self.add(register, offset)

    def wide(self, register: int, value: int) -> None:
        self.emit(LDDW, register, immediate=value)
        self.emit(0, immediate=value >> 32)

    def map(self, register: int, name: str) -> None:
        self._refer(LDDW, register, name)
        self.emit(0)

    def data(self, register: int, variable: str, offset: int = 0) -> None:
        self._refer(LDDW, register, variable, immediate=offset)
        self.emit(0)

    def function(self, register: int, name: str) -> None:
        self._refer(LDDW, register, name, src=4)
        self.emit(0)

    def helper(self, number: int) -> None:
        self.emit(CALL, immediate=number)

    def call(self, name: str) -> None:
        """A function of this object or of the kernel."""
        self._refer(CALL, 0, name, src=1, immediate=-1)

    def exit(self) -> None:
        self.lines.append(_Line(EXIT))

    def if_number(self, condition: str, register: int, value: int, label: str) -> None:
        self._jump(CONDITIONS[condition], register, 0, value, label)

    def if_register(self, condition: str, register: int, other: int, label: str) -> None:
        self._jump(CONDITIONS[condition] | 8, register, other, 0, label)

    def jump(self, label: str) -> None:
        self._jump(0x05, 0, 0, 0, label)

    def label(self, name: str) -> None:
        self.labels[name] = len(self.lines)

    def fresh(self) -> str:
        self._fresh += 1
        return f"{self.name}.{self._fresh}"

    def recorded(self, record: Record) -> None:
        """The last line (the first half of a wide load) has a CO-RE record."""
        line = self.lines[-1]
        if line.instruction.opcode == 0:
            line = self.lines[-2]
        line.record = record

    def _refer(self, opcode: int, dst: int, name: str, *, src: int = 0, immediate: int = 0) -> None:
        self.lines.append(_Line(Instruction(opcode, dst, src, 0, immediate), symbol=name))

    def _jump(self, opcode: int, dst: int, src: int, value: int, label: str) -> None:
        instruction = Instruction(opcode, dst, src, 0, signed32(value))
        self.lines.append(_Line(instruction, jump_to=label))

    def instructions(self) -> list[Instruction]:
        """With the distances of jumps put in."""
        return [
            line.instruction._replace(offset=self.labels[line.jump_to] - slot - 1)
            if line.jump_to
            else line.instruction
            for slot, line in enumerate(self.lines)
        ]


@dataclass(frozen=True)
class MapShape:
    """A map as the record of section ``maps`` has it."""

    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0


@dataclass(frozen=True)
class Variable:
    """A global variable in ``.rodata``, ``.data`` or ``.bss``."""

    section: str
    data: bytes


@dataclass
class Source:
    """An object before it is one."""

    licence: str = "GPL"
    functions: list[Code] = field(default_factory=list)
    maps: dict[str, MapShape] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    kernel_functions: dict[str, int] = field(default_factory=dict)
    kernel_variables: dict[str, int] = field(default_factory=dict)
    types: BtfBuilder = field(default_factory=BtfBuilder)

    def build(self) -> bytes:
        """The ELF file; once only, it adds to the types."""
        elf = ElfBuilder()
        elf.section("license", self.licence.encode() + b"\0", flags=ALLOCATED | WRITABLE)
        symbols = self._maps(elf) | self._data(elf)
        declared = {**self.kernel_functions, **self.kernel_variables}
        if declared:
            entries = [(type_id, 0, 4) for type_id in declared.values()]
            self.types.datasec(".ksyms", entries)
            for name in declared:
                symbols[name] = elf.symbol(name, 0, kind=NOTYPE)
        by_section: dict[str, list[Code]] = {}
        for code in self.functions:
            by_section.setdefault(code.section, []).append(code)
        places: list[tuple[int, int, Code]] = []
        function_records: list[tuple[str, list[tuple[int, ...]]]] = []
        for section, codes in by_section.items():
            everything: list[Instruction] = []
            records: list[tuple[int, ...]] = []
            starts = []
            for code in codes:
                starts.append(len(everything))
                everything += code.instructions()
            number = elf.code(section, everything)
            for code, start in zip(codes, starts, strict=True):
                is_main = section != ".text"
                symbols[code.name] = elf.symbol(
                    code.name,
                    number,
                    start * 8,
                    size=len(code.lines) * 8,
                    **({} if is_main else {"binding": LOCAL_SYMBOL}),
                )
                places.append((number, start, code))
                records.append((start * 8, self._function_type(code.name, is_main=is_main)))
            function_records.append((section, records))
        core: dict[str, list[tuple[int, ...]]] = {}
        for number, start, code in places:
            for slot, line in enumerate(code.lines):
                place = (start + slot) * 8
                if line.symbol:
                    elf.relocate(number, place, symbols[line.symbol], 10 if _is_call(line) else 1)
                if line.record is not None:
                    each = line.record
                    access = self.types.string(each.access)
                    entry = (place, each.type_id, access, each.kind)
                    core.setdefault(code.section, []).append(entry)
        extension = self.types.extension(functions=function_records, core=list(core.items()))
        elf.section(".BTF", self.types.build())
        elf.section(".BTF.ext", extension)
        return elf.build()

    def _function_type(self, name: str, *, is_main: bool) -> int:
        number = self.types.raw(Kind.INT, "int", value=4, tail=[SIGNED | 32])
        prototype = self.types.raw(Kind.FUNC_PROTO, value=number)
        return self.types.raw(Kind.FUNC, name, count=1 if is_main else 0, value=prototype)

    def _maps(self, elf: ElfBuilder) -> dict[str, int]:
        if not self.maps:
            return {}
        data = b"".join(
            struct.pack("<5I", m.map_type, m.key_size, m.value_size, m.max_entries, m.flags)
            for m in self.maps.values()
        )
        number = elf.data("maps", data)
        return {
            name: elf.symbol(name, number, index * 20, size=20, kind=OBJECT)
            for index, name in enumerate(self.maps)
        }

    def _data(self, elf: ElfBuilder) -> dict[str, int]:
        sections: dict[str, list[tuple[str, bytes]]] = {}
        for name, variable in self.variables.items():
            sections.setdefault(variable.section, []).append((name, variable.data))
        symbols = {}
        for section, variables in sections.items():
            content = b""
            offsets = []
            for _name, data in variables:
                offsets.append(len(content))
                content += data + bytes(-len(data) % 8)
            flags = ALLOCATED if section.startswith(".rodata") else ALLOCATED | WRITABLE
            number = elf.section(section, content, flags=flags)
            for (name, data), offset in zip(variables, offsets, strict=True):
                symbols[name] = elf.symbol(name, number, offset, size=len(data), kind=OBJECT)
        return symbols


def _is_call(line: _Line) -> bool:
    return line.instruction.opcode == CALL


def plain(codes: Sequence[Code]) -> list[Instruction]:
    """All instructions in order, for a listing."""
    return [each for code in codes for each in code.instructions()]


__all__ = ["EXECUTABLE", "Code", "MapShape", "Record", "Source", "Variable", "plain", "signed32"]
