"""Which instructions a program uses: conformance groups, level, first kernel."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.isa.opcodes import GROUPS, OPCODES, OpcodeFacts

_LEVELS = ("v1", "v2", "v3", "v4", "linux", "none")

# Meanings of these are told apart by what they refer to, not by how the compiler wrote it.
_BY_REFERENCE = frozenset({0x18, 0x85})
_VARIED = re.compile(
    b"[%s]"
    % b"".join(
        re.escape(bytes([opcode]))
        for opcode, rows in OPCODES.items()
        if len(rows) > 1 and opcode not in _BY_REFERENCE
    )
)
"""Opcodes whose meaning depends on the operands."""


@dataclass(frozen=True, slots=True)
class InstructionUse:
    """The first place of a meaning of an opcode; ``facts`` is ``None`` for unknown ones."""

    facts: OpcodeFacts | None
    opcode: int
    function: str
    slot: int


def all_uses(programs: Iterable[AnalysedProgram]) -> list[list[InstructionUse]]:
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
    code, opcodes, name = flow.function.instructions, flow.opcodes, flow.function.name
    reached = flow.reached()
    plain: dict[int, int] = {}
    for start, end in reversed(reached):  # backwards, so that the first place is what stays
        plain.update(zip(reversed(opcodes[start:end]), range(end - 1, start - 1, -1), strict=True))
    varied: dict[tuple[int, ...], int] = {}
    for start, end in reached:
        for match in _VARIED.finditer(opcodes, start, end):
            slot = match.start()
            opcode, _, *form = code[slot]
            varied.setdefault((opcode, *form), slot)
    found: dict[object, InstructionUse] = {}
    for slot in sorted({*plain.values(), *varied.values()}):
        opcode, _, src, offset, immediate = code[slot]
        facts = _meaning(opcode, src, offset, immediate)
        use = InstructionUse(facts, opcode, name, slot)
        found.setdefault(facts if facts is not None else opcode, use)
    return list(found.values())


@lru_cache(maxsize=4096)  # what the compiler writes repeats itself
def _meaning(opcode: int, src: int, offset: int, immediate: int) -> OpcodeFacts | None:
    """The row that fits; for reserved operands in use, the first one that fits best."""
    rows = OPCODES.get(opcode)
    if rows is None:
        return None
    if opcode in _BY_REFERENCE:
        return rows[0]

    def fit(row: OpcodeFacts) -> int:
        pairs = ((row.src, src), (row.offset, offset), (row.immediate, immediate))
        return sum(wanted is None or wanted == found for wanted, found in pairs)

    return max(rows, key=fit)


def groups_of(uses: Iterable[InstructionUse]) -> tuple[str, ...]:
    """Conformance groups of RFC 9669, without those that another one includes."""
    found = {use.facts.group for use in uses if use.facts is not None and use.facts.group}
    included = {name for group in found for name in GROUPS[group]}
    return tuple(sorted(found - included))


def level_of(uses: Iterable[InstructionUse]) -> str:
    """The highest level of the instruction set."""
    ranks = [_LEVELS.index("none" if use.facts is None else use.facts.level) for use in uses]
    return _LEVELS[max(ranks, default=0)]
