"""The functions of a member's program, and how control flows in its entry.

What a chain needs to know about its members is found by walking their entry functions: what they
throw, what they read of the stack, how they end.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from skep.bytecode.analysis.control_flow import Block, flow_of
from skep.bytecode.isa.codes import CALL, LDDW, PSEUDO_KERNEL_CALL, TAIL_CALL
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import LinePlace, ProgramPlan
from skep.bytecode.objectfile.model import Function

State = TypeVar("State")

"""Number of the helper ``bpf_tail_call``."""


def entry_slots(program: ProgramPlan) -> int:
    """Slots of the entry function."""
    starts = program.subprograms
    return starts[1] if len(starts) > 1 else len(program.instructions)


def function_ranges(program: ProgramPlan) -> tuple[range, ...]:
    """Slots of each function, the entry first."""
    ends = (*program.subprograms, len(program.instructions))
    return tuple(range(start, end) for start, end in pairwise(ends))


def blocks_of(code: Sequence[Instruction]) -> Mapping[int, Block]:
    """Reachable blocks of one function by first slot, in reverse post-order."""
    return flow_of(Function("", "", 0, tuple(code), ())).blocks


def slots_of(code: Sequence[Instruction], slots: range) -> Iterator[int]:
    """Those of ``slots`` where an instruction begins, not the second half of one."""
    slot = slots.start
    while slot < slots.stop:
        yield slot
        slot += 2 if code[slot].opcode == LDDW else 1


def kernel_function_names(program: ProgramPlan) -> dict[int, str]:
    """Names of the kernel's functions that are called, by slot of the call.

    A call that the plan does not name, or names otherwise than the instruction does, is missing.
    """
    code = program.instructions
    found = {}
    for each in program.kernel_names:
        call = code[each.slot] if 0 <= each.slot < len(code) else Instruction(0)
        if (
            each.kind == "function"
            and (call.opcode, call.src, call.offset) == (CALL, PSEUDO_KERNEL_CALL, 0)
            and call.immediate == each.type_id
        ):
            found[each.slot] = each.name
    return found


def moved_lines(lines: Sequence[LinePlace], places: Mapping[int, int]) -> tuple[LinePlace, ...]:
    """Source lines where their instructions are now; those of instructions that went go.

    The kernel is not given them, as they are of several objects: they are for looking up.

    Args:
        places: new slots by old ones; order stays.
    """
    return tuple(each._replace(slot=places[each.slot]) for each in lines if each.slot in places)


def ends_chain_by_tail_call(program: ProgramPlan) -> bool:
    """Whether a tail call that is taken may end the chain this program is a member of.

    The program it leads to gives the verdict of the whole chain: members after this one do not
    run. A tail call in a subprogram ends that subprogram only, and its caller goes on.
    """
    entry = program.instructions[: entry_slots(program)]
    return any(
        entry[slot].opcode == CALL and not entry[slot].src and entry[slot].immediate == TAIL_CALL
        for block in blocks_of(entry).values()
        for slot in slots_of(entry, range(block.start, block.end))
    )


def fixpoint(
    blocks: Mapping[int, Block],
    first: State,
    after: Callable[[Block, State], Mapping[int, State]],
    join: Callable[[State, State], State],
) -> dict[int, State]:
    """What holds before each block, following what holds before the first.

    Args:
        after: what holds before the successors of a block, if ``State`` holds before it.
        join: what holds if either may. It must come to an end: a chain of states, each joined to
            the one before, changes finitely often.
    """
    order = {start: rank for rank, start in enumerate(blocks)}
    states = {0: first}
    waiting = {0}
    while waiting:
        start = min(waiting, key=order.__getitem__)
        waiting.remove(start)
        for successor, state in after(blocks[start], states[start]).items():
            before = states.get(successor)
            joined = state if before is None else join(before, state)
            if joined != before:
                states[successor] = joined
                waiting.add(successor)
    return states
