"""The abstract interpreter of one function; see :mod:`.data_flow` for what it is good for.

Instruction semantics: RFC 9669, sections 4 and 5.
"""

from heapq import heappop, heappush
from typing import Protocol

from skep.bytecode.analysis.assumptions import ASSUMED, CHANGED, SHIFTED, Assumptions
from skep.bytecode.analysis.contexts import ContextLayout
from skep.bytecode.analysis.control_flow import PACKET_LOADS, FunctionFlow
from skep.bytecode.analysis.effects import (
    CALLBACK_HELPERS,
    READ_ONLY,
    TAIL_CALL,
    as_outer,
    callback_arguments,
    callbacks_in,
    helper_result,
)
from skep.bytecode.analysis.flow_facts import Arguments, FunctionFacts
from skep.bytecode.analysis.frames import State, forget_numbers
from skep.bytecode.analysis.values import (
    ANYTHING,
    CONTEXT,
    EVERY_KIND,
    FRAME,
    FUNCTION,
    MAP,
    MAP_VALUE,
    MASK32,
    MASK64,
    OUTER,
    PACKET,
    UNKNOWN,
    UNKNOWN32,
    Pointer,
    Value,
    compute,
    join,
    move,
    split,
    widened,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS

_VISITS_BEFORE_WIDENING = 20
_DEEPEST = -512  # bytes below r10 that the kernel allows

_SIZES = (4, 2, 1, 8)  # by the two size bits of loads and stores
_FRAME_TOP = Pointer(FRAME, 0)
_ZERO_EXTENDED = (UNKNOWN32, UNKNOWN32, UNKNOWN32, UNKNOWN)


class Surroundings(Protocol):
    """What a function needs from the analysis it is part of."""

    @property
    def layout(self) -> ContextLayout:
        """What r1 of an entry points to."""

    @property
    def assumptions(self) -> Assumptions:
        """What is taken as known of the kernel and of read-only data."""

    def invoke(self, caller: FunctionFacts, name: str, arguments: Arguments) -> Value:
        """Call a function of the object; its result."""

    def allowance(self) -> int:
        """Steps the function may take."""

    def spend(self, steps: int) -> None:
        """Note that steps were taken."""


class Interpreter:
    """One function, one tuple of arguments."""

    def __init__(self, analysis: Surroundings, flow: FunctionFlow, facts: FunctionFacts) -> None:
        self.analysis = analysis
        self.flow = flow
        self.facts = facts
        assumptions = analysis.assumptions
        self.code, self.assumed = assumptions.code_of(flow.function)
        self.weak = assumptions.weak
        self.read_only = assumptions.read_only
        self.constants = assumptions.constants
        self.byteorder = assumptions.byteorder
        self.tail_calls_leave = assumptions.tail_calls_leave
        self.relocations = flow.relocations
        self.packet_fields = analysis.layout.packet_fields
        self.context_is_known = analysis.layout.is_known
        self.order = {start: index for index, start in enumerate(flow.blocks)}
        self.starts = list(flow.blocks)
        self.states: dict[int, State] = {}
        self.waiting: list[int] = []
        self.queued: set[int] = set()
        self.lowest = 0
        self.is_open = False

    def run(self, arguments: Arguments) -> None:
        """Interpret until nothing changes, or a limit is met."""
        flow = self.flow
        if not flow.blocks or flow.has_indirect_jumps:
            self.facts.is_resolved = False
            return
        registers: list[Value] = [UNKNOWN] * 16
        registers[1:6] = arguments
        registers[10] = _FRAME_TOP
        self._reach(0, registers, {}, is_open=False)
        left = self.analysis.allowance()
        allowance = left
        while self.waiting:
            index = heappop(self.waiting)
            self.queued.discard(index)
            block = flow.blocks[self.starts[index]]
            left -= block.end - block.start
            if left < 0:
                self.facts.is_resolved = False
                break
            self._interpret(block.start, block.end, block.successors)
        self.facts.frame_bytes = -self.lowest
        self.facts.blocks = set(self.states)
        self.analysis.spend(allowance - left)

    def _reach(
        self, start: int, registers: list[Value], stack: dict[int, Value], *, is_open: bool
    ) -> None:
        """Join a state into a block; if that changed it, the block waits to be interpreted."""
        state = self.states.get(start)
        if state is None:
            self.states[start] = State(list(registers), dict(stack), is_open)
            heappush(self.waiting, self.order[start])
            self.queued.add(self.order[start])
            return
        wide = state.visits > _VISITS_BEFORE_WIDENING
        changed = is_open and not state.is_open
        old = state.registers
        if old != registers:
            for index in range(11):
                before, now = old[index], registers[index]
                if before is now or before == now:
                    continue
                joined = join(before, now)
                if joined != before:
                    old[index] = widened(before, joined) if wide else joined
                    changed = True
        if state.stack != stack:
            changed = state.join_stack(stack, is_open=is_open, wide=wide) or changed
        state.is_open = state.is_open or is_open
        index = self.order[start]
        if changed and index not in self.queued:
            self.queued.add(index)
            heappush(self.waiting, index)

    def _interpret(self, start: int, end: int, successors: tuple[int, ...]) -> None:
        state = self.states[start]
        state.visits += 1
        regs = list(state.registers)
        stack = dict(state.stack)
        self.is_open = state.is_open
        code = self.code
        opcode = 0
        slot = start
        while slot < end:
            opcode, dst, src, offset, immediate = code[slot]
            group = opcode & 7
            if opcode == 0xBF and not offset:
                regs[dst] = regs[src]
            elif opcode == 0xB7:
                regs[dst] = immediate & MASK64
            elif group == 1:
                regs[dst] = self._load(slot, opcode, regs[src], offset, stack)
            elif group in {2, 3}:
                if opcode & 0xE0 == 0xC0 and group == 3:
                    self._atomic(slot, code[slot], regs, stack)
                else:
                    value = regs[src] if group == 3 else immediate & MASK64
                    self._store(slot, _SIZES[opcode >> 3 & 3], regs[dst], offset, value, stack)
            elif group in {4, 7}:
                regs[dst] = self._compute(code[slot], regs)
            elif opcode == 0x85:
                self._call(slot, code[slot], regs, stack)
                if self.tail_calls_leave and code[slot][4] == TAIL_CALL and not code[slot][2]:
                    return
            elif opcode == 0x95:
                self.facts.exits[slot] = regs[0]
            elif opcode == 0x18:
                regs[dst] = self._wide(slot, immediate)
                slot += 1
            elif (
                opcode in PACKET_LOADS
            ):  # LD_ABS, LD_IND: outside the packet the function returns 0
                self.facts.exits[slot] = 0
                regs[0] = UNKNOWN32
                regs[1:6] = [UNKNOWN] * 5
            slot += 1
        if len(successors) == 2:
            self._branch(code[end - 1], successors, regs, stack)
        else:
            for successor in successors:
                self._reach(successor, regs, stack, is_open=self.is_open)

    def _branch(
        self,
        instruction: Instruction,
        successors: tuple[int, ...],
        regs: list[Value],
        stack: dict[int, Value],
    ) -> None:
        opcode, dst, src, _, immediate = instruction
        bits = 64 if opcode & 7 == 5 else 32
        operation = opcode & 0xF0
        compared = dst
        if opcode & 8:
            other = regs[src]
            turned = isinstance(regs[dst], int) and not isinstance(other, int)
            if turned and operation in {0x10, 0x50}:  # the two that read the same both ways
                compared, other = src, regs[dst]
        else:
            other = immediate & MASK64
        outcomes = split(operation, regs[compared], other, bits)
        before = regs[compared]
        for successor, outcome in zip(successors, outcomes, strict=True):
            if outcome is not None:
                regs[compared] = outcome
                self._reach(successor, regs, stack, is_open=self.is_open)
        regs[compared] = before

    def _compute(self, instruction: Instruction, regs: list[Value]) -> Value:
        opcode, dst, src, offset, immediate = instruction
        if opcode > 0xFF:
            if opcode == ASSUMED:
                return self.assumed[immediate]
            opcode ^= CHANGED
            bits = 64 if opcode & 7 == 7 else 32
            return compute(opcode & 0xF0, regs[dst], self.assumed[immediate], bits)
        operation = opcode & 0xF0
        bits = 64 if opcode & 7 == 7 else 32
        other = regs[src] if opcode & 8 else immediate & MASK64
        if operation == 0xB0:
            return move(other, bits, offset)
        if operation == 0x80:
            return compute(0x10, 0, regs[dst], bits)
        if operation == 0xD0:
            return UNKNOWN if immediate == 64 else UNKNOWN32
        if offset and operation in {0x30, 0x90}:  # signed division
            return UNKNOWN if bits == 64 else UNKNOWN32
        result = compute(operation, regs[dst], other, bits)
        if isinstance(result, Pointer) and result.kinds == FRAME and result.offset is not None:
            self.lowest = min(self.lowest, result.offset)
        return result

    def _wide(self, slot: int, immediate: int) -> Value:
        relocation = self.relocations.get(slot)
        if relocation is None:
            instruction = self.code[slot]
            if instruction.src:
                return ANYTHING  # a descriptor or number of this very kernel
            high = self.code[slot + 1].immediate if slot + 1 < len(self.code) else 0
            return (high & MASK32) << 32 | immediate & MASK32
        if relocation.kind == "map":
            return Pointer(MAP, 0, relocation.name)
        if relocation.kind == "map_value":
            return Pointer(MAP_VALUE, relocation.addend, relocation.name)
        if relocation.kind == "function_address":
            return Pointer(FUNCTION, 0, relocation.name)
        return self.weak.get(relocation.name, UNKNOWN)

    def _load(
        self, slot: int, opcode: int, base: Value, offset: int, stack: dict[int, Value]
    ) -> Value:
        size_bits = opcode >> 3 & 3
        unknown = _ZERO_EXTENDED[size_bits] if opcode & 0xE0 == 0x60 else UNKNOWN
        if not isinstance(base, Pointer):
            return unknown
        kinds = base.kinds
        if not kinds:
            return unknown
        if offset == SHIFTED:
            return self._load_somewhere(slot, base, unknown, is_wide=size_bits == 3)
        if kinds == MAP_VALUE:
            return self._constant(opcode, base, offset, unknown)
        if kinds == FRAME:
            if base.offset is None:
                return ANYTHING if self.is_open else unknown
            place = base.offset + offset
            self.lowest = min(self.lowest, place)
            if size_bits == 3:
                found = stack.get(place)
                if found is not None:
                    return found
                return ANYTHING if self.is_open else unknown
            return unknown
        if kinds == PACKET:
            self.facts.packet_loads.add(slot)
            return unknown
        if kinds == CONTEXT:
            if not self.context_is_known or base.offset is None:
                return ANYTHING
            name = self.packet_fields.get(base.offset + offset)
            if name is None:
                return unknown
            return UNKNOWN if name.endswith("data_end") else Pointer(PACKET, 0)
        if kinds & PACKET:
            self.facts.maybe_packet_loads.add(slot)
        return ANYTHING if kinds & (OUTER | CONTEXT | FRAME) else unknown

    def _load_somewhere(self, slot: int, base: Pointer, unknown: Value, *, is_wide: bool) -> Value:
        """A load whose offset the loader will change."""
        if base.kinds & PACKET:
            exact = base.kinds == PACKET
            (self.facts.packet_loads if exact else self.facts.maybe_packet_loads).add(slot)
        from_context = base.kinds & CONTEXT and (self.packet_fields or not self.context_is_known)
        from_stack = base.kinds & (FRAME | OUTER) and is_wide
        return ANYTHING if from_context or from_stack else unknown

    def _constant(self, opcode: int, base: Pointer, offset: int, unknown: Value) -> Value:
        """A load from a map's value: known if that is read-only data of a known value."""
        if base.offset is None or base.name not in self.read_only:
            return unknown
        self.facts.reads_constants = True
        data = self.constants.get(base.name, b"")
        start, size = base.offset + offset, _SIZES[opcode >> 3 & 3]
        if start < 0 or start + size > len(data):
            return unknown
        is_signed = opcode & 0xE0 == 0x80
        number = int.from_bytes(data[start : start + size], self.byteorder, signed=is_signed)
        return number & MASK64

    def _store(
        self,
        slot: int,
        size: int,
        base: Value,
        offset: int,
        value: Value,
        stack: dict[int, Value],
    ) -> None:
        if isinstance(value, Pointer) and value.kinds & FUNCTION and value.kinds != EVERY_KIND:
            self.facts.is_resolved = False  # a callback we could lose sight of
        if not isinstance(base, Pointer) or not base.kinds:
            return
        kinds = base.kinds
        if offset == SHIFTED:
            base, offset = Pointer(kinds, None, base.name), 0
        if kinds & FRAME:
            if base.offset is None or kinds != FRAME:
                if isinstance(value, Pointer) and value.kinds:
                    self._open(stack)
                else:
                    forget_numbers(stack, _DEEPEST)
            else:
                place = base.offset + offset
                self.lowest = min(self.lowest, place)
                stack.pop(place & ~7, None)
                stack.pop((place + size - 1) & ~7, None)
                is_slot = size == 8 and not place & 7 and _DEEPEST <= place < 0
                if is_slot and (value != UNKNOWN or self.is_open):
                    stack[place] = value
            if kinds == FRAME:
                return
        if kinds & PACKET:
            exact = kinds == PACKET
            (self.facts.packet_stores if exact else self.facts.maybe_packet_stores).add(slot)
        if kinds & MAP_VALUE:
            exact = kinds == MAP_VALUE
            (self.facts.map_stores if exact else self.facts.maybe_map_stores).add(slot)
        if kinds & CONTEXT:
            known = base.offset is not None and kinds == CONTEXT and self.context_is_known
            place_or_none = base.offset + offset if known and base.offset is not None else None
            self.facts.context_stores.add((slot, place_or_none, size))

    def _atomic(
        self, slot: int, instruction: Instruction, regs: list[Value], stack: dict[int, Value]
    ) -> None:
        opcode, dst, src, offset, immediate = instruction
        size_bits = opcode >> 3 & 3
        if immediate == 0x100:  # load-acquire
            regs[dst] = self._load(slot, opcode & 0x1F | 0x60, regs[src], offset, stack)
            return
        value = regs[src] if immediate == 0x110 else UNKNOWN  # 0x110: store-release
        self._store(slot, _SIZES[size_bits], regs[dst], offset, value, stack)
        if immediate == 0xF1:
            regs[0] = _ZERO_EXTENDED[size_bits]
        elif immediate & 1:
            regs[src] = _ZERO_EXTENDED[size_bits]

    def _call(
        self, slot: int, instruction: Instruction, regs: list[Value], stack: dict[int, Value]
    ) -> None:
        arguments = tuple(regs[1:6])
        relocation = self.relocations.get(slot)
        if relocation is not None and relocation.kind == "call":
            given = tuple(map(as_outer, arguments))
            regs[0] = self.analysis.invoke(self.facts, relocation.name, given)
            self._share_frame(arguments, stack)
        else:
            earlier = self.facts.calls.get(slot)
            if earlier is not None and earlier != arguments:
                arguments = tuple(map(join, earlier, arguments))
            self.facts.calls[slot] = arguments
            helper: int | None = None
            if relocation is not None:
                name = relocation.name.partition("___")[0]
                self.facts.throws = self.facts.throws or name == "bpf_throw"
                is_known = name in KERNEL_FUNCTIONS
                regs[0] = UNKNOWN if is_known else ANYTHING
            elif instruction.src == 0:
                helper = instruction.immediate
                regs[0] = helper_result(helper, arguments, is_known=helper in HELPERS)
            else:
                regs[0] = ANYTHING
                # A kernel function by number of one kernel, or a call to nowhere.
                self.facts.is_resolved = self.facts.is_resolved and instruction.src == 2
            callbacks = callbacks_in(arguments)
            if "" in callbacks or (not callbacks and helper in CALLBACK_HELPERS):
                self.facts.is_resolved = False
            for callback in filter(None, callbacks):
                given = callback_arguments(helper, arguments)
                self.analysis.invoke(self.facts, callback, given)
            if callbacks:
                self._share_frame(arguments, stack)
            if helper not in READ_ONLY:
                self._scribble(arguments, stack)
        regs[1:6] = [UNKNOWN] * 5

    def _share_frame(self, arguments: Arguments, stack: dict[int, Value]) -> None:
        """A function of ours got a pointer into our frame and may have written anything."""
        if any(isinstance(value, Pointer) and value.kinds & FRAME for value in arguments):
            self._open(stack)

    def _open(self, stack: dict[int, Value]) -> None:
        """Pointers may have been written anywhere into the frame."""
        self.is_open = True
        stack.clear()

    def _scribble(self, arguments: Arguments, stack: dict[int, Value]) -> None:
        """The kernel may have written numbers behind pointers into our frame.

        Spilled pointers stay: if they were overwritten, the verifier lets nobody follow them.
        """
        for value in arguments:
            if isinstance(value, Pointer) and value.kinds & FRAME:
                forget_numbers(stack, _DEEPEST if value.offset is None else value.offset & ~7)
