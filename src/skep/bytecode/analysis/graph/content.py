"""What a picture of a program shows: functions, their blocks, lines of text, arrows."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.analysis.control_flow import Block, Flows, FunctionFlow
from skep.bytecode.analysis.errors import GraphTooLarge
from skep.bytecode.analysis.graph.layout import Arrow
from skep.bytecode.isa.codes import CALL, GOTOX, JUMP_CLASSES, LDDW
from skep.bytecode.isa.fields import CLASS
from skep.bytecode.objectfile.model import Function, ObjectFile

MOST_BLOCKS = 400
MOST_LINES = 12  # of one block; 6 first and 5 last are kept of more
Text = Callable[[Function, int], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A line in a box and what it is."""

    text: str
    kind: Literal["place", "plain", "call", "branch", "left-out"] = "plain"


@dataclass(frozen=True, slots=True)
class Box:
    """A block; ``reachable`` is false for code control flow never gets to."""

    lines: tuple[Line, ...]
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class FunctionGraph:
    """A function: boxes, arrows between them by number, kinds ``yes``, ``no`` and ``on``."""

    name: str
    remark: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def graph_of(object_file: ObjectFile, entry: str, text: Text) -> tuple[FunctionGraph, ...]:
    """Describe ``entry`` and the functions it calls, entry first.

    Args:
        text: an instruction as people read it, given its function and slot; one that calls or
            takes the address of a function names it.

    Raises:
        GraphTooLarge: more than ``MOST_BLOCKS`` blocks. A picture of them could not be read, and
            hostile code must not cost minutes.
    """
    flows = Flows(object_file.functions).graph(entry).functions
    gaps = {flow.function.name: _unreachable(flow) for flow in flows}
    count = sum(len(flow.blocks) + len(gaps[flow.function.name]) for flow in flows)
    if count > MOST_BLOCKS:
        raise GraphTooLarge(
            f"expected at most {MOST_BLOCKS} blocks to draw, {entry} has {count}",
            hint="--disassemble prints it as text; --program chooses another one",
        )
    shown = {flow.function.name for flow in flows}
    places = {
        (line.function, line.slot): f"{line.file.replace(chr(92), '/').split('/')[-1]}:{line.line}"
        for line in object_file.source_lines
        if line.function in shown
    }
    return tuple(_function(flow, gaps[flow.function.name], places, text, flows) for flow in flows)


def _function(
    flow: FunctionFlow,
    gaps: list[tuple[int, int]],
    places: dict[tuple[str, int], str],
    text: Text,
    flows: tuple[FunctionFlow, ...],
) -> FunctionGraph:
    function = flow.function
    numbers = {start: number for number, start in enumerate(flow.blocks)}
    boxes = [
        Box(_lines(flow, block.start, block.end, places, text)) for block in flow.blocks.values()
    ]
    boxes += [Box(_lines(flow, start, end, places, text), reachable=False) for start, end in gaps]
    arrows = []
    for block in flow.blocks.values():
        for kind, goal in _ways(function, block):
            arrows.append(Arrow(numbers[block.start], numbers[goal], kind))
    callers = [other.function.name for other in flows if function.name in other.calls]
    users = [other.function.name for other in flows if function.name in other.callbacks]
    remark = f"called by {', '.join(callers)}" if callers else ""
    if users:
        remark += f"{'; ' if remark else ''}callback of {', '.join(users)}"
    if flow.has_indirect_jumps:
        remark += f"{'; ' if remark else ''}jumps to computed places, not drawn"
    return FunctionGraph(function.name, remark, tuple(boxes), tuple(arrows))


def _last(flow: Function, block: Block) -> int:
    slot = block.end - 1
    before = slot - 1
    if before >= block.start and flow.instructions[before].opcode == LDDW:
        return before
    return slot


def _ways(function: Function, block: Block) -> list[tuple[str, int]]:
    opcode = function.instructions[_last(function, block)].opcode
    if opcode == GOTOX:
        return []
    if len(block.successors) == 2:
        return [("no", block.successors[0]), ("yes", block.successors[1])]
    return [("on", goal) for goal in block.successors]


def _unreachable(flow: FunctionFlow) -> list[tuple[int, int]]:
    gaps = []
    here = 0
    for block in sorted(flow.blocks.values(), key=lambda each: each.start):
        if block.start > here:
            gaps.append((here, block.start))
        here = max(here, block.end)
    if here < len(flow.function.instructions):
        gaps.append((here, len(flow.function.instructions)))
    return gaps


def _lines(
    flow: FunctionFlow,
    start: int,
    end: int,
    places: dict[tuple[str, int], str],
    text: Text,
) -> tuple[Line, ...]:
    function = flow.function
    slots = []
    slot = start
    while slot < end:
        slots.append(slot)
        slot += 2 if function.instructions[slot].opcode == LDDW else 1
    place = places.get((function.name, start), "")
    lines = [Line(f"slot {start}" + (f" · {place}" if place else ""), "place")]
    kept = slots if len(slots) <= MOST_LINES else slots[:6]
    lines += [_line(flow, slot, end, text) for slot in kept]
    if kept is not slots:
        hidden = slots[6:-5]
        called = [
            each.name
            for each in function.relocations[
                bisect_left(function.relocations, hidden[0], key=lambda r: r.slot) : bisect_left(
                    function.relocations, hidden[-1] + 1, key=lambda r: r.slot
                )
            ]
            if each.kind == "call"
        ]
        names = f", calls {', '.join(dict.fromkeys(called[:9]))}" if called else ""
        lines.append(Line(f"… {len(hidden)} more{names}", "left-out"))
        lines += [_line(flow, slot, end, text) for slot in slots[-5:]]
    return tuple(lines)


def _line(flow: FunctionFlow, slot: int, end: int, text: Text) -> Line:
    relocation = flow.relocations.get(slot)
    words = f"{slot:>4}  {text(flow.function, slot)}"
    if relocation is not None and relocation.kind in {"call", "function_address"}:
        return Line(words, "call")
    opcode = flow.function.instructions[slot].opcode
    jumps = opcode & CLASS in JUMP_CLASSES and opcode != CALL
    return Line(words, "branch" if jumps and slot == end - 1 else "plain")
