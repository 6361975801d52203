"""A member of a chain as the splicer sees it: a linked program, its maps, and when to continue."""

from dataclasses import dataclass
from typing import NamedTuple

from skep.bytecode.linking.plan import LinePlace, MapPlan, ProgramPlan
from skep.errors import Refused


class CannotSplice(Refused):
    """These members cannot become one program; the message names the member and the reason."""


@dataclass(frozen=True, slots=True)
class Member:
    """A program that was linked and that the kernel's verifier has accepted alone.

    Attributes:
        name: of the deployment; unique in a chain.
        program: its plan.
        maps: maps of its load plan, in the order its map indexes count.
        run_on: return codes, as numbers, on which the chain goes on to the next member. Of the
            last member it means nothing.
        stack_bytes: stack of its entry function, as the verifier said when it was loaded alone;
            ``None`` if it did not say.
    """

    name: str
    program: ProgramPlan
    maps: tuple[MapPlan, ...]
    run_on: frozenset[int]
    stack_bytes: int | None


class MemberPlace(NamedTuple):
    """An instruction of a member.

    Attributes:
        member: its name.
        slot: of its program as it was spliced.
        lines: source lines by such slots.
    """

    member: str
    slot: int
    lines: tuple[LinePlace, ...]


@dataclass(frozen=True, slots=True)
class MapReference:
    """A map of a spliced program, by the member it belongs to."""

    member: str
    map_name: str


@dataclass(frozen=True, slots=True)
class SplicedChain:
    """The members as one program.

    Attributes:
        program: its map indexes count ``maps``.
        maps: all maps of all members, in order.
        ranges: slots of each member's entry function in the program, in order of the members.
        subprogram_ranges: slots of each member's subprograms; empty ranges for those without.
        names: of the members.
        lines: source lines of each member, by slots of its own program as it was spliced.
    """

    program: ProgramPlan
    maps: tuple[MapReference, ...]
    ranges: tuple[range, ...]
    subprogram_ranges: tuple[range, ...] = ()
    names: tuple[str, ...] = ()
    lines: tuple[tuple[LinePlace, ...], ...] = ()

    def place_of(self, slot: int) -> "MemberPlace | None":
        """Whose instruction it is, for example one the verifier complains about.

        ``None`` for the few slots that are the splicer's own: before, between and behind members.
        """
        everything = zip(self.names, self.ranges, self.subprogram_ranges, self.lines, strict=True)
        for name, entry, behind, lines in everything:
            if slot in entry:
                return MemberPlace(name, slot - entry.start, lines)
            if slot in behind:
                return MemberPlace(name, slot - behind.start + len(entry), lines)
        return None
