"""Members of chains, valid ones."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tests.builders.kernel_programs import ATTACH_XDP, XDP, returning

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import KernelName, MapPlan, ProgramPlan
from skep.chains.member import Member

PASS_ONLY = frozenset({2})
NO_FUNCTIONS: Mapping[int, str] = MappingProxyType({})


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
    kernel_functions: Mapping[int, str] = NO_FUNCTIONS,
    exception_callback: str = "",
) -> Member:
    """A member that returns 2 and goes on at 2, unless something else is said.

    Args:
        kernel_functions: names of the kernel's functions it calls, by slot; the numbers in the
            instructions are what the kernel calls them.
    """
    code = tuple(instructions)
    plan = ProgramPlan(
        name=name,
        program_type=program_type,
        attach_type=attach_type,
        flags=flags,
        licence=licence,
        instructions=code,
        subprograms=subprograms,
        kernel_names=tuple(
            KernelName(slot, "function", name, code[slot].immediate)
            for slot, name in sorted(kernel_functions.items())
        ),
        exception_callback=exception_callback,
    )
    return Member(name, plan, tuple(maps), frozenset(run_on), stack_bytes)
