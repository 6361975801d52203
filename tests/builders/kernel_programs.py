"""Small eBPF programs as instruction tuples, for tests that load them."""

import struct

from skep.bytecode.isa.codes import LDDW, PSEUDO_MAP_INDEX, PSEUDO_MAP_INDEX_VALUE
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import MapPlan, ProgramPlan

XDP = 6
ATTACH_XDP = 37
HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LPM_TRIE, RINGBUF = 1, 2, 5, 6, 11, 27
ABORTED, DROP, PASS, TX = 0, 1, 2, 3

EXIT = Instruction(0x95)


def program(
    name: str = "verdict", *instructions: Instruction, licence: str = "Dual BSD/GPL"
) -> ProgramPlan:
    """An XDP program of these instructions; without any it passes everything."""
    return ProgramPlan(
        name=name,
        program_type=XDP,
        attach_type=ATTACH_XDP,
        flags=0,
        licence=licence,
        instructions=instructions or returning(PASS),
    )


def returning(verdict: int) -> tuple[Instruction, ...]:
    """``return verdict``."""
    return (Instruction(0xB7, 0, 0, 0, verdict), EXIT)


def array(name: str = "counts", value_size: int = 8, entries: int = 1) -> MapPlan:
    """An array map."""
    return MapPlan(name, ARRAY, 4, value_size, entries)


def counting(verdict: int, map_index: int = 0, increment: int = 1) -> tuple[Instruction, ...]:
    """Add to the 64-bit number at key 0 of a map, then ``return verdict``; 8 bytes of stack."""
    return (
        Instruction(0x62, 10, 0, -4, 0),  # *(u32 *)(r10 - 4) = 0
        Instruction(0xBF, 2, 10),
        Instruction(0x07, 2, 0, 0, -4),
        Instruction(LDDW, 1, PSEUDO_MAP_INDEX, 0, map_index),
        Instruction(0),
        Instruction(0x85, 0, 0, 0, 1),  # map_lookup_elem
        Instruction(0x15, 0, 0, 2, 0),
        Instruction(0xB7, 1, 0, 0, increment),
        Instruction(0xDB, 0, 1, 0, 0),  # lock *(u64 *)(r0 + 0) += r1
        *returning(verdict),
    )


def reading(map_index: int, offset: int = 0) -> tuple[Instruction, ...]:
    """``return *(u32 *)(address of the map's value + offset)``."""
    return (
        Instruction(LDDW, 1, PSEUDO_MAP_INDEX_VALUE, 0, map_index),
        Instruction(0, 0, 0, 0, offset),
        Instruction(0x61, 0, 1, 0, 0),
        EXIT,
    )


def requiring_constant(map_index: int) -> tuple[Instruction, ...]:
    """Store at ``r10 - 8 - n``, ``n`` from a map: accepted only if the verifier knows ``n``."""
    return (
        Instruction(LDDW, 1, PSEUDO_MAP_INDEX_VALUE, 0, map_index),
        Instruction(0),
        Instruction(0x61, 3, 1, 0, 0),  # r3 = n
        Instruction(0xBF, 2, 10),
        Instruction(0x87, 3),  # r3 = -n; subtracting from the stack pointer is forbidden
        Instruction(0x0F, 2, 3),
        Instruction(0xB7, 0, 0, 0, PASS),
        Instruction(0x7B, 2, 0, -8, 0),  # *(u64 *)(r2 - 8) = r0
        EXIT,
    )


def writing_first_byte(value: int, verdict: int) -> tuple[Instruction, ...]:
    """Write the first byte of the packet."""
    return (
        Instruction(0x61, 2, 1, 0, 0),  # data
        Instruction(0x61, 3, 1, 4, 0),  # data_end
        Instruction(0xBF, 4, 2),
        Instruction(0x07, 4, 0, 0, 14),
        Instruction(0x2D, 4, 3, 1, 0),  # if data + 14 > data_end skip
        Instruction(0x72, 2, 0, 0, value),
        *returning(verdict),
    )


def uninitialised() -> tuple[Instruction, ...]:
    """``exit`` without a return value: the shortest refusal."""
    return (EXIT,)


def long_refusal(jumps: int = 1500) -> tuple[Instruction, ...]:
    """A refusal whose trace is far longer than the first log buffer."""
    steps = tuple(Instruction(0x07, 6, 0, 0, 1) for _ in range(jumps))
    return (Instruction(0xB7, 6, 0, 0, 0), *steps, EXIT)


def key(number: int) -> bytes:
    """A 32-bit key."""
    return struct.pack("=I", number)


def number(value: bytes | None) -> int:
    """The 64-bit number in a value."""
    assert value is not None
    return int(struct.unpack("=Q", value)[0])
