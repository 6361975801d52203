"""The programs on a hook, in the order in which they run, and what that order means for a chain.

Some hooks run programs of several owners. One that runs before a chain may decide about a packet,
and the chain then never sees it; so people are told who is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occupant:
    """A program on a hook, of Skep or of another tool.

    Attributes:
        program: the kernel's id of it.
        name: kernel name; empty if it has none, or if it could not be read.
        is_ours: a link of this node runs it.

    >>> str(Occupant(570, "classify", is_ours=False))
    'program 570 (classify)'
    """

    program: int
    name: str
    is_ours: bool

    def __str__(self) -> str:
        return f"program {self.program}" + (f" ({self.name})" if self.name else "")


def order_lines(occupants: Sequence[Occupant]) -> list[str]:
    """What the programs of others mean for our chain, which goes last if it is not there yet."""
    before = others_before(occupants)
    after = [each for each in occupants[len(before) :] if not each.is_ours]
    lines = []
    if before:
        lines.append(f"runs after {_listed(before)}, which may decide first")
    if after:
        lines.append(f"runs before {_listed(after)}")
    return lines


def others_before(occupants: Sequence[Occupant]) -> list[Occupant]:
    """Programs of others that run before our chain, or would before one that is attached now."""
    ours = [place for place, each in enumerate(occupants) if each.is_ours]
    return list(occupants[: ours[0]] if ours else occupants)


def _listed(occupants: Sequence[Occupant]) -> str:
    *some, last = map(str, occupants)
    return f"{', '.join(some)} and {last}" if some else last
