"""Which stack slots a member may read before it has written them.

The kernel lets privileged programs read stack that nobody wrote (since Linux 6.3). Alone they find
what the kernel left there; in a chain they would find what the members before them wrote. So such
slots are cleared where a member begins: it finds zeros, whoever was there before.

The entry function is walked forwards. For each byte of its frame the walk knows whether it was
certainly written; for each register, whether it holds an address in the frame, and which. What is
loaded, or given to a call, before it was certainly written is to be cleared:

* a helper that is given an address reads as much as the map, the size beside it or the top of the
  frame allow; it never counts as writing, save for those that always fill what they are given;
* a subprogram that is given an address may read all of the frame, for it can count from there;
* so may whoever loads an address of the frame that was stored somewhere, and whoever adds a number
  that is not known to one.

Compilers write what they read, so for most members this finds nothing.

Each call of a subprogram has a frame of its own, but where a subprogram of another member had its
frame. So subprograms are walked and cleared too. How deep their frames are the verifier does not
say: where all of a frame may be read, it is cleared down to the lowest address the function names.
A function that computes a lower one finds what was last on the kernel's stack, as any program does.

Source: ``check_stack_read`` and ``check_stack_range_initialized`` in kernel/bpf/verifier.c of
Linux 6.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from skep.bytecode.analysis.control_flow import Block
from skep.bytecode.isa.call_arguments import HELPER_ARGUMENTS, KERNEL_FUNCTION_ARGUMENTS
from skep.bytecode.isa.codes import CALL, LDDW, PSEUDO_CALL, PSEUDO_MAP_INDEX
from skep.bytecode.isa.fields import (
    ADD,
    ALU,
    ALU64,
    ATOMIC,
    BY_REGISTER,
    CMPXCHG,
    FETCH,
    LDX,
    LOAD_ACQUIRE,
    MODE,
    MOV,
    SIZE,
    SIZE_BYTES,
    ST,
    STORE_RELEASE,
    STX,
    SUB,
)
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import MapPlan
from skep.bytecode.linking.sharing import MOST_MEMBER_STACK_BYTES, STACK_BYTES
from skep.chains.functions import (
    blocks_of,
    entry_slots,
    fixpoint,
    function_ranges,
    kernel_function_names,
    moved_lines,
    slots_of,
)
from skep.chains.member import Member

STACK_SLOT_BYTES = 8
STORE_ZERO = 0x7A  # *(u64 *)(dst + offset) = immediate

_R0, _R1, _R10 = 0, 1, 10
_ARGUMENTS = range(1, 6)

_LOOKUP, _UPDATE, _DELETE = 1, 2, 3
_KEYS = {_LOOKUP: 2, _UPDATE: 2, _DELETE: 2}  # helpers with a map in r1: register of its key
_VALUES = {_UPDATE: 3}
_PER_CPU = frozenset({5, 6, 10, 21})  # kinds of maps whose values are copied in whole words
# Helpers that fill what they are given even when they fail: register of the address.
_FILLS = {
    4: 1,  # probe_read
    26: 3,  # skb_load_bytes
    68: 3,  # skb_load_bytes_relative
    112: 1,  # probe_read_user
    113: 1,  # probe_read_kernel
}


@dataclass(frozen=True, slots=True)  # no tuples: values of different kinds are never equal
class _Frame:
    """An address in the frame, so many bytes from its top; ``None`` for one that is not known."""

    offset: int | None


@dataclass(frozen=True, slots=True)
class _Number:
    value: int


@dataclass(frozen=True, slots=True)
class _Map:
    index: int


_Value = _Frame | _Number | _Map | None
_SOMEWHERE = _Frame(None)


class _State(NamedTuple):
    """What is certain at a place.

    Attributes:
        registers: what r0 to r10 hold.
        written: bytes of the frame, as bits; the lowest address is the lowest bit.
    """

    registers: tuple[_Value, ...]
    written: int


_EVERYTHING = (1 << STACK_BYTES) - 1


def unwritten_reads(member: Member) -> tuple[int, ...]:
    """Offsets from the frame pointer, ascending, of 8-byte slots to be cleared for ``member``."""
    return _Walk(member, range(entry_slots(member.program))).offsets()


def with_cleared_subprograms(member: Member) -> Member:
    """``member`` with subprograms that clear what they may read before they wrote it.

    The same member if there is nothing to clear.
    """
    program = member.program
    cleared = {
        slots.start: [
            Instruction(STORE_ZERO, _R10, 0, offset) for offset in _Walk(member, slots).offsets()
        ]
        for slots in function_ranges(program)[1:]
    }
    if not any(cleared.values()):
        return member
    code: list[Instruction] = []
    starts: dict[int, int] = {}
    places: dict[int, int] = {}
    for slots in function_ranges(program):
        starts[slots.start] = len(code)  # calls go to the stores, jumps to what stands behind them
        code += cleared.get(slots.start, ())
        places.update((slot, len(code) + slot - slots.start) for slot in slots)
        code += program.instructions[slots.start : slots.stop]
    for slot in slots_of(program.instructions, range(len(program.instructions))):
        each, new = program.instructions[slot], places[slot]
        if each.opcode == CALL and each.src == PSEUDO_CALL:
            # A call into the middle of a function is refused later, wherever it goes.
            target = starts.get(slot + 1 + each.immediate, -1)
            code[new] = each._replace(immediate=target - new - 1)
    plan = replace(
        program,
        instructions=tuple(code),
        subprograms=tuple(starts.values()),
        kernel_names=tuple(each._replace(slot=places[each.slot]) for each in program.kernel_names),
        # A chain has no types, and this kernel's lacks are told of members alone.
        poisons=(),
        functions=(),
        lines=moved_lines(program.lines, places),
    )
    return replace(member, program=plan)


class _Walk:
    """One function, walked once."""

    def __init__(self, member: Member, slots: range) -> None:
        self._first = slots.start
        self._code: Sequence[Instruction] = member.program.instructions[slots.start : slots.stop]
        self._maps: Sequence[MapPlan] = member.maps
        self._names = kernel_function_names(member.program)
        depth = MOST_MEMBER_STACK_BYTES if member.stack_bytes is None else member.stack_bytes
        depth = min(-(-depth // STACK_SLOT_BYTES) * STACK_SLOT_BYTES, MOST_MEMBER_STACK_BYTES)
        # Below what the verifier saw it use there is nothing that it could read. If that is not
        # known, the lowest slot is the context, which the member is given anyway.
        self._own = _bytes(-depth, depth)
        self._lowest = 0  # that an address with a name goes to
        if slots.start:
            self._own = _EVERYTHING
        self._registers: list[_Value] = []
        self._written = 0
        self._wanted = 0

    def offsets(self) -> tuple[int, ...]:
        registers: list[_Value] = [None] * 16  # as many as an instruction can name
        registers[_R10] = _Frame(0)
        fixpoint(blocks_of(self._code), _State(tuple(registers), 0), self._after, _join)
        slot = (1 << STACK_SLOT_BYTES) - 1
        lowest = max(self._lowest, -STACK_BYTES) // STACK_SLOT_BYTES * STACK_SLOT_BYTES
        return tuple(
            offset
            for offset in range(lowest if self._first else -STACK_BYTES, 0, STACK_SLOT_BYTES)
            if self._wanted & slot << STACK_BYTES + offset
        )

    def _after(self, block: Block, before: _State) -> Mapping[int, _State]:
        self._registers, self._written = list(before.registers), before.written
        for slot in slots_of(self._code, range(block.start, block.end)):
            self._step(slot, self._code[slot])
        after = _State(tuple(self._registers), self._written)
        return dict.fromkeys(block.successors, after)

    def _step(self, slot: int, each: Instruction) -> None:
        registers = self._registers
        kind = each.opcode & 7
        if each.opcode == LDDW:
            is_map = each.src == PSEUDO_MAP_INDEX
            registers[each.dst] = _Map(each.immediate) if is_map else None
        elif kind == ALU64:
            registers[each.dst] = self._calculated(each)
        elif kind == ALU:
            is_number = each.opcode == MOV | ALU
            registers[each.dst] = _Number(each.immediate & 0xFFFFFFFF) if is_number else None
        elif kind == LDX:
            self._read(registers[each.src], each.offset, SIZE_BYTES[each.opcode & SIZE])
            registers[each.dst] = None
        elif kind == ST:
            self._write(registers[each.dst], each.offset, SIZE_BYTES[each.opcode & SIZE])
        elif kind == STX:
            self._store(each)
        elif each.opcode == CALL:
            self._call(slot, each)
            registers[: max(_ARGUMENTS) + 1] = [None] * (max(_ARGUMENTS) + 1)

    def _calculated(self, each: Instruction) -> _Value:
        operation, mine = each.opcode & 0xF0, self._registers[each.dst]
        by: _Value = _Number(each.immediate)
        if each.opcode & BY_REGISTER:
            by = self._registers[each.src]
        if operation == MOV:
            return by if not each.offset else None  # an offset: sign extension, a number
        if operation == ADD and isinstance(by, _Frame):
            mine, by = by, mine
        if not isinstance(mine, _Frame) or operation not in (ADD, SUB):
            return None
        if mine.offset is None or not isinstance(by, _Number):
            return None if isinstance(by, _Frame) else _SOMEWHERE
        return _Frame(self._named(mine.offset + (by.value if operation == ADD else -by.value)))

    def _named(self, offset: int) -> int:
        self._lowest = min(self._lowest, offset)
        return offset

    def _store(self, each: Instruction) -> None:
        registers = self._registers
        size = SIZE_BYTES[each.opcode & SIZE]
        is_atomic = each.opcode & MODE == ATOMIC
        if is_atomic and each.immediate == LOAD_ACQUIRE:
            self._read(registers[each.src], each.offset, size)
            registers[each.dst] = None
            return
        if isinstance(registers[each.src], _Frame):
            self._expose()  # whoever loads it can read from there
        if not is_atomic:
            self._write(registers[each.dst], each.offset, size)
            return
        self._read(registers[each.dst], each.offset, size)
        if each.immediate == CMPXCHG:
            registers[_R0] = None
        elif each.immediate & FETCH and each.immediate != STORE_RELEASE:
            registers[each.src] = None

    def _call(self, slot: int, each: Instruction) -> None:
        if each.src == PSEUDO_CALL:
            if any(isinstance(self._registers[number], _Frame) for number in _ARGUMENTS):
                self._expose()
            return
        helper = None if each.src else each.immediate
        known = (
            KERNEL_FUNCTION_ARGUMENTS.get(self._names.get(self._first + slot, ""))
            if helper is None
            else HELPER_ARGUMENTS.get(helper)
        )
        roles: tuple[str, ...] = () if known is None else known.arguments
        filled = None if helper is None else _FILLS.get(helper)
        # A helper has its arguments for good; a function of the kernel may get another one.
        is_settled = helper is not None and known is not None
        for register in _ARGUMENTS[: len(roles) if is_settled else None]:
            address = self._registers[register]
            if not isinstance(address, _Frame):
                continue
            if address.offset is None or "callback_context" in roles:
                self._expose()
                continue
            size = self._size(helper, register, roles)
            if filled == register and size is not None:
                self._write(address, 0, size)
            else:
                self._read(address, 0, -address.offset if size is None else size)

    def _size(self, helper: int | None, register: int, roles: Sequence[str]) -> int | None:
        """Bytes that a call reads at the address in ``register``; ``None``: up to the top."""
        of = self._registers[_R1]
        if isinstance(of, _Map) and helper is not None and 0 <= of.index < len(self._maps):
            plan = self._maps[of.index]
            if _KEYS.get(helper) == register:
                return plan.key_size
            if _VALUES.get(helper) == register:
                words = -(-plan.value_size // 8)
                return words * 8 if plan.map_type in _PER_CPU else plan.value_size
        if register < len(roles) and roles[register] == "size":
            size = self._registers[register + 1]
            if isinstance(size, _Number) and size.value >= 0:
                return size.value
        return None

    def _read(self, address: _Value, offset: int, size: int) -> None:
        if isinstance(address, _Frame):
            if address.offset is None:
                self._expose()
            else:
                self._want(_bytes(self._named(address.offset + offset), size))

    def _write(self, address: _Value, offset: int, size: int) -> None:
        if isinstance(address, _Frame) and address.offset is not None:
            self._written |= _bytes(self._named(address.offset + offset), size)

    def _expose(self) -> None:
        """Anything of the frame may be read from now on, at any time."""
        self._want(_EVERYTHING)

    def _want(self, these: int) -> None:
        self._wanted |= these & self._own & ~self._written


def _bytes(offset: int, size: int) -> int:
    """Bits of ``size`` bytes at ``offset`` from the top, as far as they are in a frame."""
    start = max(STACK_BYTES + offset, 0)
    end = min(STACK_BYTES + offset + size, STACK_BYTES)
    return (1 << end) - (1 << start) if start < end else 0


def _join(one: _State, two: _State) -> _State:
    registers = tuple(
        mine if mine == other else _either(mine, other)
        for mine, other in zip(one.registers, two.registers, strict=True)
    )
    return _State(registers, one.written & two.written)


def _either(one: _Value, two: _Value) -> _Value:
    return _SOMEWHERE if isinstance(one, _Frame) or isinstance(two, _Frame) else None
