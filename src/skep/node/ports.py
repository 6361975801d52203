"""What the node's use cases need of the kernel, no wider than that.

:class:`Kernel` is implemented over ``skep.kernel`` by the wiring and by ``FakeKernel`` in the
tests; one contract suite holds both. Paths of pins are the implementation's matter: maps are named
by deployment and pin name, links by the pin they were found under.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.errors import Conflict, NotFound, Refused, Unavailable
from skep.hooks.identity import Identity, Place
from skep.hooks.target import HookTarget
from skep.node.occupants import Occupant
from skep.versions import KernelVersion


class NoSuchTarget(NotFound):
    """What a program is to be attached to is not there."""


class TargetHidden(Unavailable):
    """It may be there, but is not visible from here; failing to observe is not absence."""


class NoSuchPin(NotFound):
    """Nothing is pinned under this name."""


class PinInTheWay(Conflict):
    """Something is pinned under this name already, or it is not what its name says."""


class ProgramRefused(Refused):
    """The kernel's verifier refuses a program; ``detail`` is its whole log.

    Attributes:
        reason: why, in words for people.
        slot: of the instruction it stopped at; ``None`` if it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        slot: int | None = None,
        hint: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.reason = reason or message
        self.slot = slot


@dataclass(frozen=True, slots=True)
class MapPin:
    """A pinned map a program is to be loaded with.

    Attributes:
        deployment: whose it is.
        pin: pin name.
        plan: what it must look like; loading refuses another shape under that name.
    """

    deployment: str
    pin: str
    plan: MapPlan


@dataclass(frozen=True, slots=True)
class PinnedLink:
    """A link of ours, as it was found.

    Attributes:
        pin: name of its pin.
        hook: hook name, from the pin's name.
        link: the kernel's id of it; 0 if something else is pinned in its place.
        place: what it is attached to; ``None`` if that is gone, or not visible from here.
        is_attached: whether it is attached to anything.
        program_name: name of the program it runs; empty if it could not be read.
        program: the kernel's id of that program; 0 if it could not be read.
        unreadable: why this command may not look at it, if so; then it counts as attached.
        remark: what a person should know about how it was attached; only known right after.
    """

    pin: str
    hook: str
    link: int
    place: Place | None
    is_attached: bool
    program_name: str
    program: int = 0
    unreadable: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What previews and labels compare with.

    Attributes:
        version: of the running kernel.
        release: as ``uname -r`` prints it.
    """

    version: KernelVersion
    release: str


class Program(Protocol):
    """A loaded program, owned by its holder until closed."""

    @property
    def name(self) -> str:
        """Kernel name."""
        ...

    @property
    def verified_instructions(self) -> int | None:
        """Instructions the kernel's verifier walked through."""
        ...

    @property
    def stack_bytes(self) -> int | None:
        """Stack of its entry function, as the kernel's verifier says."""
        ...

    def close(self) -> None:
        """Let go of it; it lives on where it is attached."""
        ...


class MapReader(Protocol):
    """Reading pinned maps; metrics need no more."""

    def read_entries(
        self, deployment: str, pin: str, keys: Collection[bytes] | None = None
    ) -> dict[bytes, bytes]:
        """Entries under ``keys`` that exist, or all; of a retired map if no other has the name.

        Raises:
            NoSuchPin: no such map.
        """
        ...

    def read_per_cpu(self, deployment: str, pin: str, number: int) -> list[bytes]:
        """Values under a key: one for each possible CPU, or one alone if the map is not per CPU.

        Args:
            number: the key, little-endian in as many bytes as the map's keys have.

        Returns:
            Nothing if the map has no such entry, or cannot have one.

        Raises:
            NoSuchPin: no such map.
        """
        ...


class Links(Protocol):
    """Reading what runs."""

    def boot(self) -> str:
        """Id of this boot; bindings of other boots do not count."""
        ...

    def here(self) -> str:
        """Network namespace of this command, as declared targets write it; empty on the host."""
        ...

    def locate(self, on: HookTarget) -> Place:
        """What a declared target is now.

        Raises:
            NoSuchTarget: it is not there.
            TargetHidden: its namespace is not visible from here.
        """
        ...

    def find(self, hook: str, identity: Identity) -> Place:
        """What a thing is called now.

        Raises:
            NoSuchTarget, TargetHidden: as :meth:`locate`.
        """
        ...

    def links(self) -> tuple[PinnedLink, ...]:
        """All links of ours, ascending by hook and id."""
        ...

    def occupants(
        self, hook: str, identity: Identity, ours: Collection[PinnedLink]
    ) -> tuple[Occupant, ...]:
        """All programs on a hook, first to run first; those that ``ours`` run are marked.

        Raises:
            NoSuchTarget, TargetHidden: as :meth:`locate`.
            NotPermitted: this command may not look.
        """
        ...

    def remark(self, link: PinnedLink) -> str:
        """What a person should know about how a link is attached now; empty if all is as usual.

        Raises:
            NoSuchTarget, TargetHidden: as :meth:`locate`.
        """
        ...

    def pinned_maps(self) -> dict[str, frozenset[str]]:
        """Pin names by deployment; no empty sets."""
        ...

    def retired_maps(self) -> dict[str, frozenset[str]]:
        """Pin names of retired maps by deployment; no empty sets."""
        ...


class KernelReader(Links, MapReader, Protocol):
    """Everything a node is asked about the kernel; nothing of it changes anything."""

    def facts(self) -> KernelFacts:
        """What kernel this is."""
        ...

    def held_maps(self, link: PinnedLink) -> dict[int, str]:
        """Kernel names of the maps that the program of our link holds, by the maps' ids.

        Raises:
            NoSuchPin: the link is not there any more.
        """
        ...

    def pinned_map_id(self, deployment: str, pin: str) -> int:
        """The kernel's id of the map that is pinned under this name.

        Raises:
            NoSuchPin: no such map.
            PinInTheWay: it is not a map.
        """
        ...

    def foreign_program(self, hook: str, identity: Identity) -> str | None:
        """Describe who is in the way: a program of others on a hook with room for one alone.

        Raises:
            NoSuchTarget, TargetHidden: it cannot be looked at.
        """
        ...


class Kernel(KernelReader, Protocol):
    """Everything a plan needs done. Every method does its thing wholly or raises.

    Whoever has one holds the node's lock; see :mod:`skep.node.locking`.
    """

    def create_map(
        self, deployment: str, pin: str, plan: MapPlan, types: bytes | None = None
    ) -> None:
        """Create a map with its contents and pin it.

        Args:
            types: of its object. All maps and programs of a deployment share them in the kernel.

        Raises:
            PinInTheWay: the name is taken.
            Refused: the kernel refuses the map, or the types of one that needs them.
        """
        ...

    def delete_map(self, deployment: str, pin: str) -> None:
        """Remove the pin of a map.

        Raises:
            NoSuchPin: no such map.
        """
        ...

    def retire_map(self, deployment: str, pin: str) -> None:
        """Move a pin to the retired ones.

        Raises:
            NoSuchPin: no such map.
            PinInTheWay: a retired map has that name.
        """
        ...

    def restore_map(self, deployment: str, pin: str) -> None:
        """Move a pin back from the retired ones.

        Raises:
            NoSuchPin: no such retired map.
            PinInTheWay: the name is taken.
        """
        ...

    def purge_map(self, deployment: str, pin: str) -> None:
        """Remove the pin of a retired map for good.

        Raises:
            NoSuchPin: no such retired map.
        """
        ...

    def pin_again(self, deployment: str, pin: str, identity: int) -> None:
        """Pin the map with this id, in one step, in place of what has its name.

        Raises:
            NoSuchPin: there is no map with this id.
        """
        ...

    def write_entries(
        self, deployment: str, pin: str, changed: Mapping[bytes, bytes], gone: Collection[bytes]
    ) -> None:
        """Write entries, then delete keys; a key that is gone already is no error.

        Raises:
            NoSuchPin: no such map.
            PinInTheWay: the map has keys or values of other sizes; nothing was written.
        """
        ...

    def load(
        self, program: ProgramPlan, maps: Sequence[MapPin], name: str, types: bytes | None = None
    ) -> Program:
        """Load a program with pinned maps, in the order of its map indexes.

        Args:
            types: of its object. A program that does not need them is loaded without if the
                kernel refuses it only because of them.

        Raises:
            NoSuchPin: a map is not there.
            PinInTheWay: a map has another shape than its plan.
            ProgramRefused: the kernel's verifier says no; its log is the detail.
            Refused: the kernel says no for another reason.
        """
        ...

    def running(self, link: PinnedLink) -> Program:
        """The program our link runs, to be put back later.

        Raises:
            NoSuchPin: it is not there any more.
        """
        ...

    def attach(self, hook: str, identity: Identity, program: Program) -> PinnedLink:
        """Create a link and pin it.

        Raises:
            Conflict: something is attached already.
            NoSuchTarget, TargetHidden: there is nothing to attach to.
        """
        ...

    def replace(self, link: PinnedLink, program: Program, expected: Program) -> None:
        """Exchange the program of our link in one step.

        Raises:
            NoSuchPin: it is not there any more.
            Conflict: it runs something else than ``expected``.
        """
        ...

    def detach(self, link: PinnedLink) -> None:
        """Detach our link, if what it is on is still there, and remove its pin.

        Raises:
            NoSuchPin: it is not there any more.
        """
        ...
