"""The protocol of the drivers: how programs get on a hook, who is there, and how they go.

A driver knows one way of attaching and everything about its targets: how a declared name becomes
an identity, and where a link is attached by now. Nothing outside of this folder assumes what a
target is. A hook's table entry names its driver (``Hook.way``).
"""

from dataclasses import dataclass
from typing import Protocol

from skep.hooks.hook import Hook
from skep.hooks.identity import Identity, Place
from skep.hooks.target import HookTarget
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram

__all__ = ["Detached", "Driver", "Hidden", "Place", "Whereabouts"]


@dataclass(frozen=True, slots=True)
class Hidden:
    """The link is attached, but to something that cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class Detached:
    """The link is no longer attached to anything: what it was on was deleted."""


Whereabouts = Place | Hidden | Detached


class Driver(Protocol):
    """One way of attaching.

    Every method raises ``TargetMissing`` for a thing that is not there, and ``TargetNotVisible``
    for one that cannot be seen from here (its namespace has no name here, or may not be entered):
    failing to observe is not absence.
    """

    @property
    def way(self) -> str:
        """Its name in the table of hooks."""
        ...

    @property
    def is_exclusive(self) -> bool:
        """Whether a target has room for one program alone."""
        ...

    def locate(self, on: HookTarget) -> Place:
        """What a declared target is now; alternative names count, an empty namespace is the host's.

        Raises:
            TargetMissing, TargetNotVisible: see the class.
        """
        ...

    def find(self, hook: Hook, identity: Identity) -> Place:
        """What a thing is called now.

        Raises:
            TargetMissing, TargetNotVisible: see the class.
        """
        ...

    def whereabouts(self, hook: Hook, link: Link, hint: Identity | None) -> Whereabouts:
        """Where a link is attached now; looks first where ``hint`` says it was."""
        ...

    def occupants(self, hook: Hook, identity: Identity) -> tuple[int, ...]:
        """Ids of the programs on the hook there, whoever attached them, first to run first.

        Raises:
            TargetMissing, TargetNotVisible: see the class.
        """
        ...

    def remark(self, hook: Hook, identity: Identity, program: int) -> str:
        """What a person should know about how the program with this id is attached there now.

        Empty if all is as usual. :attr:`Link.remark` can tell more, but only right after attaching.

        Raises:
            TargetMissing, TargetNotVisible: see the class.
        """
        ...

    def attach(self, hook: Hook, identity: Identity, program: LoadedProgram) -> Link:
        """Put a program there, after the others if there is room for several.

        What a person should know about how it was done is in :attr:`Link.remark`.

        Raises:
            HookTaken: an exclusive target is taken; what is there is named and left alone.
            TargetMissing, TargetNotVisible: see the class.
            NotInThisKernel: this kernel does not know the way.
            KernelRefused: the program does not fit there.
        """
        ...

    def replace(self, link: Link, new: LoadedProgram, expected: LoadedProgram | None) -> None:
        """Run ``new`` instead, in one step; ``expected`` as of :meth:`Link.replace`.

        Raises:
            UnexpectedProgram: something else runs; nothing was changed.
            TargetMissing: the link is attached to nothing.
            KernelRefused: ``new`` does not fit.
        """
        ...

    def detach(self, link: Link) -> None:
        """Take the program away; nothing if that has happened."""
        ...
