"""The abstract interpreter of one function; see :mod:`.data_flow` for what it is good for.

Instruction semantics: RFC 9669, sections 4 and 5.
"""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Protocol

from skep.bytecode.analysis.accessing import SIZES, Memory
from skep.bytecode.analysis.arithmetic import compute, move
from skep.bytecode.analysis.assumptions import ASSUMED, CHANGED, Assumptions
from skep.bytecode.analysis.branching import MIRRORED, split
from skep.bytecode.analysis.calling import Calls
from skep.bytecode.analysis.contexts import XDP_MD, ContextLayout
from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.effects import (
    CALLBACK_HELPERS,
    as_outer,
    callback_arguments,
    callbacks_in,
    runs_later,
)
from skep.bytecode.analysis.flow_facts import Arguments, FunctionFacts
from skep.bytecode.analysis.frames import Escapes, FrameState, Stack
from skep.bytecode.analysis.values import (
    ANYTHING,
    FRAME,
    FUNCTION,
    KERNEL,
    MAP,
    MAP_VALUE,
    MASK32,
    MASK64,
    UNKNOWN,
    UNKNOWN32,
    Pointer,
    Value,
    join,
    widened,
)
from skep.bytecode.isa.codes import (
    ARITHMETIC_CLASSES,
    CALL,
    CALLX,
    COPY,
    COPY_NUMBER,
    EXIT,
    LDDW,
    PACKET_LOADS,
    POISON,
    TAIL_CALL,
)
from skep.bytecode.isa.fields import (
    ATOMIC,
    CLASS,
    CMPXCHG,
    DIV,
    END,
    LDX,
    LOAD_ACQUIRE,
    MEM,
    MOD,
    MODE,
    MOV,
    NEG,
    OPERATION,
    SIZE,
    ST,
    STORE_RELEASE,
    STX,
    SUB,
)
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import MapSpec, Relocation

_VISITS_BEFORE_WIDENING = 20
_FRAME_TOP = Pointer(FRAME, 0)
_THROW = "bpf_throw"


class Surroundings(Protocol):
    """What a function needs from the analysis it is part of."""

    @property
    def layout(self) -> ContextLayout:
        """What r1 of an entry points to."""

    @property
    def assumptions(self) -> Assumptions:
        """Facts assumed about the kernel and read-only data."""

    @property
    def maps(self) -> Mapping[str, MapSpec]:
        """Maps of the object, by name."""

    @property
    def escapes(self) -> Escapes:
        """Pointers that are left in stacks."""

    def invoke(self, caller: FunctionFacts, name: str, arguments: Arguments) -> Value | None:
        """Call a function of the object; its result, ``None`` if it never returns."""

    def allowance(self) -> int:
        """Steps the function may take."""

    def spend(self, steps: int) -> None:
        """Note that steps were taken."""


class CodeInterpreter:
    """One function, one tuple of arguments."""

    def __init__(self, analysis: Surroundings, flow: FunctionFlow, facts: FunctionFacts) -> None:
        self.analysis = analysis
        self.flow = flow
        self.facts = facts
        assumptions = analysis.assumptions
        self.code, self.assumed = assumptions.code_of(flow.function)
        self.weak = assumptions.weak
        self.extern_kinds = assumptions.extern_kinds
        self.tail_calls_leave = assumptions.tail_calls_leave
        self.relocations = flow.relocations
        self.escapes = analysis.escapes
        self.memory = Memory(analysis.layout, assumptions, facts, analysis.escapes)
        is_xdp = analysis.layout is XDP_MD
        self.calls = Calls(self.memory, facts, analysis.maps, is_xdp=is_xdp)
        self.order = {start: index for index, start in enumerate(flow.blocks)}
        self.starts = list(flow.blocks)
        self.states: dict[int, FrameState] = {}
        self.waiting: list[int] = []
        self.queued: set[int] = set()

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
        self.facts.frame_bytes = -self.memory.lowest
        self.facts.blocks = set(self.states)
        self.analysis.spend(allowance - left)

    def _reach(self, start: int, registers: list[Value], stack: Stack, *, is_open: bool) -> None:
        """Join a state into a block; if that changed it, the block waits to be interpreted."""
        state = self.states.get(start)
        if state is None:
            self.states[start] = FrameState(list(registers), dict(stack), is_open)
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
            missing = self.escapes.read() if is_open else UNKNOWN
            changed = state.join_stack(stack, missing, wide=wide) or changed
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
        self.memory.is_open = state.is_open
        memory = self.memory
        code = self.code
        opcode = 0
        slot = start
        while slot < end:
            opcode, dst, src, offset, immediate = code[slot]
            group = opcode & 7
            if opcode == COPY and not offset:
                regs[dst] = regs[src]
            elif opcode == COPY_NUMBER:
                regs[dst] = immediate & MASK64
            elif group == LDX:
                regs[dst] = memory.load(slot, opcode, regs[src], offset, stack)
            elif group in {ST, STX}:
                if opcode & MODE == ATOMIC and group == STX:
                    self._atomic(slot, code[slot], regs, stack)
                else:
                    value = regs[src] if group == STX else immediate & MASK64
                    memory.store(slot, SIZES[opcode >> 3 & 3], regs[dst], offset, value, stack)
            elif group in ARITHMETIC_CLASSES:
                regs[dst] = self._compute(code[slot], regs)
            elif opcode == CALL:
                if self._call(slot, code[slot], regs, stack):
                    return
            elif opcode == EXIT:
                self.facts.exits[slot] = regs[0]
            elif opcode == CALLX:  # which no kernel accepts
                self.facts.is_resolved = False
                regs[0] = ANYTHING
            elif opcode == LDDW:
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
                self._reach(successor, regs, stack, is_open=self.memory.is_open)

    def _branch(
        self,
        instruction: Instruction,
        successors: tuple[int, ...],
        regs: list[Value],
        stack: Stack,
    ) -> None:
        opcode, dst, src, _, immediate = instruction
        bits = 64 if opcode & 7 == 5 else 32
        operation = opcode & OPERATION
        compared = dst
        if opcode & 8:
            other = regs[src]
            turned = isinstance(regs[dst], int) and not isinstance(other, int)
            if turned:
                compared, other = src, regs[dst]
                operation = MIRRORED.get(operation, operation)
        else:
            other = immediate & MASK64
        outcomes = split(operation, regs[compared], other, bits)
        before = regs[compared]
        for successor, outcome in zip(successors, outcomes, strict=True):
            if outcome is not None:
                regs[compared] = outcome
                self._reach(successor, regs, stack, is_open=self.memory.is_open)
        regs[compared] = before

    def _compute(self, instruction: Instruction, regs: list[Value]) -> Value:
        opcode, dst, src, offset, immediate = instruction
        if opcode > 0xFF:
            if opcode == ASSUMED:
                return self.assumed[immediate]
            opcode ^= CHANGED
            if opcode & OPERATION == END:  # whatever width the loader puts in
                return UNKNOWN
            bits = 64 if opcode & 7 == 7 else 32
            return compute(opcode & OPERATION, regs[dst], self.assumed[immediate], bits)
        operation = opcode & OPERATION
        bits = 64 if opcode & 7 == 7 else 32
        other = regs[src] if opcode & 8 else immediate & MASK64
        if operation == MOV:
            return move(other, bits, offset)
        if operation == NEG:
            return compute(SUB, 0, regs[dst], bits)
        if operation == END:
            return UNKNOWN if immediate == 64 else UNKNOWN32
        if offset and operation in {DIV, MOD}:  # signed division
            return UNKNOWN if bits == 64 else UNKNOWN32
        result = compute(operation, regs[dst], other, bits)
        if isinstance(result, Pointer) and result.kinds == FRAME and result.offset is not None:
            self.memory.lowest = min(self.memory.lowest, result.offset)
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
        return self._extern(relocation)

    def _extern(self, relocation: Relocation) -> Value:
        """The address of something the kernel or the loader provides."""
        weak = self.weak.get(relocation.name)
        if weak is not None:
            return weak
        kind = self.extern_kinds.get(relocation.name, "")
        if kind == "kconfig":
            return Pointer(MAP_VALUE, 0, relocation.name)
        return Pointer(KERNEL, 0, relocation.name) if kind == "kernel_variable" else UNKNOWN

    def _atomic(self, slot: int, instruction: Instruction, regs: list[Value], stack: Stack) -> None:
        opcode, dst, src, offset, immediate = instruction
        size = SIZES[opcode >> 3 & 3]
        plain = opcode & (CLASS | SIZE) | MEM
        if immediate == LOAD_ACQUIRE:
            regs[dst] = self.memory.load(slot, plain, regs[src], offset, stack)
            return
        narrow: Value = UNKNOWN if size == 8 else UNKNOWN32
        fetched = narrow
        if immediate != STORE_RELEASE:  # all others read first
            old = self.memory.load(slot, plain, regs[dst], offset, stack)
            # The verifier fills the register as a load does: spilled pointers come back, too
            # (check_atomic_rmw in kernel/bpf/verifier.c, measured on Linux 6.18).
            fetched = old if isinstance(old, Pointer) else narrow
        value = regs[src] if immediate == STORE_RELEASE else UNKNOWN
        self.memory.store(slot, size, regs[dst], offset, value, stack)
        # What was there may be a pointer: the verifier fills the register like any load.
        if immediate == CMPXCHG:
            regs[0] = fetched
        elif immediate & 1:
            regs[src] = fetched

    def _call(self, slot: int, instruction: Instruction, regs: list[Value], stack: Stack) -> bool:
        """Whether no code runs after the call."""
        arguments = tuple(regs[1:6])
        relocation = self.relocations.get(slot)
        if relocation is not None and relocation.kind == "call":
            given = tuple(map(as_outer, arguments))
            result = self.analysis.invoke(self.facts, relocation.name, given)
            if result is None:
                self.facts.stopped.add(slot)
                return True
            self.facts.passed.add(slot)
            regs[0] = result
            self._share_frame(arguments, stack)
            regs[1:6] = [UNKNOWN] * 5
            return False
        earlier = self.facts.calls.get(slot)
        if earlier is not None and earlier != arguments:
            self.facts.calls[slot] = tuple(map(join, earlier, arguments))
        else:
            self.facts.calls[slot] = arguments
        helper: int | None = None
        name = ""
        if relocation is not None:
            name = relocation.name.partition("___")[0]
        elif instruction.src == 0:
            helper = instruction.immediate
        else:
            # A kernel function by number of one kernel, or a call to nowhere.
            self.facts.is_resolved = self.facts.is_resolved and instruction.src == 2
        if helper == POISON:
            self.facts.stopped.add(slot)
            return True  # only where the verifier finds that control never comes here
        if name == _THROW:
            thrown = self.facts.thrown.get(slot)
            self.facts.thrown[slot] = arguments[0] if thrown is None else join(thrown, arguments[0])
            return True
        regs[0] = self.calls.call(slot, helper, name, arguments, stack)
        callbacks = callbacks_in(arguments)
        if "" in callbacks or (not callbacks and helper in CALLBACK_HELPERS):
            self.facts.is_resolved = False
        for callback in filter(None, callbacks):
            given = callback_arguments(helper, name, arguments)
            if runs_later(helper, name):
                self.facts.later[callback, given] = None
            else:
                self.analysis.invoke(self.facts, callback, given)
        if callbacks:
            self._share_frame(arguments, stack)
        regs[1:6] = [UNKNOWN] * 5
        if helper == TAIL_CALL:
            self.facts.hands_over = True
        return self.tail_calls_leave and helper == TAIL_CALL

    def _share_frame(self, arguments: Arguments, stack: Stack) -> None:
        """A function of ours got a pointer into our frame and may have written anything."""
        if any(isinstance(value, Pointer) and value.kinds & FRAME for value in arguments):
            self.memory.open(stack)
