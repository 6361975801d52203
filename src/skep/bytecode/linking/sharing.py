"""What keeps a program from sharing a spliced chain: one statement of the rules.

:mod:`skep.chains.splicing` refuses by them, and the label of an object says them in advance.
"""

from enum import Enum

from skep.bytecode.isa.codes import GOTOX, LDDW, PSEUDO_FUNCTION
from skep.bytecode.isa.fields import ABS, CLASS, IND, LD, MODE
from skep.bytecode.isa.instructions import Instruction

STACK_BYTES = 512
"""``MAX_BPF_STACK``."""

MOST_MEMBER_STACK_BYTES = STACK_BYTES - 8
"""Stack a member may use: the chain keeps the context in the rest."""

MAKES_OBJECTS = frozenset(
    {"bpf_obj_new_impl", "bpf_percpu_obj_new_impl", "bpf_obj_new", "bpf_percpu_obj_new"}
)
"""Kernel functions that make objects of the program's own types, which a chain of several members,
each with types of its own, does not have."""


class SharingObstacle(Enum):
    """Why an instruction cannot be in a chain of several members; the value is for people."""

    FUNCTION_ADDRESS = "takes the address of a function"
    INDIRECT_JUMP = "jumps through a table"
    # These end the program with code 0 when the packet is too short: an exit that cannot be
    # turned into a jump to what follows.
    PACKET_LOAD = "uses a legacy packet load, which may end the whole chain"


def obstacle_of(instruction: Instruction) -> SharingObstacle | None:
    """What speaks against an instruction of a member; ``None`` if nothing does."""
    opcode = instruction.opcode
    if opcode == LDDW:
        return SharingObstacle.FUNCTION_ADDRESS if instruction.src == PSEUDO_FUNCTION else None
    if opcode == GOTOX:
        return SharingObstacle.INDIRECT_JUMP
    if opcode & CLASS == LD and opcode & MODE in (ABS, IND):
        return SharingObstacle.PACKET_LOAD
    return None
