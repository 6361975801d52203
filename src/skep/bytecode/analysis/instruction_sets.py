"""Which instructions a program uses: conformance groups, level, first kernel."""

from collections.abc import Iterable
from dataclasses import dataclass

from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.programs import Program
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.opcodes import GROUPS, OPCODES, OpcodeFacts

_LEVELS = ("v1", "v2", "v3", "v4", "linux", "none")

# Meanings of these are told apart by what they refer to, not by how the compiler wrote it.
_BY_REFERENCE = frozenset({0x18, 0x85})
_VARIED = {opcode for opcode, rows in OPCODES.items() if len(rows) > 1} - _BY_REFERENCE


@dataclass(frozen=True, slots=True)
class InstructionUse:
    """The first place of a meaning of an opcode; ``facts`` is ``None`` for unknown ones."""

    facts: OpcodeFacts | None
    opcode: int
    function: str
    slot: int


def all_uses(programs: Iterable[Program]) -> list[list[InstructionUse]]:
    """Instructions each program uses; a function that several share is looked at once."""
    known: dict[str, list[InstructionUse]] = {}
    found: list[list[InstructionUse]] = []
    for program in programs:
        used: list[InstructionUse] = []
        for flow in program.graph.functions:
            name = flow.function.name
            if name not in known:
                known[name] = uses_of(flow)
            used += known[name]
        found.append(used)
    return found


def uses_of(flow: FunctionFlow) -> list[InstructionUse]:
    """Every meaning of an opcode in reachable code, once.

    Loads of map addresses and calls are left out: what they need is decided by what they refer
    to (relocations), not by how the compiler wrote it.
    """
    code = flow.function.instructions
    name = flow.function.name
    first: dict[object, int] = {}
    for start, block in flow.blocks.items():
        for slot, (opcode, _, _, offset, immediate) in enumerate(code[start : block.end], start):
            key = (opcode, offset, immediate) if opcode in _VARIED else opcode
            if key not in first:
                first[key] = slot
    found: dict[object, InstructionUse] = {}
    for slot in first.values():
        instruction = code[slot]
        facts = _meaning(instruction)
        use = InstructionUse(facts, instruction.opcode, name, slot)
        found.setdefault(facts if facts is not None else instruction.opcode, use)
    return list(found.values())


def _meaning(instruction: Instruction) -> OpcodeFacts | None:
    """The row that fits; for reserved operands in use, the first one that fits best."""
    rows = OPCODES.get(instruction.opcode)
    if rows is None:
        return None
    if instruction.opcode in _BY_REFERENCE:
        return rows[0]
    return max(rows, key=lambda row: _fit(row, instruction))


def _fit(row: OpcodeFacts, instruction: Instruction) -> int:
    return sum(
        wanted is None or wanted == found
        for wanted, found in (
            (row.src, instruction.src),
            (row.offset, instruction.offset),
            (row.immediate, instruction.immediate),
        )
    )


def groups_of(uses: Iterable[InstructionUse]) -> tuple[str, ...]:
    """Conformance groups of RFC 9669, without those that another one includes."""
    found = {use.facts.group for use in uses if use.facts is not None and use.facts.group}
    included = {name for group in found for name in GROUPS[group]}
    return tuple(sorted(found - included))


def level_of(uses: Iterable[InstructionUse]) -> str:
    """The highest level of the instruction set."""
    ranks = [_LEVELS.index("none" if use.facts is None else use.facts.level) for use in uses]
    return _LEVELS[max(ranks, default=0)]
