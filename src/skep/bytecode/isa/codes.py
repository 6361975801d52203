"""Opcodes, sets of them, sources of instructions and helpers that more than one module names.

Sources: RFC 9669; include/uapi/linux/bpf.h of Linux, ``BPF_PSEUDO_*``;
https://github.com/libbpf/libbpf/blob/v1.5.0/src/relo_core.c for the poison.
"""

from skep.bytecode.isa.fields import (
    ABS,
    ALU,
    ALU64,
    ATOMIC,
    BY_REGISTER,
    DW,
    END,
    IND,
    JMP,
    JMP32,
    LD,
    LDX,
    MOV,
    NEG,
    SIZE_BYTES,
    ST,
    STX,
    B,
    H,
    W,
)

LDDW = 0x18
"""A number of 64 bits, over two slots; with a source, what the loader or the kernel puts there."""
GOTO = 0x05
GOTOL = 0x06
"""With the distance in the immediate."""
GOTOX = 0x0D
"""Through a table."""
CALL = 0x85
CALLX = 0x8D
"""Of the function whose address a register holds."""
EXIT = 0x95
COPY = 0xBF
"""All 64 bits of a register."""
COPY_NUMBER = 0xB7

CALLS = frozenset({CALL, CALLX})
WITHOUT_TARGET = frozenset({CALL, CALLX, EXIT, GOTOX})
"""Of the classes of jumps, those that do not say where to."""
CONSTANT_MOVES = frozenset({ALU | MOV, ALU64 | MOV})
REGISTER_MOVES = frozenset({ALU | MOV | BY_REGISTER, ALU64 | MOV | BY_REGISTER})
UNARY = frozenset({ALU | NEG, ALU64 | NEG, ALU | END, ALU | END | BY_REGISTER, ALU64 | END})
"""Arithmetic of one register; the bit of the source, in a change of byte order, is the order."""
INDIRECT_PACKET_LOADS = frozenset({LD | IND | size for size in (W, H, B)})
PACKET_LOADS = INDIRECT_PACKET_LOADS | {LD | ABS | size for size in (W, H, B)}
"""``LD_ABS`` and ``LD_IND``."""
WIDE_ATOMICS = frozenset({STX | ATOMIC | W, STX | ATOMIC | DW})
ATOMICS = frozenset({STX | ATOMIC | size for size in SIZE_BYTES})
"""With the loads and stores of one and two bytes that order memory."""

ARITHMETIC_CLASSES = frozenset({ALU, ALU64})
JUMP_CLASSES = frozenset({JMP, JMP32})
MEMORY_CLASSES = frozenset({LDX, ST, STX})
REGISTER_CLASSES = ARITHMETIC_CLASSES | {LD, LDX}
"""What they compute or load is put into the register they name as the destination."""

PSEUDO_CALL = 1
"""In a call: a function of the program, as far away as the immediate says."""
PSEUDO_KERNEL_CALL = 2
"""In a call: a function of the kernel, by id in its types."""
PSEUDO_MAP_FD = 1
PSEUDO_MAP_VALUE = 2
PSEUDO_BTF_ID = 3
PSEUDO_FUNCTION = 4
PSEUDO_MAP_INDEX = 5
PSEUDO_MAP_INDEX_VALUE = 6

TAIL_CALL = 12
REDIRECT = 23
REDIRECT_MAP = 51
REDIRECT_NEIGH = 152
REDIRECT_PEER = 155
"""Numbers of helpers whose effects leave the program; all others are in :mod:`.helpers`."""

MOST_INSTRUCTIONS = 1_000_000
"""Slots of a program that a kernel takes: ``BPF_COMPLEXITY_LIMIT_INSNS``."""

POISON = 195896080
"""Number of a helper that no kernel has: 0xbad2310, "bad relo"."""
