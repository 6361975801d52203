"""Code sections, decoded in bulk and checked as far as every later stage relies on it.

What is checked here holds for every ``Function`` of an ``ObjectFile``: registers exist, ALU
operations exist, and a 64-bit load has both of its slots.
"""

from dataclasses import dataclass

from skep.bytecode.isa.codes import CALL, LDDW, MOST_INSTRUCTIONS
from skep.bytecode.isa.fields import ALU, ALU64, END
from skep.bytecode.isa.instructions import SLOT_BYTES, Instruction, decode
from skep.bytecode.objectfile.elf import ElfFile, Section
from skep.bytecode.objectfile.errors import MalformedObject

_HIGHEST_REGISTER = 10
_REGISTER_BYTES = bytes(
    high << 4 | low for high in range(_HIGHEST_REGISTER + 1) for low in range(_HIGHEST_REGISTER + 1)
)
_OPCODES = bytes(
    opcode for opcode in range(256) if opcode & 7 not in (ALU, ALU64) or opcode & 0xF0 <= END
)


@dataclass(frozen=True, slots=True)
class Code:
    """One code section.

    Attributes:
        section: where it is from.
        instructions: all of its slots.
        calls: slots with opcode 0x85, ascending.
        wide: first slots of 64-bit loads, ascending.
    """

    section: Section
    instructions: tuple[Instruction, ...]
    calls: tuple[int, ...]
    wide: tuple[int, ...]


def read_code(elf: ElfFile) -> dict[int, Code]:
    """Code sections by number, in order of the file.

    Raises:
        MalformedObject: for more than a million instructions, two code sections of one name,
            half instructions, registers above 10, ALU operations above 0xd0 and cut 64-bit loads.
    """
    sections = [section for section in elf.sections if section.is_code]
    total = sum(section.size for section in sections) // SLOT_BYTES
    if total > MOST_INSTRUCTIONS:
        raise MalformedObject(
            f"expected at most {MOST_INSTRUCTIONS} instructions, got {total}",
            offset=sections[0].offset,
        )
    names: set[str] = set()
    found: dict[int, Code] = {}
    for section in sections:
        if section.name in names:
            # Types, functions and records name sections, not numbers: two would be mixed up.
            raise MalformedObject(
                f"expected one code section {section.name!r}, got two", offset=section.offset
            )
        names.add(section.name)
        found[section.number] = _read(elf, section)
    return found


def _read(elf: ElfFile, section: Section) -> Code:
    data = elf.content(section)
    if len(data) % SLOT_BYTES:
        raise MalformedObject(
            f"expected instructions of {SLOT_BYTES} bytes in {section.name!r}, got {len(data)} "
            "bytes",
            offset=section.offset,
        )
    opcodes = data[::SLOT_BYTES]
    registers = data[1::SLOT_BYTES]
    _check(section, registers, _REGISTER_BYTES, "registers from 0 to 10")
    _check(section, opcodes, _OPCODES, "ALU operations up to 0xd0")
    return Code(
        section=section,
        instructions=tuple(decode(data, elf.byteorder)),
        calls=_places(opcodes, CALL),
        wide=_wide(section, data, opcodes),
    )


def _check(section: Section, found: bytes, allowed: bytes, expected: str) -> None:
    wrong = found.translate(None, allowed)
    if wrong:
        slot = found.index(wrong[0])
        raise MalformedObject(
            f"expected {expected}, got 0x{wrong[0]:02x} in instruction {slot} of {section.name!r}",
            offset=section.offset + SLOT_BYTES * slot,
        )


def _wide(section: Section, data: bytes, opcodes: bytes) -> tuple[int, ...]:
    places = _places(opcodes, LDDW)
    for slot in places:
        # The second slot carries nothing but the upper half of the immediate.
        second = data[SLOT_BYTES * (slot + 1) : SLOT_BYTES * (slot + 1) + 4]
        if second != b"\0\0\0\0":
            raise MalformedObject(
                f"expected the second half of a 64-bit load after instruction {slot} "
                f"of {section.name!r}",
                offset=section.offset + SLOT_BYTES * (slot + 1),
            )
    return places


def _places(opcodes: bytes, wanted: int) -> tuple[int, ...]:
    found: list[int] = []
    slot = opcodes.find(wanted)
    while slot != -1:
        found.append(slot)
        slot = opcodes.find(wanted, slot + 1)
    return tuple(found)
