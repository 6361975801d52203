"""Members of chains, valid ones."""

from collections.abc import Iterable

from tests.builders.kernel_programs import ATTACH_XDP, XDP, returning

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.chains.member import Member

PASS_ONLY = frozenset({2})


def member(
    name: str = "one",
    instructions: Iterable[Slot] = returning(2),
    *,
    run_on: Iterable[int] = PASS_ONLY,
    maps: Iterable[MapPlan] = (),
    stack_bytes: int | None = 0,
    subprograms: tuple[int, ...] = (0,),
    program_type: int = XDP,
    attach_type: int = ATTACH_XDP,
    flags: int = 0,
    licence: str = "Dual BSD/GPL",
) -> Member:
    """A member that returns 2 and goes on at 2, unless something else is said."""
    plan = ProgramPlan(
        name=name,
        program_type=program_type,
        attach_type=attach_type,
        flags=flags,
        licence=licence,
        instructions=tuple(instructions),
        subprograms=subprograms,
    )
    return Member(name, plan, tuple(maps), frozenset(run_on), stack_bytes)
