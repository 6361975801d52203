"""Control flow inside a function, and which functions reach which.

Only what control flow can reach from the entry counts: a helper call in dead code gives no
permission. Source of the instruction forms: RFC 9669, section 4.3; ``may_goto`` and ``gotox`` from
the kernel's ``include/uapi/linux/bpf.h``.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from skep.bytecode.isa.codes import (
    CALL,
    EXIT,
    GOTO,
    GOTOL,
    GOTOX,
    JUMP_CLASSES,
    LDDW,
    PACKET_LOADS,
    WITHOUT_TARGET,
)
from skep.bytecode.isa.fields import CLASS
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import Function, Relocation

_GOTO = frozenset({GOTO, GOTOL})

_HAS_TARGET = bytes(op & CLASS in JUMP_CLASSES and op not in WITHOUT_TARGET for op in range(256))
"""1 for jumps with a target of their own, by opcode."""

_OPCODE = itemgetter(0)


class Block(NamedTuple):
    """Instructions that run one after another.

    Attributes:
        start: first slot.
        end: slot behind the last.
        instructions: how many; ``lddw`` counts once.
        successors: first slots of the blocks that may follow; for a conditional jump the one
            behind it comes first, the target second.
    """

    start: int
    end: int
    instructions: int
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionFlow:
    """A function with its reachable blocks.

    Attributes:
        function: the code.
        opcodes: of all its slots, reachable or not.
        blocks: reachable ones, by first slot, in reverse post-order.
        relocations: by slot.
        back_edges: jumps backwards to a block that is still open, as (from slot, to slot).
        call_slots: reachable calls of any sort.
        packet_load_slots: reachable ``LD_ABS`` and ``LD_IND``.
        calls: names of local functions it calls from reachable code, in order.
        callbacks: names of functions whose address it takes, in order.
        leaves_function: some reachable jump or fall-through goes nowhere; no kernel accepts it.
        has_indirect_jumps: ``gotox`` is reachable; everything is taken as reachable then.
        instructions: reachable ones; ``lddw`` counts once.
    """

    function: Function
    opcodes: bytes
    blocks: Mapping[int, Block]
    relocations: Mapping[int, Relocation]
    back_edges: tuple[tuple[int, int], ...]
    call_slots: tuple[int, ...]
    packet_load_slots: tuple[int, ...]
    calls: tuple[str, ...]
    callbacks: tuple[str, ...]
    leaves_function: bool
    has_indirect_jumps: bool
    instructions: int

    def reached(self) -> list[tuple[int, int]]:
        """Reachable slots as ranges, ascending, neighbouring blocks joined."""
        starts, ends = {*self.blocks}, {block.end for block in self.blocks.values()}
        return list(zip(sorted(starts - ends), sorted(ends - starts), strict=True))


def jump_target(slot: int, instruction: Instruction) -> int:
    """Slot a jump at ``slot`` goes to."""
    distance = instruction.immediate if instruction.opcode == GOTOL else instruction.offset
    return slot + 1 + distance


def flow_of(function: Function) -> FunctionFlow:
    """Blocks, reachability, back edges, calls."""
    instructions = function.instructions
    count = len(instructions)
    opcodes = bytes(map(_OPCODE, instructions))
    has_indirect_jumps = GOTOX in opcodes
    starts, after = _scan(instructions, opcodes, every_slot=has_indirect_jumps)
    blocks: dict[int, Block] = {}
    leaving = set()
    for start, end in zip(starts, [*starts[1:], count], strict=False):
        successors = after.get(end, (end,))
        if successors and not (0 <= successors[0] < count and 0 <= successors[-1] < count):
            leaving.add(start)
            successors = tuple(slot for slot in successors if 0 <= slot < count)
        own = end - start - opcodes.count(LDDW, start, end)
        blocks[start] = Block(start, end, own, successors)
    order, back_edges = _walk(blocks) if count else ((), ())
    reached = [(start, blocks[start].end) for start in order]
    relocations = {relocation.slot: relocation for relocation in function.relocations}
    calls = _places(opcodes, CALL, reached)
    packet_loads = [
        slot
        for opcode in PACKET_LOADS
        if opcode in opcodes
        for slot in _places(opcodes, opcode, reached)
    ]
    called = [relocations[slot] for slot in calls if slot in relocations]
    taken = [each for each in function.relocations if each.kind == "function_address"]
    if taken:
        taken = _inside(taken, reached)
    return FunctionFlow(
        function=function,
        opcodes=opcodes,
        blocks={start: blocks[start] for start in order},
        relocations=relocations,
        back_edges=back_edges,
        call_slots=tuple(calls),
        packet_load_slots=tuple(packet_loads),
        calls=_names(called, "call"),
        callbacks=_names(taken, "function_address"),
        leaves_function=count == 0 or any(start in leaving for start in order),
        has_indirect_jumps=has_indirect_jumps,
        instructions=sum(blocks[start].instructions for start in order),
    )


def restricted(flow: FunctionFlow, reached: set[int], stops: Iterable[int] = ()) -> FunctionFlow:
    """``flow`` as if only the blocks that begin at ``reached`` were there.

    Args:
        stops: slots of calls behind which nothing runs.
    """
    if reached >= flow.blocks.keys() and not stops:
        return flow
    blocks = {
        start: block
        if reached.issuperset(block.successors)
        else block._replace(successors=tuple(s for s in block.successors if s in reached))
        for start, block in flow.blocks.items()
        if start in reached
    }
    _end_at(blocks, flow.opcodes, stops)
    ranges = sorted((block.start, block.end) for block in blocks.values())
    kept = _inside(flow.function.relocations, ranges)
    taken = {each.name for each in flow.function.relocations if each.kind == "function_address"}
    handlers = tuple(name for name in flow.callbacks if name not in taken)
    ends = {block.end - 1 for block in blocks.values()}
    return replace(
        flow,
        blocks=blocks,
        back_edges=tuple(
            (source, target)
            for source, target in flow.back_edges
            if source in ends and target in blocks
        ),
        call_slots=_within(flow.call_slots, ranges),
        packet_load_slots=_within(flow.packet_load_slots, ranges),
        calls=_names(kept, "call"),
        callbacks=(*_names(kept, "function_address"), *handlers),
        instructions=sum(block.instructions for block in blocks.values()),
    )


def _end_at(blocks: dict[int, Block], opcodes: bytes, stops: Iterable[int]) -> None:
    """Let blocks end behind the first of ``stops`` in them."""
    starts = sorted(blocks)
    for slot in sorted(stops, reverse=True):
        position = bisect_right(starts, slot) - 1
        block = blocks[starts[position]] if position >= 0 else None
        if block is not None and slot < block.end:
            own = slot + 1 - block.start - opcodes.count(LDDW, block.start, slot + 1)
            blocks[block.start] = Block(block.start, slot + 1, own, ())


def _within(slots: Sequence[int], ranges: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Those of ``slots`` that are in one of the ranges, which are in order."""
    found = []
    for slot in slots:
        position = bisect_right(ranges, (slot, 1 << 62)) - 1
        if position >= 0 and slot < ranges[position][1]:
            found.append(slot)
    return tuple(found)


def _places(opcodes: bytes, opcode: int, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Slots with ``opcode``, range by range."""
    found = []
    for start, end in ranges:
        slot = opcodes.find(opcode, start, end)
        while slot != -1:
            found.append(slot)
            slot = opcodes.find(opcode, slot + 1, end)
    return found


def _inside(
    relocations: Sequence[Relocation], ranges: Sequence[tuple[int, int]]
) -> list[Relocation]:
    """Relocations whose slot is in one of the ranges."""
    ordered = sorted(ranges)
    found = []
    for relocation in relocations:
        position = bisect_right(ordered, (relocation.slot, 1 << 62)) - 1
        if position >= 0 and relocation.slot < ordered[position][1]:
            found.append(relocation)
    return found


def _names(relocations: Sequence[Relocation], kind: str) -> tuple[str, ...]:
    return tuple({entry.name: None for entry in relocations if entry.kind == kind})


_SPECIAL = re.compile(
    b"[%s]"
    % b"".join(
        re.escape(bytes([opcode]))
        for opcode in range(256)
        if _HAS_TARGET[opcode] or opcode in {LDDW, EXIT, GOTOX}
    )
)


def _scan(
    instructions: Sequence[Instruction], opcodes: bytes, *, every_slot: bool
) -> tuple[list[int], dict[int, tuple[int, ...]]]:
    """First slots of blocks; and, by the slot behind them, where jumps and ``lddw`` go.

    An ``lddw`` takes the next slot with it, whatever that looks like: nothing follows a block that
    ends in the middle of one. ``gotox`` may go anywhere.
    """
    count = len(opcodes)
    leaders = {0}
    after: dict[int, tuple[int, ...]] = {}
    anywhere: list[int] = []
    inside_wide: set[int] = set()
    for match in _SPECIAL.finditer(opcodes):
        slot = match.start()
        if slot in inside_wide:
            continue
        opcode = opcodes[slot]
        behind = slot + 1
        if opcode == LDDW:
            inside_wide.add(behind)
            after[behind] = (-1,)
            continue
        leaders.add(behind)
        if opcode == EXIT:
            after[behind] = ()
        elif opcode == GOTOX:
            anywhere.append(behind)
        else:
            target = jump_target(slot, instructions[slot])
            leaders.add(target)
            after[behind] = (target,) if opcode in _GOTO else (behind, target)
    if every_slot:
        leaders.update(slot for slot in range(count) if slot not in inside_wide)
    starts = sorted(leader for leader in leaders if 0 <= leader < count)
    after.update(dict.fromkeys(anywhere, tuple(starts)))
    return starts, after


def _walk(blocks: Mapping[int, Block]) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Reachable blocks in reverse post-order, and edges to blocks still open (loops)."""
    order: list[int] = []
    back_edges: list[tuple[int, int]] = []
    state = {0: 1}  # 1 open, 2 done
    stack: list[tuple[Block, Iterator[int]]] = [(blocks[0], iter(blocks[0].successors))]
    while stack:
        block, successors = stack[-1]
        for successor in successors:
            seen = state.get(successor)
            if seen is None:
                state[successor] = 1
                following = blocks[successor]
                stack.append((following, iter(following.successors)))
                break
            if seen == 1:
                back_edges.append((block.end - 1, successor))
        else:
            state[block.start] = 2
            order.append(block.start)
            stack.pop()
    return tuple(reversed(order)), tuple(back_edges)


@dataclass(frozen=True, slots=True)
class CallGraph:
    """The functions an entry reaches.

    Attributes:
        functions: entry first, then in order of discovery.
        missing: names that are called and not defined.
        recursive: some function reaches itself by calls; no kernel accepts that.
    """

    functions: tuple[FunctionFlow, ...]
    missing: tuple[str, ...]
    recursive: bool


class Flows:
    """Flows of an object's functions, made once each, when asked for."""

    def __init__(
        self, functions: Sequence[Function], handlers: Mapping[str, str] | None = None
    ) -> None:
        """Prepare.

        Args:
            handlers: functions the kernel calls when a function throws, by that function.
        """
        self._handlers = handlers or {}
        self._functions = {function.name: function for function in functions}
        self._flows: dict[str, FunctionFlow] = {}

    def find(self, name: str) -> FunctionFlow | None:
        """The flow of a function, ``None`` if the object has no such function."""
        flow = self._flows.get(name)
        if flow is None and name in self._functions:
            flow = flow_of(self._functions[name])
            handler = self._handlers.get(name)
            if handler is not None:
                flow = replace(flow, callbacks=(*flow.callbacks, handler))
            self._flows[name] = flow
        return flow

    def section_of(self, name: str) -> str | None:
        """The section a function is in, ``None`` if the object has no such function."""
        function = self._functions.get(name)
        return None if function is None else function.section

    def graph(self, entry: str) -> CallGraph:
        """Everything ``entry`` reaches through calls and callbacks."""
        return graph_of(entry, self.find)


def graph_of(entry: str, find: Callable[[str], FunctionFlow | None]) -> CallGraph:
    """Everything ``entry`` reaches through calls and callbacks of the flows ``find`` gives."""
    found: dict[str, FunctionFlow] = {}
    missing: dict[str, None] = {}
    waiting = deque([entry])
    while waiting:
        name = waiting.popleft()
        if name in found or name in missing:
            continue
        flow = find(name)
        if flow is None:
            missing[name] = None
            continue
        found[name] = flow
        waiting.extend([*flow.calls, *flow.callbacks])
    return CallGraph(tuple(found.values()), tuple(missing), _is_recursive(found))


def _is_recursive(flows: Mapping[str, FunctionFlow]) -> bool:
    """Whether calls form a cycle (callbacks may call what called their caller)."""
    callers = dict.fromkeys(flows, 0)
    for flow in flows.values():
        for name in flow.calls:
            if name in callers:
                callers[name] += 1
    free = [name for name, count in callers.items() if count == 0]
    removed = 0
    while free:
        removed += 1
        for name in flows[free.pop()].calls:
            if name in callers:
                callers[name] -= 1
                if callers[name] == 0:
                    free.append(name)
    return removed != len(flows)
