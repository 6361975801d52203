"""Where an exit value comes from, when data flow sees no more than "something".

Data flow joins what paths bring along, so ``return ret ? ret : -EPERM`` is as unknown as ``ret``.
Walking back from an exit to the instructions that last wrote the register keeps the paths apart:
-EPERM on one, on the other a field of the context, which in a security hook is what the programs
before this one decided.

The walk follows moves inside the entry function. Whatever else writes the register is an origin
that may be anything. Exit values have 32 bits, so moves that keep those are moves.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.analysis.control_flow import Block, FunctionFlow
from skep.bytecode.analysis.values import signed
from skep.bytecode.isa.codes import (
    ATOMICS,
    CALLS,
    CONSTANT_MOVES,
    LDDW,
    PACKET_LOADS,
    REGISTER_CLASSES,
    REGISTER_MOVES,
)
from skep.bytecode.isa.fields import ALU64, ARSH, CLASS, DW, LDX, MEM, MEMSX, SHL, SHR, W
from skep.bytecode.isa.instructions import Instruction

_MOST_STEPS = 4_096  # instructions looked at for one exit
_MOST_STEPS_IN_ALL = 100_000  # for all exits of a program
_SHIFT_LEFT, _SHIFTS_RIGHT = ALU64 | SHL, frozenset({ALU64 | SHR, ALU64 | ARSH})
# 4 or 8 bytes: the low 32 bits are whole.
_CONTEXT_LOADS = frozenset({LDX | MEM | W, LDX | MEM | DW, LDX | MEMSX | W})


@dataclass(frozen=True, slots=True)
class Origin:
    """What one path brings along.

    Attributes:
        kind: ``constant``; ``context``, a field of it; ``entry``, the context itself; or
            ``anything``.
        slot: where it is written, in the entry function.
        number: the constant, signed, 32 bits; or the offset of the field.
    """

    kind: Literal["constant", "context", "entry", "anything"]
    slot: int
    number: int = 0


class ExitOrigins:
    """Walks back from the exits of one entry function, with a limit for all of them together."""

    def __init__(self, flow: FunctionFlow, blocks: set[int], changed: frozenset[int]) -> None:
        """Prepare the walk.

        Args:
            flow: of the entry function.
            blocks: first slots of the blocks that values let control reach; no others are walked.
            changed: slots a loader may change; what they write may be anything.
        """
        self._changed = changed
        self._code = flow.function.instructions
        self._relocated = flow.relocations
        self._blocks = {start: flow.blocks[start] for start in blocks if start in flow.blocks}
        self._starts = sorted(self._blocks)
        self._before: dict[int, list[Block]] = {}
        for block in self._blocks.values():
            for successor in block.successors:
                self._before.setdefault(successor, []).append(block)
        self._steps_in_all = _MOST_STEPS_IN_ALL
        self._steps = 0

    def of(self, exit_slot: int) -> tuple[Origin, ...]:
        """Everything r0 can be at an exit, in order of the slots."""
        self._steps = granted = min(_MOST_STEPS, self._steps_in_all)
        found = set(self._back(exit_slot, 0, with_loads=True))
        self._steps_in_all -= granted - max(self._steps, 0)
        return tuple(sorted(found, key=lambda each: (each.slot, each.kind, each.number)))

    def _back(self, slot: int, register: int, *, with_loads: bool = False) -> Iterator[Origin]:
        """Origins of ``register`` as the instruction at ``slot`` finds it.

        Args:
            with_loads: fields of the context are told apart; without it, they are anything.
        """
        index = bisect_right(self._starts, slot) - 1
        if index < 0:
            yield Origin("anything", slot)
            return
        waiting = [(self._blocks[self._starts[index]], slot, register)]
        seen: set[tuple[int, int]] = set()
        while waiting:
            block, end, register = waiting.pop()
            written = self._last_write(block, end, register, with_loads=with_loads)
            if isinstance(written, Origin):
                yield written
                continue
            register = written
            if block.start == 0:
                # r1 is the context when the program begins; the verifier lets no other be read.
                yield Origin("entry" if register == 1 else "anything", 0)
            for before in self._before.get(block.start, ()):
                if (before.start, register) not in seen:
                    seen.add((before.start, register))
                    waiting.append((before, before.end, register))

    def _last_write(
        self, block: Block, end: int, register: int, *, with_loads: bool
    ) -> Origin | int:
        """What wrote the register in ``block`` before ``end``; the register to go on with."""
        slot = end - 1
        while slot >= block.start:
            self._steps -= 1
            if self._steps < 0:
                return Origin("anything", slot)
            instruction = self._code[slot]
            if slot > block.start and self._code[slot - 1].opcode == LDDW:
                slot -= 1
                instruction = self._code[slot]
            if self._is_widening(slot, block, register):
                slot -= 2
                continue
            found = self._write(slot, instruction, register, with_loads=with_loads)
            if isinstance(found, Origin):
                return found
            register = found
            slot -= 1
        return register

    def _is_widening(self, slot: int, block: Block, register: int) -> bool:
        """Two shifts that extend the low 32 bits, as compilers write it."""
        if slot - 1 < block.start or not self._changed.isdisjoint({slot - 1, slot}):
            return False
        first, second = self._code[slot - 1], self._code[slot]
        return (
            first.opcode == _SHIFT_LEFT
            and second.opcode in _SHIFTS_RIGHT
            and first.dst == second.dst == register
            and first.immediate == second.immediate == 32
        )

    def _write(
        self, slot: int, instruction: Instruction, register: int, *, with_loads: bool
    ) -> Origin | int:
        opcode = instruction.opcode
        if opcode in CALLS or opcode in PACKET_LOADS:
            return Origin("anything", slot) if register <= 5 else register
        if opcode in ATOMICS:  # some write r0, some a register they name
            touched = {0, instruction.dst, instruction.src}
            return Origin("anything", slot) if register in touched else register
        writes = opcode & CLASS in REGISTER_CLASSES and instruction.dst == register
        if not writes:
            return register
        if slot in self._changed:
            return Origin("anything", slot)
        if opcode in CONSTANT_MOVES:
            return Origin("constant", slot, signed(instruction.immediate, 32))
        if opcode == LDDW and instruction.src == 0 and slot not in self._relocated:
            return Origin("constant", slot, signed(instruction.immediate, 32))
        if opcode in REGISTER_MOVES and instruction.offset in {0, 32}:
            return instruction.src
        if with_loads and opcode in _CONTEXT_LOADS:
            bases = list(self._back(slot, instruction.src))
            if bases and all(base.kind == "entry" for base in bases):
                return Origin("context", slot, instruction.offset)
        return Origin("anything", slot)
