"""Opcodes, sources of instructions and helpers that more than one module names.

Sources: RFC 9669; include/uapi/linux/bpf.h of Linux, ``BPF_PSEUDO_*``;
https://github.com/libbpf/libbpf/blob/v1.5.0/src/relo_core.c for the poison.
"""

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
