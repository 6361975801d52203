"""Redirects: where a packet goes is kept by the kernel, not by the program that said it.

``bpf_redirect`` and its sisters note a target for the CPU; whoever returns the redirect code sends
the packet there. A member that asks for a redirect and then goes on leaves its target behind, and
a later member that returns the redirect code without a call of its own would send the packet to a
target it never named. Alone it would have dropped it. So such members do not share a chain.

Each function is walked forwards twice over: with no target named so far, and after a call that may
have named one. A call that fails names none, so both go on behind it. For each register the walk
knows the few numbers its low 32 bits may be, or nothing. What it does not know may be any code, and
a tail call may lead to any program; so it errs towards refusing.

Sources: ``bpf_xdp_redirect``, ``__bpf_xdp_redirect_map``, ``bpf_redirect`` and ``xdp_do_redirect``
in net/core/filter.c, include/linux/filter.h of Linux 6.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skep.bytecode.analysis.control_flow import Block
from skep.bytecode.isa.codes import (
    CALL,
    EXIT,
    PSEUDO_CALL,
    REDIRECT,
    REDIRECT_MAP,
    REDIRECT_NEIGH,
    REDIRECT_PEER,
    TAIL_CALL,
)
from skep.bytecode.isa.fields import (
    ALU,
    ALU64,
    AND,
    BY_REGISTER,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JMP,
    JMP32,
    JNE,
    LDX,
    MOV,
)
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import PROGRAM_TYPES
from skep.bytecode.linking.plan import ProgramPlan
from skep.chains.functions import blocks_of, fixpoint, function_ranges, slots_of
from skep.chains.member import CannotSplice, Member
from skep.hooks.packet_verdicts import TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_ABORTED, XDP_REDIRECT

_XDP, _SCHED_CLS, _SCHED_ACT = (PROGRAM_TYPES[name] for name in ("XDP", "SCHED_CLS", "SCHED_ACT"))
_REDIRECT_CODES = {
    _XDP: XDP_REDIRECT,
    _SCHED_CLS: TC_ACT_REDIRECT,
    _SCHED_ACT: TC_ACT_REDIRECT,
}
_CALLS = frozenset({REDIRECT, REDIRECT_MAP, REDIRECT_NEIGH, REDIRECT_PEER})
_MAP_FAILURES = 0b11  # bpf_redirect_map returns these bits of its flags when it finds no target

# Comparisons without sign: whether the jump is for smaller numbers, and for the number itself.
_IF_BELOW = {JGT: (False, 1), JGE: (False, 0), JLT: (True, 0), JLE: (True, 1)}
_R0, _R3 = 0, 3
_MOST_VALUES = 16
_MOST_FRAMES = 16  # the kernel allows 8
_WORD = (1 << 32) - 1

_Values = frozenset[int] | None
"""What the low 32 bits of a register may be, unsigned; ``None`` for anything."""


@dataclass(frozen=True, slots=True)
class RedirectUse:
    """What a member does with the target of a redirect.

    Attributes:
        leaves: return codes with which it may end after it named a target; ``None`` for any.
        may_rely: it may return the redirect code without having named a target.
    """

    leaves: frozenset[int] | None = frozenset()
    may_rely: bool = False

    def leaves_on(self, codes: frozenset[int]) -> bool:
        """Whether an exit with one of these codes may leave a redirect target set."""
        if self.leaves is None:
            return bool(codes)
        return not self.leaves.isdisjoint(code & _WORD for code in codes)


def check_redirects(members: Sequence[Member]) -> None:
    """Refuse a member that may redirect to the target a member before it named.

    Raises:
        CannotSplice: naming both.
    """
    code = _REDIRECT_CODES.get(members[0].program.program_type)
    if code is None:
        return
    leaving: Member | None = None
    for member, is_last in zip(members, [*(False for _ in members[1:]), True], strict=True):
        if leaving is None and (is_last or not _may_name_target(member.program)):
            continue  # nothing is left behind so far, and nothing is added
        use = redirect_use(member.program)
        if leaving is not None and use.may_rely:
            raise CannotSplice(
                f"{leaving.name!r} may ask for a redirect and then go on; {member.name!r} after "
                "it may return the redirect code without asking for one, and would send the "
                f"packet where {leaving.name!r} said",
                hint=f"put {member.name!r} before {leaving.name!r}, or run one of them as the "
                "only program of its hook",
            )
        if leaving is None and use.leaves_on(member.run_on):
            leaving = member


def redirect_use(program: ProgramPlan) -> RedirectUse:
    """What a program of a type with redirects does with their targets."""
    ends = _Walk(program).ends(0)
    code = _REDIRECT_CODES[program.program_type]
    return RedirectUse(leaves=ends.after, may_rely=ends.before is None or code in ends.before)


def _may_name_target(program: ProgramPlan) -> bool:
    return any(
        each.opcode == CALL and not each.src and each.immediate in {*_CALLS, TAIL_CALL}
        for each in program.instructions
    )


class _State(NamedTuple):
    """What r0 to r10 may hold before any call for a redirect, and after one; if that may be."""

    before: tuple[_Values, ...] | None = None
    after: tuple[_Values, ...] | None = None


@dataclass(slots=True)
class _Ends:
    """What a function may return, with no target named and after one; empty if it never does."""

    before: _Values = frozenset()
    after: _Values = frozenset()

    def add(self, *, before: _Values = frozenset(), after: _Values = frozenset()) -> None:
        self.before = _union(self.before, before)
        self.after = _union(self.after, after)


_UNKNOWN: tuple[_Values, ...] = (None,) * 16
_NOTHING: frozenset[int] = frozenset()


class _Walk:
    """The functions of one program, each walked once."""

    def __init__(self, program: ProgramPlan) -> None:
        self._program = program
        self._ranges = {slots.start: slots for slots in function_ranges(program)}
        self._entry = self._ranges[0]
        self._code = _REDIRECT_CODES[program.program_type]
        self._known: dict[int, _Ends] = {}
        self._depth = 0

    def ends(self, start: int) -> _Ends:
        """How the function at ``start`` may end if no target was named before."""
        if start not in self._known:
            # No kernel takes a function that reaches itself, calls into nowhere or deeper calls.
            self._known[start] = _Ends(before=None, after=None)
            if start not in self._ranges or self._depth == _MOST_FRAMES:
                return self._known[start]
            self._depth += 1
            self._known[start] = self._walk(self._ranges[start])
            self._depth -= 1
        return self._known[start]

    def _walk(self, slots: range) -> _Ends:
        code = self._program.instructions[slots.start : slots.stop]
        ends = _Ends()

        def after(block: Block, state: _State) -> Mapping[int, _State]:
            return self._after(code, slots.start, block, state, ends)

        fixpoint(blocks_of(code), _State(_UNKNOWN), after, _join)
        return ends

    def _after(
        self,
        code: Sequence[Instruction],
        start: int,
        block: Block,
        state: _State,
        ends: _Ends,
    ) -> Mapping[int, _State]:
        """The states after a block; what an exit returns goes into ``ends``."""
        for slot in slots_of(code, range(block.start, block.end)):
            each = code[slot]
            if each.opcode == CALL:
                state = self._call(start + slot, each, state, ends)
            elif each.opcode == EXIT:
                before, after = (_NOTHING if held is None else held[_R0] for held in state)
                ends.add(before=before, after=after)
            else:
                state = _State(*(held and _step(held, each) for held in state))
        return _branch(code[block.end - 1], block, state)

    def _call(self, slot: int, each: Instruction, state: _State, ends: _Ends) -> _State:
        if each.src == PSEUDO_CALL:
            return self._call_function(slot + 1 + each.immediate, state)
        if not each.src and each.immediate == TAIL_CALL:
            self._tail_call(is_entry=slot in self._entry, state=state, ends=ends)
        if each.src or each.immediate not in _CALLS:
            return _State(*(held and _clobbered(held, None) for held in state))
        after: tuple[_Values, ...] | None = None
        before: tuple[_Values, ...] | None = None
        if state.before is not None:
            failures = _failures(self._program.program_type, each.immediate, state.before)
            before = _clobbered(state.before, failures)
        for held in state:
            if held is not None:
                failures = _failures(self._program.program_type, each.immediate, held)
                after = _joined(after, _clobbered(held, failures | {self._code}))
        return _State(before, after)

    def _tail_call(self, *, is_entry: bool, state: _State, ends: _Ends) -> None:
        """A tail call that is taken: another program ends the function, with any code."""
        if state.before is not None:
            ends.add(before=None)
        if not is_entry:  # it comes back, and may have named a target; else the chain is over
            ends.add(after=None)

    def _call_function(self, start: int, state: _State) -> _State:
        ends = self.ends(start)
        before = _returned(state.before, ends.before)
        after = _joined(
            _returned(state.before, ends.after),
            _returned(state.after, _union(ends.before, ends.after)),
        )
        return _State(before, after)


def _returned(
    registers: tuple[_Values, ...] | None, returned: _Values
) -> tuple[_Values, ...] | None:
    """What the caller's registers hold after a function returned, if it can."""
    if registers is None or returned == _NOTHING:
        return None
    return _clobbered(registers, returned)


def _step(registers: tuple[_Values, ...], each: Instruction) -> tuple[_Values, ...]:
    kind, operation = each.opcode & 7, each.opcode & 0xF0
    value: _Values = None
    if kind in (ALU, ALU64):
        by: _Values = frozenset({each.immediate & _WORD})
        if each.opcode & BY_REGISTER:
            by = registers[each.src]
        if operation == MOV:
            value = None if each.offset else by
        elif operation == AND and by is not None and len(by) == 1:
            (bits,) = by
            value = frozenset(range(bits + 1)) if bits < _MOST_VALUES else None
    elif kind not in (LDX, 0):
        # Stores write no register, save for those that fetch; jumps are for _branch.
        return registers if each.opcode & 0xE0 != 0xC0 or kind != 3 else _fetched(registers, each)
    return (*registers[: each.dst], value, *registers[each.dst + 1 :])


def _fetched(registers: tuple[_Values, ...], each: Instruction) -> tuple[_Values, ...]:
    unknown = {each.src, each.dst, _R0}
    return tuple(None if n in unknown else held for n, held in enumerate(registers))


def _clobbered(registers: tuple[_Values, ...], returned: _Values) -> tuple[_Values, ...]:
    return (returned, *(None,) * 5, *registers[6:])


def _failures(program_type: int, helper: int, registers: tuple[_Values, ...]) -> frozenset[int]:
    """What a call returns that names no target."""
    if helper != REDIRECT_MAP:
        return frozenset({XDP_ABORTED if program_type == _XDP else TC_ACT_SHOT})
    flags = registers[_R3]
    found = range(_MAP_FAILURES + 1) if flags is None else (each & _MAP_FAILURES for each in flags)
    return frozenset({XDP_ABORTED, *found})


def _branch(last: Instruction, block: Block, state: _State) -> Mapping[int, _State]:
    """What holds where the block's jump leads, and where it does not jump."""
    operation, kind = last.opcode & 0xF0, last.opcode & 7
    both = dict.fromkeys(block.successors, state)
    if kind not in (JMP, JMP32) or last.opcode & BY_REGISTER or len(both) != 2:
        return both
    number = last.immediate & _WORD
    onwards, target = block.successors
    if operation in (JEQ, JNE):
        same, other = (target, onwards) if operation == JEQ else (onwards, target)
        both[same] = _narrowed(state, last.dst, frozenset({number}))
        if kind == JMP32:  # a register that differs in 64 bits may be the same in 32
            both[other] = _State(*(held and _without(held, last.dst, number) for held in state))
    elif operation in _IF_BELOW and 0 <= last.immediate < _MOST_VALUES:
        jumps, is_included = _IF_BELOW[operation]
        below = frozenset(range(number + is_included))
        both[target if jumps else onwards] = _narrowed(state, last.dst, below)
    return both


def _narrowed(state: _State, register: int, values: frozenset[int]) -> _State:
    return _State(*(held and _only(held, register, values) for held in state))


def _only(
    registers: tuple[_Values, ...], register: int, values: frozenset[int]
) -> tuple[_Values, ...] | None:
    held = registers[register]
    value = values if held is None else held & values
    return (*registers[:register], value, *registers[register + 1 :]) if value else None


def _without(
    registers: tuple[_Values, ...], register: int, number: int
) -> tuple[_Values, ...] | None:
    held = registers[register]
    if held is None:
        return registers
    value = held - {number}
    return (*registers[:register], value, *registers[register + 1 :]) if value else None


def _join(one: _State, two: _State) -> _State:
    return _State(_joined(one.before, two.before), _joined(one.after, two.after))


def _joined(
    one: tuple[_Values, ...] | None, two: tuple[_Values, ...] | None
) -> tuple[_Values, ...] | None:
    if one is None or two is None:
        return two if one is None else one
    return tuple(_union(mine, other) for mine, other in zip(one, two, strict=True))


def _union(one: _Values, two: _Values) -> _Values:
    if one is None or two is None:
        return None
    both = one | two
    return both if len(both) <= _MOST_VALUES else None
