"""Members that throw: ``bpf_throw`` ends a whole program, in a chain it must end one member.

Without an exception callback, a program that throws returns what it throws, whoever stands behind
it in a chain. So in the entry function of a member a throw becomes a jump to an exit that returns
the same value, and the seam decides, as after any other exit. The kernel's verifier stops at a
throw, but wants all code to be reachable; what only the way past a throw reached goes.

A throw in a subprogram would have to unwind frames, which nothing but the kernel can do; and an
exception callback makes the return value of the *program*, of which a chain has one. Such members
run alone.

Source: ``bpf_throw`` in kernel/bpf/helpers.c; ``check_kfunc_call`` and ``do_misc_fixups`` in
kernel/bpf/verifier.c of Linux 6.18 (the default callback is ``r0 = r1; exit``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from skep.bytecode.isa.codes import (
    CALL,
    CALLX,
    COPY,
    EXIT,
    GOTOL,
    GOTOX,
    LDDW,
    PSEUDO_CALL,
    PSEUDO_KERNEL_CALL,
)
from skep.bytecode.isa.fields import JMP, JMP32
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.exception_callbacks import THROW
from skep.chains.functions import (
    blocks_of,
    entry_slots,
    kernel_function_names,
    moved_lines,
    slots_of,
)
from skep.chains.member import CannotSplice, Member

_R0, _R1 = 0, 1
_NO_TARGET = (CALL, CALLX, EXIT, GOTOX)  # calls, exits and jumps through a table

_ALONE = "run it as the only program of its hook"


def without_throws(member: Member) -> Member:
    """``member`` with an exit for each throw in its entry; the same member if it throws nowhere.

    Raises:
        CannotSplice: (1) it has an exception callback; (2) it throws in a subprogram; (3) it calls
            a function of the kernel that the plan does not name, which might throw.
    """
    program = member.program
    if program.exception_callback:  # (1)
        raise CannotSplice(
            f"{member.name!r} throws, and its exception callback {program.exception_callback!r} "
            "sets the return value of the whole program, which a chain cannot do for one member",
            hint=_ALONE,
        )
    throws = _throws(member)
    if not throws:
        return member
    entry = list(program.instructions[: entry_slots(program)])
    exit_slot = len(entry)
    for slot in throws:
        entry[slot] = Instruction(GOTOL, immediate=exit_slot - slot - 1)
    entry += [Instruction(COPY, _R0, _R1), Instruction(EXIT)]
    kept = _reachable(entry)
    shift = len(kept) - exit_slot
    places = {slot: new for new, slot in enumerate(kept) if slot < exit_slot}
    places.update((slot, slot + shift) for slot in range(exit_slot, len(program.instructions)))
    names = (
        each._replace(slot=places[each.slot])
        for each in program.kernel_names
        if each.slot in places and each.slot not in throws
    )
    plan = replace(
        program,
        instructions=(*_moved(member, entry, kept), *program.instructions[exit_slot:]),
        subprograms=(0, *(start + shift for start in program.subprograms[1:])),
        kernel_names=tuple(names),
        # A chain has no types, and this kernel's lacks are told of members alone.
        poisons=(),
        functions=(),
        lines=moved_lines(program.lines, places),
    )
    return replace(member, program=plan)


def _throws(member: Member) -> list[int]:
    """Slots of the throws, all of them in the entry."""
    program = member.program
    names = kernel_function_names(program)
    code = program.instructions
    found = []
    for slot in slots_of(code, range(len(code))):
        if code[slot].opcode != CALL or code[slot].src != PSEUDO_KERNEL_CALL:
            continue
        name = names.get(slot)
        if name is None:  # (3)
            raise CannotSplice(
                f"{member.name!r} calls a function of the kernel at slot {slot} that its plan "
                "does not name; it might end the whole chain",
                hint=_ALONE,
            )
        if name == THROW:
            found.append(slot)
    if found and found[-1] >= entry_slots(program):  # (2)
        raise CannotSplice(
            f"{member.name!r} throws (bpf_throw) in a subprogram, at slot {found[-1]}: that ends "
            "the whole chain, and the members after it would not run",
            hint=f"inline the function into the program, or {_ALONE}",
        )
    return found


def _reachable(entry: Sequence[Instruction]) -> list[int]:
    blocks = blocks_of(entry).values()
    return sorted(slot for block in blocks for slot in range(block.start, block.end))


def _moved(
    member: Member, entry: Sequence[Instruction], kept: Sequence[int]
) -> Iterator[Instruction]:
    """The slots of ``entry`` that are kept; its jumps and calls go where they went."""
    place = {slot: new for new, slot in enumerate(kept)}
    behind = entry_slots(member.program)
    halves = 0
    for new, slot in enumerate(kept):
        each = entry[slot]
        if halves:  # the second slot of a wide load
            halves -= 1
        elif each.opcode == LDDW:
            halves = 1
        elif each.opcode == CALL and each.src == PSEUDO_CALL:
            target = slot + 1 + each.immediate
            moved = target + len(kept) - behind if target >= behind else place.get(target, -1)
            each = each._replace(immediate=moved - new - 1)
        elif each.opcode & 7 in (JMP, JMP32) and each.opcode not in _NO_TARGET:
            is_far = each.opcode == GOTOL
            target = slot + 1 + (each.immediate if is_far else each.offset)
            if target not in place:
                raise CannotSplice(f"{member.name!r} jumps out of its function at slot {slot}")
            distance = place[target] - new - 1
            each = each._replace(immediate=distance) if is_far else each._replace(offset=distance)
        yield each
