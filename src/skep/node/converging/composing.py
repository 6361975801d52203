"""Making one program of a chain: every member loaded alone, then all of them together.

Alone first, so that the kernel's verifier judges each member by itself: a member it refuses is
named, and its stack depth is known to the splicer.

A member alone is given to the kernel with the types and source lines of its object. The chain of
several is not: its members' types are in as many tables with numbers of their own. What the kernel
insists on is made for it (:mod:`skep.chains.function_types`), and where it refuses an instruction
of the chain, the line is looked up in the tables of the member it is from. Maps bring their types
along themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skep.bytecode.linking.plan import LinePlace
from skep.bytecode.linking.sharing import MAKES_OBJECTS
from skep.bytecode.linking.source_places import source_place
from skep.chains.fingerprints import kernel_name, map_pin_name
from skep.chains.function_types import function_types
from skep.chains.functions import ends_chain_by_tail_call
from skep.chains.member import CannotSplice, Member, SplicedChain
from skep.chains.planning import Chain, LinkedDeployment
from skep.chains.splicing import splice
from skep.errors import Refused
from skep.node.converging.executing import Composed
from skep.node.ports import Kernel, MapPin, ProgramRefused
from skep.node.records import Measured

_ALONE = "skep_alone"  # no fingerprint: it is never attached


class MemberRefused(Refused):
    """The kernel's verifier refuses a member by itself."""


class ChainRefused(Refused):
    """The kernel's verifier accepts every member, but not the chain."""


def compose(kernel: Kernel, chain: Chain, linked: Mapping[str, LinkedDeployment]) -> Composed:
    """Load a chain with the pinned maps of its members.

    Raises:
        MemberRefused, ChainRefused: the kernel's verifier says no; its log is the detail.
        CannotSplice: the members cannot become one program.
        NoSuchPin, PinInTheWay: a map is not what it was.
    """
    measured: dict[str, Measured] = {}
    members: list[Member] = []
    pins: dict[tuple[str, str], MapPin] = {}
    for one in chain.members:
        found = linked[one.deployment]
        mine = [MapPin(one.deployment, map_pin_name(each), each) for each in found.maps]
        pins |= {(one.deployment, pin.plan.name): pin for pin in mine}
        measured[one.deployment] = _alone(kernel, found, mine)
        members.append(
            Member(
                name=one.deployment,
                program=found.program,
                maps=found.maps,
                run_on=frozenset(one.run_on),
                stack_bytes=measured[one.deployment].stack_bytes,
            )
        )
    if len(members) > 1:
        _check_objects(members)
    spliced = splice(members)
    ordered = [pins[each.member, each.map_name] for each in spliced.maps]
    program, types = spliced.program, linked[chain.members[0].deployment].types
    if len(members) > 1:
        types = None
        if any(member.program.needs_types for member in members):
            types, functions = function_types(program.subprograms)
            program = replace(program, functions=functions, needs_types=True)
    try:
        loaded = kernel.load(program, ordered, kernel_name(chain.fingerprint), types)
    except ProgramRefused as error:
        raise ChainRefused(
            f"the kernel's verifier refused the chain {chain}, though it accepts each alone"
            f"{_place_in_chain(error, spliced, linked)}\n{error.reason}",
            hint=error.hint,
            detail=error.detail,
        ) from error
    except Refused as error:
        raise ChainRefused(
            f"the kernel refuses the chain {chain}, though it accepts each alone: {error.message}",
            hint=error.hint,
            detail=error.detail,
        ) from error
    return Composed(loaded, measured)


def _check_objects(members: Sequence[Member]) -> None:
    for member in members:
        names = {each.name for each in member.program.kernel_names if each.kind == "function"}
        if names & MAKES_OBJECTS:
            raise CannotSplice(
                f"{member.name!r} makes objects of its own types, which cannot be spliced yet",
                hint="run it as the only program of its hook",
            )


def _alone(kernel: Kernel, linked: LinkedDeployment, pins: list[MapPin]) -> Measured:
    name = linked.deployment.name
    try:
        program = kernel.load(linked.program, pins, _ALONE, linked.types)
    except ProgramRefused as error:
        raise MemberRefused(
            f"the kernel's verifier refused {name}"
            f"{_place(linked.program.lines, linked.types, error.slot)}\n{error.reason}",
            hint=error.hint,
            detail=error.detail,
        ) from error
    except Refused as error:
        raise MemberRefused(
            f"the kernel refuses {name}: {error.message}", hint=error.hint, detail=error.detail
        ) from error
    try:
        return Measured(
            program.verified_instructions,
            program.stack_bytes,
            ends_chain_by_tail_call(linked.program),
        )
    finally:
        program.close()


def _place(lines: tuple[LinePlace, ...], types: bytes | None, slot: int | None) -> str:
    """A line that shows the line of the source; empty if it is not known."""
    place = None if slot is None else source_place(lines, types, slot)
    return "" if place is None else f"\n{place}"


def _place_in_chain(
    error: ProgramRefused, spliced: SplicedChain, linked: Mapping[str, LinkedDeployment]
) -> str:
    found = None if error.slot is None else spliced.place_of(error.slot)
    if found is None:
        return ""
    types = linked[found.member].types
    return f"\nin {found.member}{_place(found.lines, types, found.slot)}"
