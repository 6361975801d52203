"""Control flow inside a function, and which functions reach which.

Only what control flow can reach from the entry counts: a helper call in dead code gives no
permission. Source of the instruction forms: RFC 9669, section 4.3; ``may_goto`` and ``gotox`` from
the kernel's ``include/uapi/linux/bpf.h``.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import Function, Relocation

LDDW = 0x18
CALL = 0x85
EXIT = 0x95
GOTO = 0x05
GOTOL = 0x06
GOTOX = 0x0D
MAY_GOTO = 0xE5

_HAS_TARGET = bytes(op & 7 in {5, 6} and op not in {CALL, 0x8D, EXIT, GOTOX} for op in range(256))
"""1 for jumps with a target of their own, by opcode."""

_PACKET_LOADS = frozenset({0x20, 0x28, 0x30, 0x40, 0x48, 0x50})


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that run one after another.

    Attributes:
        start: first slot.
        end: slot behind the last.
        successors: first slots of the blocks that may follow; for a conditional jump the one
            behind it comes first, the target second.
    """

    start: int
    end: int
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionFlow:
    """A function with its reachable blocks.

    Attributes:
        function: the code.
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


def jump_target(slot: int, instruction: Instruction) -> int:
    """Slot a jump at ``slot`` goes to."""
    distance = instruction.immediate if instruction.opcode == GOTOL else instruction.offset
    return slot + 1 + distance


def flow_of(function: Function) -> FunctionFlow:
    """Blocks, reachability, back edges, calls."""
    instructions = function.instructions
    count = len(instructions)
    relocations = {relocation.slot: relocation for relocation in function.relocations}
    has_indirect_jumps = any(instruction[0] == GOTOX for instruction in instructions)
    leaders, ends = _scan(instructions, every_slot=has_indirect_jumps)
    starts = sorted(leaders)
    blocks: dict[int, Block] = {}
    leaving = set()
    for start, end in zip(starts, [*starts[1:], count], strict=False):
        last = ends.get(end, -1)
        successors = _successors(instructions, last, end)
        if instructions[last].opcode == GOTOX:
            successors = tuple(starts)
        inside = tuple(slot for slot in successors if 0 <= slot < count)
        if len(inside) != len(successors):
            leaving.add(start)
        blocks[start] = Block(start, end, inside)
    order, back_edges = _walk(blocks) if count else ((), ())
    calls: list[int] = []
    packet_loads: list[int] = []
    reached = 0
    for start in order:
        block = blocks[start]
        reached += block.end - start
        for slot, instruction in enumerate(instructions[start : block.end], start):
            opcode = instruction[0]
            if opcode == CALL:
                calls.append(slot)
            elif opcode == LDDW:
                reached -= 1
            elif opcode in _PACKET_LOADS:
                packet_loads.append(slot)
    named = [relocations[slot] for slot in calls if slot in relocations]
    return FunctionFlow(
        function=function,
        blocks={start: blocks[start] for start in order},
        relocations=relocations,
        back_edges=back_edges,
        call_slots=tuple(calls),
        packet_load_slots=tuple(packet_loads),
        calls=_names(named, "call"),
        callbacks=_names(_inside(blocks, order, relocations), "function_address"),
        leaves_function=count == 0 or any(start in leaving for start in order),
        has_indirect_jumps=has_indirect_jumps,
        instructions=reached,
    )


def _inside(
    blocks: Mapping[int, Block], order: Sequence[int], relocations: Mapping[int, Relocation]
) -> list[Relocation]:
    """Relocations in the blocks of ``order``."""
    return [
        relocations[slot]
        for start in order
        for slot in range(start, blocks[start].end)
        if slot in relocations
    ]


def _names(relocations: Sequence[Relocation], kind: str) -> tuple[str, ...]:
    return tuple({entry.name: None for entry in relocations if entry.kind == kind})


def _scan(
    instructions: Sequence[Instruction], *, every_slot: bool
) -> tuple[set[int], dict[int, int]]:
    """First slots of blocks, and the slot of the last instruction of a block by its end."""
    count = len(instructions)
    leaders = {0} if count else set()
    ends: dict[int, int] = {}
    slot = 0
    while slot < count:
        opcode = instructions[slot][0]
        behind = slot + 1
        if opcode == LDDW:
            behind = slot + 2
        elif _HAS_TARGET[opcode]:
            leaders.add(jump_target(slot, instructions[slot]))
            leaders.add(behind)
        elif opcode in {EXIT, GOTOX}:
            leaders.add(behind)
        if every_slot:
            leaders.add(slot)
        ends[behind] = slot
        slot = behind
    return {leader for leader in leaders if 0 <= leader < count}, ends


def _successors(instructions: Sequence[Instruction], last: int, end: int) -> tuple[int, ...]:
    """Where control goes behind ``last``, the last instruction of a block that ends at ``end``.

    ``last`` is -1 if the block ends in the middle of an ``lddw``; nothing follows then.
    """
    if last < 0:
        return (-1,)
    instruction = instructions[last]
    opcode = instruction.opcode
    if opcode in {EXIT, GOTOX}:
        return ()
    if opcode in {GOTO, GOTOL}:
        return (jump_target(last, instruction),)
    if _HAS_TARGET[opcode]:
        return (end, jump_target(last, instruction))
    return (end,)


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

    def __init__(self, functions: Sequence[Function]) -> None:
        self._functions = {function.name: function for function in functions}
        self._flows: dict[str, FunctionFlow] = {}

    def find(self, name: str) -> FunctionFlow | None:
        """The flow of a function, ``None`` if the object has no such function."""
        flow = self._flows.get(name)
        if flow is None and name in self._functions:
            flow = self._flows[name] = flow_of(self._functions[name])
        return flow

    def graph(self, entry: str) -> CallGraph:
        """Everything ``entry`` reaches through calls and callbacks."""
        found: dict[str, FunctionFlow] = {}
        missing: dict[str, None] = {}
        waiting = deque([entry])
        while waiting:
            name = waiting.popleft()
            if name in found or name in missing:
                continue
            flow = self.find(name)
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
