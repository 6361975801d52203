"""What the bits of an opcode say: class, operation or size and mode, source.

Every table of arithmetic, comparisons and memory accesses is made of these numbers.

Source: RFC 9669, sections 3.1, 4.1, 4.3 and 5; ``BPF_LOAD_ACQ``, ``BPF_STORE_REL``:
include/uapi/linux/bpf.h of Linux 6.15.
"""

CLASS = 0x07
"""Bits of the class."""
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)

BY_REGISTER = 0x08
"""In arithmetic and jumps: the other side is a register, not the immediate."""

OPERATION = 0xF0
"""Bits of the operation, in arithmetic and jumps."""
ADD, SUB, MUL, DIV, OR, AND = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50
SHL, SHR, NEG, MOD, XOR, MOV, ARSH, END = 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0
JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE = 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70
JLT, JLE, JSLT, JSLE = 0xA0, 0xB0, 0xC0, 0xD0

SIZE = 0x18
"""Bits of the size, in loads and stores."""
W, H, B, DW = 0x00, 0x08, 0x10, 0x18
SIZE_BYTES = {W: 4, H: 2, B: 1, DW: 8}

MODE = 0xE0
"""Bits of the mode, in loads and stores."""
ABS, IND, MEM, MEMSX, ATOMIC = 0x20, 0x40, 0x60, 0x80, 0xC0

FETCH, XCHG, CMPXCHG, LOAD_ACQUIRE, STORE_RELEASE = 0x01, 0xE1, 0xF1, 0x100, 0x110
"""In the immediate of an atomic operation."""
