"""Making one program of a chain: every member loaded alone, then all of them together.

Alone first, so that the kernel's verifier judges each member by itself: a member it refuses is
named, and its stack depth is known to the splicer.
"""

from collections.abc import Mapping

from skep.chains.fingerprints import kernel_name, map_pin_name
from skep.chains.functions import ends_chain_by_tail_call
from skep.chains.member import Member
from skep.chains.planning import Chain, LinkedDeployment
from skep.chains.splicing import splice
from skep.errors import Refused
from skep.node.converging.executing import Composed
from skep.node.ports import Kernel, MapPin
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
    spliced = splice(members)
    ordered = [pins[each.member, each.map_name] for each in spliced.maps]
    try:
        program = kernel.load(
            spliced.program, ordered, kernel_name(chain.fingerprint), _types(chain, linked)
        )
    except Refused as error:
        raise ChainRefused(
            f"the kernel refuses the chain {chain}, though it accepts each alone: {error.message}",
            hint=error.hint,
            detail=error.detail,
        ) from error
    return Composed(program, measured)


def _types(chain: Chain, linked: Mapping[str, LinkedDeployment]) -> bytes | None:
    # A program with callbacks runs alone, with its types; spliced code would need those of all
    # its members as one, so the splicer refuses such members.
    return linked[chain.members[0].deployment].types if len(chain.members) == 1 else None


def _alone(kernel: Kernel, linked: LinkedDeployment, pins: list[MapPin]) -> Measured:
    try:
        program = kernel.load(linked.program, pins, _ALONE, linked.types)
    except Refused as error:
        raise MemberRefused(
            f"the kernel refuses {linked.deployment.name}: {error.message}",
            hint=error.hint,
            detail=error.detail,
        ) from error
    try:
        return Measured(
            program.verified_instructions,
            program.stack_bytes,
            ends_chain_by_tail_call(linked.program),
        )
    finally:
        program.close()
