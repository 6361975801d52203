"""The chain compiler: the instructions of several programs become one program.

A chain of members A, B and C is laid out like this; every line is a run of slots::

    *(u64 *)(r10 - S) = r1            the context is kept below every member's stack
    *(u64 *)(r10 - …) = 0             for each slot A may read before it wrote it: mostly none
    A's entry                         each exit is a jump to the seam behind A
    if w0 == <code> goto +…           seam: one comparison for each code in A's run_on
    exit                              any other code is the verdict of the chain
    r1 = *(u64 *)(r10 - S)            B starts as it would alone: context in r1
    *(u64 *)(r10 - …) = 0             for B, as for A
    B's entry, seam, C's entry        C's exits stay exits
    A's subprograms, B's, C's         once each; their calls are re-based

So going on to the next member costs a comparison and a load that hits the first-level cache, where
a tail call costs an indirect jump and a map lookup.

What a member can observe is what it observes alone:

* It starts with the context in ``r1`` and a frame pointer in ``r10``. The verifier has seen it
  read no other register before writing it, when it was loaded alone.
* Its stack is that of the entry function, shared with the other members, one after another. All
  of it lies above the slot of the context, because S is derived from what the verifier said. If
  that should be wrong, the slot no longer holds a context and the verifier refuses the whole.
* What it may read of that stack before it wrote it is zero, as it may be alone, and never what a
  member before it left there; nor do its subprograms find what those of others left in their
  frames (:mod:`.stack_reads`).
* A packet goes where it said, never where a member before it said (:mod:`.redirecting`).
* What it throws is what it returns, and the seam decides (:mod:`.throwing`).
* A tail call that falls through does so here; one that succeeds in the entry function leaves the
  chain for good, and what it jumps to gives the verdict
  (:func:`.functions.ends_chain_by_tail_call`).

The verifier walks the whole again before it is loaded, so nothing here is trusted: a mistake in
this module is a refused load, never an unsafe program.

Licence of the whole: if every member's is compatible with the GPL, so is it. Otherwise the whole
takes an incompatible one, and the verifier refuses it if any member calls a helper that is for GPL
programs only. It is never "upgraded".

Sources: RFC 9669 for the encoding; ``check_subprogs`` in kernel/bpf/verifier.c of Linux 6.12 for
what a subprogram may look like; ``license_is_gpl_compatible`` in include/linux/license.h.
"""

from collections.abc import Sequence
from itertools import pairwise

from skep.bytecode.isa.codes import (
    CALL,
    EXIT,
    GOTO,
    LDDW,
    MOST_INSTRUCTIONS,
    PSEUDO_CALL,
    PSEUDO_MAP_FD,
    PSEUDO_MAP_INDEX,
    PSEUDO_MAP_INDEX_VALUE,
    PSEUDO_MAP_VALUE,
)
from skep.bytecode.isa.fields import JEQ, JMP32
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import ProgramPlan
from skep.bytecode.linking.sharing import (
    MOST_MEMBER_STACK_BYTES,
    STACK_BYTES,
    SharingObstacle,
    obstacle_of,
)
from skep.chains.functions import entry_slots
from skep.chains.member import CannotSplice, MapReference, Member, SplicedChain
from skep.chains.redirecting import check_redirects
from skep.chains.stack_reads import STORE_ZERO, unwritten_reads, with_cleared_subprograms
from skep.chains.throwing import without_throws

CHAIN_NAME = "skep_chain"

_HAS_FRAGS = 1 << 5  # the load flag of programs that take packets in fragments
_LOAD_U64, _STORE_U64 = 0x79, 0x7B  # dst = *(u64 *)(src + offset); *(u64 *)(dst + offset) = src
_R0, _R1, _R10 = 0, 1, 10
_FARTHEST = 2**15 - 1

GPL_COMPATIBLE = frozenset(
    {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)


def splice(members: Sequence[Member]) -> SplicedChain:
    """Make one program of ``members``, which gives the verdict they give one after another.

    The chain of one member is that member's program, unchanged.

    Raises:
        CannotSplice: (1) no members, or two of one name; (2) different program or attach types
            or load flags; (3) a member that is not the last would never go on; (4) a member
            takes the address of a function, jumps indirectly, or could leave the chain through
            a legacy packet load; (5) not enough stack; (6) a jump too far for 16 bits, or too
            many slots; (7) a plan that contradicts itself; (8) a member throws otherwise than in
            its entry function and with the default callback, or calls a function of the kernel
            that its plan does not name; (9) a member may redirect to the target that a member
            before it named. Always naming the member.
    """
    _check_members(members)
    maps = tuple(MapReference(member.name, each.name) for member in members for each in member.maps)
    names = tuple(member.name for member in members)
    if len(members) == 1:
        plan = members[0].program
        entry = entry_slots(plan)
        behind = range(entry, len(plan.instructions))
        return SplicedChain(plan, maps, (range(entry),), (behind,), names, (plan.lines,))

    members = [with_cleared_subprograms(without_throws(member)) for member in members]  # (8)
    check_redirects(members)  # (9)
    slot_offset = -_context_slot(members)
    head = [Instruction(_STORE_U64, _R10, _R1, slot_offset), *_clearing(members[0])]
    # What stands between the entry of a member and that of its successor.
    seams = [
        [*_seam(member, slot_offset), *_clearing(successor)]
        for member, successor in pairwise(members)
    ]
    seams.append([])

    # Where everything will be: entries with their seams first, then subprograms by member.
    ranges: list[range] = []
    position = len(head)
    for member, seam in zip(members, seams, strict=True):
        ranges.append(range(position, position + entry_slots(member.program)))
        position = ranges[-1].stop + len(seam)
    subprogram_ranges: list[range] = []
    for member, entry_range in zip(members, ranges, strict=True):
        count = len(member.program.instructions) - len(entry_range)
        subprogram_ranges.append(range(position, position + count))
        position += count
    if position > MOST_INSTRUCTIONS:
        raise CannotSplice(
            f"a chain may have {MOST_INSTRUCTIONS} instructions, this one has {position}",
            hint="remove a member",
        )

    map_base = 0
    moved: list[list[Instruction]] = []
    for member, entry_range, behind in zip(members, ranges, subprogram_ranges, strict=True):
        moved.append(_move(member, entry_range, behind, map_base))
        map_base += len(member.maps)
    out = head
    for member, code, seam in zip(members, moved, seams, strict=True):
        body = code[: entry_slots(member.program)]
        out += _leave_at_end(member, body) if seam else body
        out += seam
    subprograms = [0]
    for member, code, behind in zip(members, moved, subprogram_ranges, strict=True):
        own = entry_slots(member.program)
        out += code[own:]
        subprograms += [first - own + behind.start for first in member.program.subprograms[1:]]

    first = members[0].program
    program = ProgramPlan(
        name=CHAIN_NAME,
        program_type=first.program_type,
        attach_type=first.attach_type,
        flags=_combined_flags(members),
        licence=combined_licence([member.program.licence for member in members]),
        instructions=tuple(out),
        subprograms=tuple(subprograms),
    )
    lines = tuple(member.program.lines for member in members)
    return SplicedChain(program, maps, tuple(ranges), tuple(subprogram_ranges), names, lines)


def combined_licence(licences: Sequence[str]) -> str:
    """Kernel licence string of a program made of parts under ``licences``.

    >>> combined_licence(["GPL", "Dual BSD/GPL"]), combined_licence(["GPL", "Proprietary"])
    ('GPL', 'Proprietary')
    >>> combined_licence(["Dual BSD/GPL", "Dual BSD/GPL"])
    'Dual BSD/GPL'
    """
    for licence in licences:
        if licence not in GPL_COMPATIBLE:
            return licence
    return licences[0] if len(set(licences)) == 1 else "GPL"


def _check_members(members: Sequence[Member]) -> None:
    if not members:  # (1)
        raise CannotSplice("expected at least one member, got none")
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise CannotSplice(f"two members of the chain are called {member.name!r}")
        seen.add(member.name)
        _check_plan(member)
    first = members[0]
    for member in members:  # (2)
        for what, here, there in (
            ("program type", member.program.program_type, first.program.program_type),
            ("attach type", member.program.attach_type, first.program.attach_type),
            (
                "load flags",
                member.program.flags & ~_HAS_FRAGS,
                first.program.flags & ~_HAS_FRAGS,
            ),
        ):
            if here != there:
                raise CannotSplice(
                    f"{member.name!r} has {what} {here}, the chain's first member "
                    f"{first.name!r} has {there}",
                    hint="only programs made for the same hook can share a chain",
                )
    for member, successor in pairwise(members):
        if not member.run_on:  # (3)
            raise CannotSplice(
                f"{member.name!r} never continues to the next member, so "
                f"{successor.name!r} after it would never run",
                hint=f"give {member.name!r} a run_on, or make it the last",
            )
        for code in member.run_on:
            if not -(2**31) <= code < 2**32:
                raise CannotSplice(
                    f"{member.name!r}: a return code has 32 bits, run_on contains {code}"
                )


def _check_plan(member: Member) -> None:  # (7)
    program = member.program
    starts = program.subprograms
    count = len(program.instructions)
    ascending = all(a < b for a, b in pairwise(starts))
    if not starts or starts[0] != 0 or not ascending or starts[-1] >= count:
        raise CannotSplice(
            f"{member.name!r}: expected subprograms to start at ascending slots from 0 to "
            f"{count - 1}, got {starts[:8]}"
        )


def _context_slot(members: Sequence[Member]) -> int:  # (5)
    """Bytes below the frame pointer where the context is kept."""
    depth = 0
    for member in members:
        own = member.stack_bytes or 0
        if not 0 <= own <= MOST_MEMBER_STACK_BYTES:
            raise CannotSplice(
                f"{member.name!r} uses {own} bytes of stack; a chain leaves its members "
                f"{MOST_MEMBER_STACK_BYTES}",
                hint="run it as the only program of its hook",
            )
        depth = max(depth, own)
    if any(member.stack_bytes is None for member in members):
        return STACK_BYTES
    return -(-depth // 8) * 8 + 8


def _seam(member: Member, slot_offset: int) -> list[Instruction]:
    # A code is the low half of r0: -1 and 0xFFFFFFFF are one code and one comparison.
    codes = sorted({_signed(code) for code in member.run_on})
    # Behind the comparisons stands one exit; the n-th comparison jumps over the rest and it.
    seam = [Instruction(JEQ | JMP32, _R0, 0, len(codes) - n, code) for n, code in enumerate(codes)]
    return [*seam, Instruction(EXIT), Instruction(_LOAD_U64, _R1, _R10, slot_offset)]


def _clearing(member: Member) -> list[Instruction]:
    """Stores of zero for what ``member`` may read of the stack before it wrote it."""
    return [Instruction(STORE_ZERO, _R10, 0, offset) for offset in unwritten_reads(member)]


def _signed(code: int) -> int:
    return code - 2**32 if code >= 2**31 else code


def _move(member: Member, entry: range, behind: range, map_base: int) -> list[Instruction]:
    """Rewrite what refers to places: calls and maps. Jumps stay inside a function, as they are."""
    code = list(member.program.instructions)
    starts = frozenset(member.program.subprograms)
    delta = behind.start - len(entry)  # of everything behind the entry

    def new_slot(slot: int) -> int:
        return slot + (entry.start if slot < len(entry) else delta)

    slot = 0
    while slot < len(code):
        each = code[slot]
        if each.opcode == LDDW:
            if slot + 1 >= len(code) or code[slot + 1].opcode != 0:
                raise CannotSplice(f"{member.name!r}: slot {slot} begins a load that does not end")
            code[slot] = _move_load(member, slot, each, map_base)
            slot += 2
            continue
        _check_instruction(member, slot, each)
        if each.opcode == CALL and each.src == PSEUDO_CALL:
            target = slot + 1 + each.immediate
            if target not in starts:
                raise CannotSplice(
                    f"{member.name!r}: slot {slot} calls slot {target}, where no subprogram starts"
                )
            code[slot] = each._replace(immediate=new_slot(target) - new_slot(slot) - 1)
        slot += 1
    return code


def _move_load(member: Member, slot: int, each: Instruction, map_base: int) -> Instruction:
    if each.src in (PSEUDO_MAP_INDEX, PSEUDO_MAP_INDEX_VALUE):
        if not 0 <= each.immediate < len(member.maps):
            raise CannotSplice(
                f"{member.name!r}: slot {slot} refers to map {each.immediate} of {len(member.maps)}"
            )
        return each._replace(immediate=each.immediate + map_base)
    if obstacle_of(each) is SharingObstacle.FUNCTION_ADDRESS:  # (4)
        raise CannotSplice(
            f"{member.name!r} takes the address of a function at slot {slot}; "
            "programs with callbacks cannot be spliced yet",
            hint="run it as the only program of its hook",
        )
    if each.src in (PSEUDO_MAP_FD, PSEUDO_MAP_VALUE):
        raise CannotSplice(f"{member.name!r}: slot {slot} holds a descriptor; expected map indexes")
    return each


def _check_instruction(member: Member, slot: int, each: Instruction) -> None:  # (4)
    obstacle = obstacle_of(each)
    if obstacle is SharingObstacle.INDIRECT_JUMP:
        raise CannotSplice(f"{member.name!r} jumps through a table at slot {slot}")
    if obstacle is SharingObstacle.PACKET_LOAD:
        raise CannotSplice(
            f"{member.name!r} uses a legacy packet load at slot {slot}, which may end the "
            "whole chain",
            hint="rebuild it with direct packet access",
        )


def _leave_at_end(member: Member, entry: list[Instruction]) -> list[Instruction]:
    """Turn each exit into a jump to the slot behind ``entry``, where the seam begins."""
    out = list(entry)
    slot = 0
    while slot < len(entry):
        if entry[slot].opcode == EXIT:
            distance = len(entry) - slot - 1
            if distance > _FARTHEST:  # (6)
                raise CannotSplice(
                    f"{member.name!r} is too long: its exit at slot {slot} is {distance} slots "
                    f"before its end, a jump reaches {_FARTHEST}",
                    hint="make it the last of the chain",
                )
            out[slot] = Instruction(GOTO, offset=distance)
        slot += 2 if entry[slot].opcode == LDDW else 1
    return out


def _combined_flags(members: Sequence[Member]) -> int:
    """Flags of the whole: multi-buffer packets only if every member can cope with them."""
    flags = members[0].program.flags | _HAS_FRAGS
    for member in members:
        flags &= member.program.flags | ~_HAS_FRAGS
    return flags
