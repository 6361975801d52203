"""One eBPF instruction slot as a value, and the bytes it stands for.

A slot is eight bytes. ``lddw`` takes two slots; the second has opcode 0 and carries the upper
half of the immediate. Everything is counted in slots, because jumps are.

Source: RFC 9669, section 3.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from skep.errors import Malformed

SLOT_BYTES = 8


class Instruction(NamedTuple):
    """One slot.

    Attributes:
        opcode: 0-255; class in the three low bits.
        dst: destination register, 0-15 as encoded (above 10 is refused by readers).
        src: source register or pseudo source, 0-15 as encoded.
        offset: signed 16 bits.
        immediate: signed 32 bits.
    """

    opcode: int
    dst: int = 0
    src: int = 0
    offset: int = 0
    immediate: int = 0


_SLOT = {"little": struct.Struct("<BBhi"), "big": struct.Struct(">BBhi")}


def decode(data: bytes, byteorder: str = "little") -> list[Instruction]:
    """Read slots; ``encode(decode(data)) == data`` for every multiple of eight bytes.

    Args:
        byteorder: ``little`` or ``big``; in big-endian code the register nibbles swap too.

    Raises:
        Malformed: if ``data`` is not a whole number of slots.
    """
    if len(data) % SLOT_BYTES:
        raise Malformed(f"expected instructions of {SLOT_BYTES} bytes each, got {len(data)} bytes")
    # Compilers repeat themselves: equal slots become one value, which saves time and memory.
    words = struct.unpack(f"{len(data) // SLOT_BYTES}Q", data)
    distinct = dict.fromkeys(words)
    slots = _SLOT[byteorder].iter_unpack(struct.pack(f"{len(distinct)}Q", *distinct))
    if byteorder == "little":
        made = [Instruction(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in slots]
    else:
        made = [Instruction(op, regs >> 4, regs & 15, off, imm) for op, regs, off, imm in slots]
    found = dict(zip(distinct, made, strict=True))
    return list(map(found.__getitem__, words))


def encode(instructions: Iterable[Instruction], byteorder: str = "little") -> bytes:
    """Write slots."""
    pack = _SLOT[byteorder].pack
    if byteorder == "little":
        return b"".join(pack(op, src << 4 | dst, o, i) for op, dst, src, o, i in instructions)
    return b"".join(pack(op, dst << 4 | src, o, i) for op, dst, src, o, i in instructions)
