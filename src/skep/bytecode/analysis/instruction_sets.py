"""Which instructions a program uses: conformance groups, level, first kernel."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from skep.bytecode.analysis.control_flow import FunctionFlow, places
from skep.bytecode.analysis.programs import Program
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
    code, opcodes, name = flow.function.instructions, flow.opcodes, flow.function.name
    reached = flow.reached()
    first: list[int] = []
    for opcode in {opcode for start, end in reached for opcode in {*opcodes[start:end]}}:
        slots = places(opcodes, opcode, reached)
        if opcode in _VARIED:
            forms = {code[slot][2:]: slot for slot in reversed([*slots])}
            first += forms.values()
        else:
            first.append(next(slots))
    found: dict[object, InstructionUse] = {}
    for slot in sorted(first):
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
