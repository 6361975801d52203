"""Addresses that are only asked whether they are there.

``if (&name)`` loads the address of a weak extern and compares it with 0, which tells nobody where
the kernel is. Any other use of the register may: copies in registers are followed, everything else
(arithmetic, stores, calls that take it, a result) counts as a use.

Against hostile input: all questions of a program together take a limited number of steps; past
that an address counts as used.
"""

from dataclasses import dataclass

from skep.bytecode.analysis.control_flow import Block, FunctionFlow
from skep.bytecode.isa.call_arguments import HELPER_ARGUMENTS, KERNEL_FUNCTION_ARGUMENTS
from skep.bytecode.isa.codes import (
    CALL,
    CONSTANT_MOVES,
    COPY,
    EXIT,
    INDIRECT_PACKET_LOADS,
    LDDW,
    POISON,
    REGISTER_CLASSES,
    REGISTER_MOVES,
    UNARY,
)
from skep.bytecode.isa.fields import BY_REGISTER, CLASS, JEQ, JMP, JNE, LD, LDX, ST, STX
from skep.bytecode.isa.instructions import Instruction

_MOST_STEPS = 20_000  # instructions looked at for one program
_IF_ZERO, _IF_NOT_ZERO = JMP | JEQ, JMP | JNE
_MOVES = CONSTANT_MOVES | REGISTER_MOVES
_CLOBBERED = 0b11_1111  # r0 to r5 do not outlive a call


@dataclass(slots=True)
class Steps:
    """Instructions that may still be looked at."""

    left: int = _MOST_STEPS


def is_only_asked_for(flow: FunctionFlow, slot: int, steps: Steps) -> bool:
    """Whether the address that the ``lddw`` at ``slot`` loads is only ever compared with 0."""
    home = next((each for each in flow.blocks.values() if each.start <= slot < each.end), None)
    if home is None:
        return True  # not reachable
    # Registers that may hold the address where a block begins, as bits.
    waiting = [(home, slot + 2, 1 << flow.function.instructions[slot].dst)]
    known: dict[int, int] = {}
    while waiting:
        block, first, holders = waiting.pop()
        after = _through(flow, block, first, holders, steps)
        if after is None:
            return False
        for successor in block.successors:
            holding = _along(flow, block, successor, after)
            if holding & ~known.get(successor, 0):
                known[successor] = known.get(successor, 0) | holding
                waiting.append((flow.blocks[successor], successor, known[successor]))
    return True


def _through(
    flow: FunctionFlow, block: Block, first: int, holders: int, steps: Steps
) -> int | None:
    """Registers that hold the address behind ``block``; ``None`` if it is used in there."""
    code = flow.function.instructions
    slot = first
    while slot < block.end and holders:
        instruction = code[slot]
        opcode, dst = instruction.opcode, instruction.dst
        steps.left -= 1
        if steps.left < 0:
            return None
        if opcode == CALL:
            if holders & _taken(flow, slot, instruction):
                return None
            holders &= ~_CLOBBERED
        elif opcode == EXIT:
            return None if holders & 1 else 0
        elif opcode in {_IF_ZERO, _IF_NOT_ZERO} and instruction.immediate == 0:
            pass  # the question
        elif opcode == COPY and not instruction.offset and holders >> instruction.src & 1:
            holders |= 1 << dst
        elif holders & _read(instruction):
            return None
        elif opcode & CLASS in REGISTER_CLASSES:
            holders &= ~(1 << dst)
        slot += 2 if opcode == LDDW else 1
    return holders


def _along(flow: FunctionFlow, block: Block, successor: int, holders: int) -> int:
    """What holds the address on the way to ``successor``: it is not there if it was 0."""
    last = block.end - 1
    instruction = flow.function.instructions[last]
    if len(block.successors) != 2 or block.successors[0] == block.successors[1]:
        return holders
    behind, target = block.successors
    if instruction.immediate == 0 and (
        (instruction.opcode == _IF_ZERO and successor == target)
        or (instruction.opcode == _IF_NOT_ZERO and successor == behind)
    ):
        return holders & ~(1 << instruction.dst)
    return holders


def _taken(flow: FunctionFlow, slot: int, instruction: Instruction) -> int:
    """Registers a call reads; all it can if its prototype is not known."""
    relocation = flow.relocations.get(slot)
    row = None
    if relocation is None and instruction.src == 0:
        if instruction.immediate == POISON:
            return 0  # it never runs
        row = HELPER_ARGUMENTS.get(instruction.immediate)
    elif relocation is not None and relocation.kind == "extern_call":
        row = KERNEL_FUNCTION_ARGUMENTS.get(relocation.name.partition("___")[0])
    count = 5 if row is None else len(row.arguments)
    return (1 << count + 1) - 2


def _read(instruction: Instruction) -> int:
    """Registers anything but a call reads."""
    opcode = instruction.opcode
    dst, src = 1 << instruction.dst, 1 << instruction.src
    kind = opcode & CLASS
    if kind == LD:  # lddw; old packet loads, which also read r6
        return src | 1 << 6 if opcode in INDIRECT_PACKET_LOADS else 0
    if kind == LDX:
        return src
    if kind == ST:
        return dst
    if kind == STX:
        return dst | src | 1  # compare and exchange reads r0
    reads = src if opcode & BY_REGISTER and opcode not in UNARY else 0
    return reads if opcode in _MOVES else reads | dst
