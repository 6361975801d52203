"""A program as a listing: instructions as the verifier prints them, sources, labels and names.

Slots are those of the loaded program: the entry first, every function it needs once behind it,
in the order in which the linker lays them out. Nothing is relocated: what only a kernel knows
(CO-RE, kernel functions) stands there by name or as the compiler wrote it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skep.bytecode.isa.codes import LDDW
from skep.bytecode.isa.disassembling import text_of
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.layout import needed_functions
from skep.bytecode.objectfile.model import Function, ObjectFile, Relocation, SourceLine


@dataclass(frozen=True, slots=True)
class ListedInstruction:
    """One instruction of a listing.

    Attributes:
        slot: in the whole program.
        own_slot: in its function.
        opcode: 0-255.
        text: as the verifier prints it, with names for maps, variables and kernel functions.
        label: the local function that it calls or takes the address of; empty if none.
        source: the line of source that begins here, ``None`` if none does.
    """

    slot: int
    own_slot: int
    opcode: int
    text: str
    label: str = ""
    source: SourceLine | None = None


@dataclass(frozen=True, slots=True)
class ListedFunction:
    """One function of a listing."""

    name: str
    start: int
    instructions: tuple[ListedInstruction, ...]


def printable(text: str) -> str:
    """Foreign text with nothing in it that moves a cursor or breaks a line."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def source_text(line: SourceLine) -> str:
    """A line of source as the verifier quotes it: ``text @ file:line``."""
    name = line.file.rpartition("/")[2]
    return printable(f"{line.text.strip().replace(chr(9), ' ')} @ {name}:{line.line}")


def list_program(object_file: ObjectFile, entry: str) -> tuple[ListedFunction, ...]:
    """The functions of the program ``entry``, entry first."""
    functions = {function.name: function for function in object_file.functions}
    needed = needed_functions(entry, functions)
    starts: dict[str, int] = {}
    length = 0
    for function in needed:
        starts[function.name] = length
        length += len(function.instructions)
    sources: dict[str, dict[int, SourceLine]] = {}
    for line in object_file.source_lines:
        if line.function in starts:
            sources.setdefault(line.function, {})[line.slot] = line
    return tuple(
        ListedFunction(
            printable(function.name),
            starts[function.name],
            tuple(_listed(function, starts, sources.get(function.name, {}))),
        )
        for function in needed
    )


def _listed(
    function: Function, starts: Mapping[str, int], sources: Mapping[int, SourceLine]
) -> Iterator[ListedInstruction]:
    code = function.instructions
    relocations = {each.slot: each for each in function.relocations}
    start = starts[function.name]
    slot = 0
    while slot < len(code):
        instruction = code[slot]
        wide = instruction.opcode == LDDW and slot + 1 < len(code)
        text, label = _text(
            instruction, code[slot + 1].immediate if wide else 0, relocations.get(slot), starts,
            start + slot,
        )  # fmt: skip
        yield ListedInstruction(
            start + slot, slot, instruction.opcode, text, label, sources.get(slot)
        )
        slot += 2 if wide else 1


def _text(
    instruction: Instruction,
    upper: int,
    relocation: Relocation | None,
    starts: Mapping[str, int],
    slot: int,
) -> tuple[str, str]:
    if relocation is None:
        return text_of(instruction, upper), ""
    name = printable(relocation.name)
    register = f"r{instruction.dst}"
    match relocation.kind:
        case "call":
            return f"call pc{starts[relocation.name] - slot - 1:+d}", name
        case "function_address":
            return f"{register} = subprog[{starts[relocation.name] - slot - 1:+d}]", name
        case "map":
            return f"{register} = map[{name}]", ""
        case "map_value":
            return f"{register} = map[{name}][0]{relocation.addend:+d}", ""
        case "extern_call":
            return f"call {name}", ""
        case _:
            return f"{register} = kernel[{name}]", ""
